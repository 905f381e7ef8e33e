"""What a broker's words prove, however odd they are."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_json import any_json, plausible_objects

from data.orders import OrderState
from execution.broker import BrokerEvent, Unreadable
from execution.broker.alpaca import reading
from execution.broker.alpaca.executions import Executions, of_activity
from execution.broker.alpaca.stream import read_event
from execution.core.lifecycle import Accepted, Duplicate, Rejected, Unknown

Json = dict[str, Any]


def order(**changes: Any) -> Json:
    told = {
        "id": "b1",
        "client_order_id": "c1",
        "symbol": "AAA",
        "side": "buy",
        "qty": "5",
        "filled_qty": "0",
    }
    return {**told, "status": "new", **changes}


def update(kind: str, told: Json, **more: Any) -> str:
    return json.dumps({"stream": "trade_updates", "data": {"event": kind, "order": told, **more}})


def filled(qty: Any, of_all: Any, **more: Any) -> str:
    told = order(filled_qty=of_all, status="partially_filled")
    now = "2026-09-30T13:31:00.123456789Z"
    return update(
        "partial_fill", told, **{"qty": qty, "price": "100.10", "timestamp": now, "execution_id": "e", **more}
    )


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (200, b'{"id": "b1"}', Accepted),
        (200, b"{}", Unknown),
        (200, b'{"id": null}', Unknown),
        (200, b'{"id": 7}', Unknown),
        (200, b"", Unknown),
        (200, b"<html>gateway</html>", Unknown),
        (200, b'["id"]', Unknown),
        (200, b'{"id": "b1', Unknown),
        (200, b'{"id": "\xff"}', Unknown),
        (200, b"[" * 100_000, Unknown),
        (307, b'{"message": "over there"}', Unknown),
        (422, b'{"code": 40010001, "message": "client_order_id must be unique"}', Duplicate),
        (422, b'{"code": 40010001, "message": "qty must be > 0"}', Rejected),
        (422, b"{}", Unknown),
        (403, b'{"code": 40310000, "message": "insufficient buying power"}', Rejected),
        (401, b'{"message": "unauthorized"}', Rejected),
        (403, b"<html>blocked</html>", Unknown),
        (408, b'{"message": "slow"}', Unknown),
        (409, b'{"message": "conflict"}', Unknown),
        (429, b'{"message": "too many requests"}', Unknown),
        (500, b'{"message": "oops"}', Unknown),
        (504, b"", Unknown),
    ],
)
def test_only_a_clear_yes_or_no_is_taken_for_one(status: int, body: bytes, means: type) -> None:
    assert isinstance(reading.outcome(status, body), means)


def test_numbers_keep_the_brokers_digits_written_as_numbers_or_as_strings() -> None:
    as_text = reading.order(reading.json_of('{"qty":"100.10","filled_qty":"0.000000001",' + _REST))
    as_number = reading.order(reading.json_of('{"qty":100.10,"filled_qty":1e-9,' + _REST))
    assert as_text == as_number
    assert (as_text.qty, as_text.filled_qty) == ("100.10", "0.000000001")


_REST = '"id":"b1","client_order_id":"c1","symbol":"AAA","side":"buy","status":"new"}'


@pytest.mark.parametrize(
    "digits", ["NaN", "Infinity", "-1", "1e99", "1e-40", "", "five", True, [], "1" * 300]
)
def test_what_is_no_quantity_is_not_taken_for_one(digits: Any) -> None:
    with pytest.raises(reading.Odd, match="filled_qty"):
        reading.order(order(filled_qty=digits))


def test_a_status_that_nobody_knew_is_kept_and_means_nothing() -> None:
    told = reading.order(order(status="quantum", of_tomorrow={"a": 1}))
    assert (told.status, told.state) == ("quantum", None)


def test_exits_are_told_with_the_order_that_they_belong_to() -> None:
    legs = [order(id="b2", client_order_id="x2", status="held"), order(id="b3", client_order_id="x3")]
    told = [each for each, _ in reading.with_exits(order(legs=legs, replaces="b0"))]
    assert [(each.coid, each.parent, each.state) for each in told] == [
        ("c1", None, OrderState.ACKED),
        ("x2", "c1", OrderState.ACKED),
        ("x3", "c1", OrderState.ACKED),
    ]
    assert told[0].replaces == "b0"


@pytest.mark.parametrize(
    ("told", "symbol", "qty"),
    [
        ({"symbol": "AAA", "qty": "5", "side": "long"}, "AAA", "5"),
        ({"symbol": "AAA", "qty": "-5", "side": "short"}, "AAA", "-5"),
        ({"symbol": "AAA", "qty": 5, "side": "short"}, "AAA", "-5"),
        ({"symbol": "BTCUSD", "qty": "0.5", "asset_class": "crypto"}, "BTC/USD", "0.5"),
        ({"symbol": "BTCUSDT", "qty": "0.5", "asset_class": "crypto"}, "BTC/USDT", "0.5"),
        ({"symbol": "USDTUSD", "qty": "2", "asset_class": "crypto"}, "USDT/USD", "2"),
        ({"symbol": "ETH/BTC", "qty": "2", "asset_class": "crypto"}, "ETH/BTC", "2"),
    ],
)
def test_a_position_has_a_sign_and_the_symbol_of_its_orders(told: Json, symbol: str, qty: str) -> None:
    position = reading.position(told)
    assert (position.symbol, position.qty) == (symbol, qty)


# -- what names an execution


def test_the_stream_and_the_activities_of_alpaca_name_an_execution_alike() -> None:
    executions = Executions()
    first, second = (read_event(filled(*each), executions) for each in (("2", "2.0"), (3, 5)))
    assert isinstance(first, BrokerEvent)
    assert isinstance(second, BrokerEvent)
    assert first.fill is not None
    assert second.fill is not None
    activities = [{"id": "2026::other", "order_id": "b1", "cum_qty": cum} for cum in ("2", "5")]
    assert [first.fill.execution_id, second.fill.execution_id] == [of_activity(each) for each in activities]
    assert (second.fill.price, second.fill.qty) == ("100.10", "3")


@pytest.mark.parametrize("heard", [[("3", "5")], [("2", "2"), ("3", "6")], [("2", "2"), ("2", "2")]])
def test_a_fill_that_does_not_follow_from_what_was_heard_is_left_to_the_activities(
    heard: list[tuple[str, str]],
) -> None:
    executions = Executions()
    told = [read_event(filled(*each), executions) for each in heard][-1]
    assert isinstance(told, BrokerEvent)
    assert told.fill is None
    assert Decimal(told.order.filled_qty) > 0  # which says that one is owed


def test_our_exchange_numbers_its_events_and_its_ids_are_taken_as_they_are() -> None:
    told = read_event(filled("3", "5", seq=9, execution_id="e9", bar_ts_us=60), Executions())
    assert isinstance(told, BrokerEvent)
    assert told.fill is not None
    assert (told.seq, told.fill.execution_id, told.fill.bar_ts_us) == (9, "e9", 60)
    assert of_activity({"order_id": "b1", "cum_qty": "5", "execution_id": "e9"}) == "e9"


# -- events


@pytest.mark.parametrize(
    "kind",
    [
        "new", "accepted", "pending_new", "canceled", "expired", "done_for_day", "replaced", "rejected", "stopped",
        "pending_cancel", "pending_replace", "calculated", "suspended", "restated", "order_replace_rejected",
        "order_cancel_rejected", "of_tomorrow",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encode", [str, str.encode])
def test_every_kind_of_event_tells_how_the_order_stands(kind: str, encode: Any) -> None:
    told = read_event(encode(update(kind, order(replaced_by="b2"))), Executions())
    assert isinstance(told, BrokerEvent)
    assert (told.kind, told.order.coid, told.order.replaced_by, told.fill) == (kind, "c1", "b2", None)


@pytest.mark.parametrize("kind", ["trade_bust", "trade_correct"])
def test_an_execution_that_is_taken_back_is_kept_word_for_word(kind: str) -> None:
    raw = update(kind, order(), previous_execution_id="e1")
    told = read_event(raw, Executions())
    assert isinstance(told, Unreadable)
    assert told.payload == raw
    assert kind in told.problem


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
        update("fill", order(filled_qty="5")),
        update("fill", order(), qty="0", price="1", timestamp="2026-09-30T13:31:00Z"),
        filled("2", "2", timestamp="yesterday"),
        update("new", order(side="sideways")),
        update("new", order(symbol="")),
        update("new", order(id="a\0b")),
        update("new", order(client_order_id="c" * 300)),
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_kept_word_for_word(frame: str | bytes) -> None:
    told = read_event(frame, Executions())
    assert isinstance(told, Unreadable)
    as_text = frame.decode(errors="replace") if isinstance(frame, bytes) else frame
    assert told.payload == as_text[: reading.RAW_LENGTH_MAX]


@pytest.mark.full
@settings(deadline=None)  # the machine may be busy
@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=64) | any_json.map(lambda value: json.dumps(value).encode()),
)
@example(status=200, body=b'"\\ud800"')
def test_no_reply_to_an_order_is_an_error(status: int, body: bytes) -> None:
    told = reading.outcome(status, body)
    assert isinstance(told, Accepted | Rejected | Duplicate | Unknown)
    assert 200 <= status < 300 or not isinstance(told, Accepted)


@pytest.mark.full
@settings(deadline=None)  # the machine may be busy
@given(
    frame=st.binary(max_size=64)
    | any_json.map(json.dumps)
    | st.builds(update, st.text(max_size=9), plausible_objects)
)
def test_no_frame_is_an_error(frame: str | bytes) -> None:
    assert isinstance(read_event(frame, Executions()), BrokerEvent | Unreadable)


@pytest.mark.full
@settings(deadline=None)  # the machine may be busy
@given(data=plausible_objects, told=plausible_objects)
def test_no_event_is_an_error_and_what_is_read_can_be_written_down(data: Json, told: Json) -> None:
    raw = json.dumps({"stream": "trade_updates", "data": {**data, "order": told}})
    event = read_event(raw, Executions())
    if isinstance(event, Unreadable):
        assert "\0" not in event.payload
    else:
        assert Decimal(event.order.filled_qty).is_finite()
        assert event.fill is None or Decimal(event.fill.qty) > 0


@pytest.mark.full
@settings(deadline=None)  # the machine may be busy
@given(told=plausible_objects | any_json)
def test_orders_fills_and_positions_are_read_or_odd(told: Any) -> None:
    raw = json.dumps(told).encode()
    for read in (reading.order, lambda one: list(reading.with_exits(one)), reading.position, _read_activity):
        with suppress(reading.Odd):
            read(reading.json_of(raw))


def _read_activity(told: Any) -> Any:
    body = reading.fields(told)
    return reading.activity(body, "c1", of_activity(body))
