"""What a broker's reply proves, however odd it is."""

import pytest

from data.orders import OrderState
from execution.broker import BrokerEvent, Connected, Unreadable
from execution.broker.alpaca import read_event, read_outcome
from execution.core.lifecycle import Accepted, Duplicate, Rejected, Unknown

ORDER = (
    '{"id":"b1","client_order_id":"c1","symbol":"AAA","side":"buy","qty":"5","filled_qty":"5","status":"%s"}'
)


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (200, '{"id": "b1"}', Accepted),
        (200, "{}", Unknown),
        (200, "", Unknown),
        (200, "<html>gateway</html>", Unknown),
        (200, '["id"]', Unknown),
        (200, '{"id": "b1', Unknown),
        (422, '{"code": 40010001, "message": "client_order_id must be unique"}', Duplicate),
        (422, '{"code": 40010001, "message": "qty must be > 0"}', Rejected),
        (403, '{"code": 40310000, "message": "insufficient buying power"}', Rejected),
        (401, '{"message": "unauthorized"}', Rejected),
        (403, "<html>blocked</html>", Unknown),
        (408, "{}", Unknown),
        (429, '{"message": "too many requests"}', Unknown),
        (500, '{"message": "oops"}', Unknown),
        (504, "", Unknown),
    ],
)
def test_only_a_clear_yes_or_no_is_taken_for_one(status: int, body: str, means: type) -> None:
    assert isinstance(read_outcome(status, body), means)


def test_a_fill_is_read_with_the_brokers_own_digits() -> None:
    told = read_event(
        '{"stream":"trade_updates","data":{"event":"fill","execution_id":"e1","qty":"5","price":"100.10",'
        '"timestamp":"2026-09-30T13:31:00Z","order":' + ORDER % "filled" + "}}"
    )
    assert isinstance(told, BrokerEvent)
    assert told.fill is not None
    assert (told.fill.price, told.fill.qty, told.order.state) == ("100.10", "5", OrderState.FILLED)


def test_a_status_that_nobody_knew_is_kept_and_means_nothing() -> None:
    told = read_event('{"stream":"trade_updates","data":{"event":"new","order":' + ORDER % "quantum" + "}}")
    assert isinstance(told, BrokerEvent)
    assert (told.order.status, told.order.state) == ("quantum", None)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xfe",
        "",
        "null",
        "[]",
        '{"stream": 7}',
        '{"stream":"trade_updates"}',
        '{"stream":"trade_updates","data":{"event":"fill","order":{}}}',
        '{"stream":"trade_updates","data":{"event":"fill","order":' + ORDER % "filled" + "}}",
    ],
)
def test_what_cannot_be_read_is_kept_word_for_word(frame: str | bytes) -> None:
    assert isinstance(read_event(frame), Unreadable)


def test_the_stream_says_when_it_listens_and_refused_credentials_are_noticed() -> None:
    assert isinstance(read_event('{"stream":"listening","data":{"streams":["trade_updates"]}}'), Connected)
    assert isinstance(read_event('{"stream":"authorization","data":{"status":"unauthorized"}}'), Unreadable)
    assert read_event('{"stream":"authorization","data":{"status":"authorized"}}') is None
