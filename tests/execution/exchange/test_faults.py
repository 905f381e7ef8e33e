"""Each fault does what its name says to a request and its reply, as often as it was armed."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests as http
from alpaca_client import APIError, TradingClient, requests
from exchange_process import ExchangeProcess, Tape

from data.errors import Refused
from execution.exchange.control import BlockingExchangeControl
from execution.exchange.faults import FaultKind
from execution.exchange.limits import Spent, Usage

Opened = Callable[..., Tape]

ORDER = requests.MarketOrderRequest(
    symbol="AAA", qty=1, side="buy", time_in_force="day", client_order_id="mine"
)


@pytest.fixture
def client(tape: Tape) -> TradingClient:
    return TradingClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)


def test_a_lost_reply_breaks_the_connection_after_the_order_is_in_the_books(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REPLY)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER)
    assert client.get_order_by_client_id("mine").status == "new"
    assert [event["event"] for event in tape.control.events()] == ["new"]


def test_a_lost_request_breaks_the_connection_and_nothing_is_in_the_books(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REQUEST)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER)
    assert client.get_orders() == []
    client.submit_order(ORDER)
    assert len(client.get_orders()) == 1


def test_a_delayed_reply_comes_late_while_the_order_already_trades(tape: Tape, client: TradingClient) -> None:
    tape.control.arm_fault(FaultKind.DELAY_REPLY, delay_ms=300)
    with pytest.raises(http.exceptions.ReadTimeout):
        http.post(
            f"{tape.url}/v2/orders",
            json=ORDER.to_request_fields(),
            headers={"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key},
            timeout=0.1,
        )
    tape.move(100.0)
    assert client.get_order_by_client_id("mine").status == "filled"
    tape.control.arm_fault(FaultKind.DELAY_REPLY, delay_ms=50)
    start = time.monotonic()
    client.submit_order(ORDER.model_copy(update={"client_order_id": "second"}))
    assert time.monotonic() - start >= 0.05


def test_a_fault_strikes_as_often_as_armed_and_only_accepted_orders(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REPLY, count=2)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER)
    with pytest.raises(Exception, match="must be unique"):  # a refusal is answered as ever
        client.submit_order(ORDER)
    (left,) = tape.control.faults()
    assert (left["kind"], left["count"], left["struck"]) == ("lose_reply", 1, 1)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER.model_copy(update={"client_order_id": "second"}))
    client.submit_order(ORDER.model_copy(update={"client_order_id": "third"}))


def test_a_request_that_is_held_is_carried_out_though_its_client_is_gone(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.HOLD_REQUEST, delay_ms=150)
    with pytest.raises(http.exceptions.ReadTimeout):
        post(tape, timeout_s=0.05)
    assert client.get_orders() == []
    wait_until(lambda: len(client.get_orders()) == 1)
    with pytest.raises(APIError, match="must be unique"):  # which is what saves those who send again
        client.submit_order(ORDER)


def test_an_accepted_order_may_not_be_found_for_a_while(tape: Tape, client: TradingClient) -> None:
    client.submit_order(other("seen"))
    tape.control.arm_fault(FaultKind.HIDE_ORDER, delay_ms=150)
    hidden = client.submit_order(ORDER)
    with pytest.raises(APIError, match="order not found for mine") as absent:
        client.get_order_by_client_id("mine")
    assert absent.value.status_code == 404
    with pytest.raises(APIError, match="order not found"):
        client.get_order_by_id(hidden.id)
    assert [order.client_order_id for order in client.get_orders()] == ["seen"]
    with pytest.raises(APIError, match="must be unique"):
        client.submit_order(ORDER)
    wait_until(lambda: len(client.get_orders()) == 2)
    assert client.get_order_by_client_id("mine").id == hidden.id


def test_too_many_requests_are_told_when_to_come_back(tape: Tape) -> None:
    tape.control.arm_fault(FaultKind.HTTP_429, delay_ms=3_000)
    refused = post(tape)
    assert (refused.status_code, refused.json()["code"]) == (429, 42910000)
    assert (refused.headers["Retry-After"], refused.headers["X-Ratelimit-Remaining"]) == ("3", "0")
    assert post(tape).status_code == 200


def test_a_504_comes_after_the_order_is_in_the_books(tape: Tape, client: TradingClient) -> None:
    tape.control.arm_fault(FaultKind.HTTP_504_AFTER_ACCEPT)
    assert post(tape).status_code == 504
    assert client.get_order_by_client_id("mine").status == "new"


def test_answers_that_no_client_expects(tape: Tape) -> None:
    def answer(kind: FaultKind) -> http.Response:
        tape.control.arm_fault(kind, route="GET /v2/orders:by_client_order_id")
        return http.get(
            f"{tape.url}/v2/orders:by_client_order_id",
            params={"client_order_id": "mine"},
            headers=headers(tape),
            timeout=5,
        )

    plain = post(tape).json()
    html = answer(FaultKind.HTML_REPLY)
    assert (html.headers["Content-Type"], html.text.startswith("<html>")) == ("text/html", True)
    assert answer(FaultKind.EMPTY_REPLY).content == b""
    with pytest.raises(http.exceptions.JSONDecodeError):
        answer(FaultKind.TRUNCATED_REPLY).json()
    assert answer(FaultKind.FLIPPED_NUMBERS).json() == {
        **plain,
        "qty": 1.0,
        "filled_qty": 0.0,
        "commission": 0.0,
    }
    fields = answer(FaultKind.UNKNOWN_FIELDS).json()
    assert fields.pop("introduced_later")
    assert fields == plain
    assert answer(FaultKind.UNKNOWN_STATUS).json() == {**plain, "status": "under_review"}
    assert tape.control.faults() == []


def test_alpaca_py_stumbles_over_what_it_does_not_know(tape: Tape, client: TradingClient) -> None:
    tape.control.arm_fault(FaultKind.UNKNOWN_FIELDS)
    assert client.submit_order(ORDER).status == "new"
    tape.control.arm_fault(FaultKind.UNKNOWN_STATUS)
    with pytest.raises(ValueError, match="status"):
        client.submit_order(other("second"))
    tape.control.arm_fault(FaultKind.HTML_REPLY, route="GET /v2/account")
    with pytest.raises(http.exceptions.JSONDecodeError):
        client.get_account()
    assert client.get_order_by_client_id("second").status == "new"


def test_a_reused_id_is_a_second_order_of_the_same_name(tape: Tape, client: TradingClient) -> None:
    tape.control.arm_fault(FaultKind.REUSE_IDS, count=2)
    ids = {client.submit_order(ORDER).id for _ in range(3)}
    assert len(ids) == 3
    with pytest.raises(APIError, match="must be unique"):
        client.submit_order(ORDER)
    assert [order.client_order_id for order in client.get_orders()] == ["mine"] * 3
    tape.move(100.0)
    assert client.get_open_position("AAA").qty == "3"
    assert {event["order"]["client_order_id"] for event in tape.control.events()} == {"mine"}


@pytest.mark.parametrize("limit_price", [None, 90.0])
def test_an_order_may_fill_while_it_is_canceled(
    tape: Tape, client: TradingClient, limit_price: float | None
) -> None:
    tape.move(100.0)
    order = client.submit_order(a_limit_order(90.0) if limit_price else ORDER)
    tape.control.arm_fault(FaultKind.FILL_DURING_CANCEL)
    client.cancel_order_by_id(order.id)  # answered with 204
    filled = client.get_order_by_id(order.id)
    assert (filled.status, filled.filled_avg_price) == ("filled", str(limit_price or 100.0))
    told = [event["event"] for event in tape.control.events()]
    assert told == ["new", "pending_cancel", "fill", "order_cancel_rejected"]
    second = client.submit_order(other("second"))
    client.cancel_order_by_id(second.id)
    assert client.get_order_by_id(second.id).status == "canceled"


def test_an_order_may_fill_while_it_is_replaced(tape: Tape, client: TradingClient) -> None:
    order = client.submit_order(a_limit_order(90.0))
    tape.control.arm_fault(FaultKind.FILL_DURING_REPLACE)
    replacement = client.replace_order_by_id(order.id, requests.ReplaceOrderRequest(qty=5, limit_price=91.0))
    assert (replacement.status, replacement.replaces, replacement.limit_price) == (
        "pending_new",
        order.id,
        "91.0",
    )
    assert replacement.id != order.id
    original = client.get_order_by_id(order.id)
    assert (original.status, original.filled_avg_price) == ("filled", "90.0")
    assert client.get_open_position("AAA").qty == "1"
    assert client.get_order_by_id(replacement.id).status == "rejected"
    told = [event["event"] for event in tape.control.events()]
    assert told == [
        "new", "pending_new", "pending_replace", "fill", "order_replace_rejected", "rejected",
    ]  # fmt: skip


def test_a_knob_strikes_only_what_its_rule_names(tape: Tape, client: TradingClient) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REPLY, symbol="BBB")
    tape.control.arm_fault(FaultKind.LOSE_REPLY, coid="unlucky")
    tape.control.arm_fault(FaultKind.LOSE_REPLY, route="DELETE /v2/orders/*")
    order = client.submit_order(ORDER)
    for unlucky in (other("x", symbol="BBB"), other("unlucky")):
        with pytest.raises(http.exceptions.ConnectionError):
            client.submit_order(unlucky)
    with pytest.raises(http.exceptions.ConnectionError):
        client.cancel_order_by_id(order.id)
    assert client.get_order_by_id(order.id).status == "canceled"
    assert tape.control.faults() == []


def test_a_probability_strikes_the_same_requests_for_the_same_seed(tape: Tape, open_tape: Opened) -> None:
    def struck(tape: Tape) -> list[bool]:
        tape.control.arm_fault(FaultKind.HTTP_504_AFTER_ACCEPT, probability=0.4, seed=7)
        return [post(tape, str(number)).status_code == 504 for number in range(30)]

    first = struck(tape)
    assert 5 <= sum(first) <= 20
    assert struck(open_tape()) == first
    assert tape.control.faults()[0]["struck"] == sum(first)


@pytest.mark.full
def test_knobs_are_set_listed_cleared_and_gone_after_a_restart(tmp_path: Path) -> None:
    process = ExchangeProcess(tmp_path)
    with BlockingExchangeControl(process.url) as opening:
        keys = opening.open_account("me")
    with BlockingExchangeControl(process.url, keys) as control:
        control.arm_fault(FaultKind.LOSE_REPLY, count=5)
        control.arm_fault(FaultKind.LOSE_REPLY, count=2)  # the same rule: in its place
        control.arm_fault(FaultKind.HTTP_429, route="GET *", symbol="AAA", probability=0.5)
        assert [(knob["kind"], knob["count"], knob["route"]) for knob in control.faults()] == [
            ("lose_reply", 2, "POST /v2/orders"),
            ("http_429", None, "GET *"),
        ]
        control.clear_faults(FaultKind.HTTP_429)
        control.arm_fault(FaultKind.EMPTY_REPLY, count=0)
        assert [knob["kind"] for knob in control.faults()] == ["lose_reply"]
        process.kill()
    process.start()
    with BlockingExchangeControl(process.url, keys) as control:
        assert control.faults() == []
        control.arm_fault(FaultKind.LOSE_REPLY)
        control.clear_faults()
        assert control.faults() == []
    assert process.stop() == 0


@pytest.mark.parametrize(
    "knob",
    [
        {"kind": "earthquake"},
        {"kind": "lose_reply", "count": -1},
        {"kind": "lose_reply", "probability": 0.0},
        {"kind": "lose_reply", "probability": 1.5},
        {"kind": "lose_reply", "delay_ms": -1},
        {"kind": "lose_reply", "colour": "red"},
    ],
)
def test_a_knob_that_makes_no_sense_is_refused(tape: Tape, knob: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="exchange refused /sim/faults"):
        tape.control.arm_fault(**knob)
    assert tape.control.faults() == []


@pytest.mark.full
def test_two_hundred_requests_a_minute_and_no_more(tape: Tape, client: TradingClient) -> None:
    assert "X-Ratelimit-Limit" not in post(tape).headers  # off unless somebody sets it
    tape.control.set_limits(requests_per_min=200)
    first = http.get(f"{tape.url}/v2/account", headers=headers(tape), timeout=5)
    assert (first.headers["X-Ratelimit-Limit"], first.headers["X-Ratelimit-Remaining"]) == ("200", "199")
    for _ in range(199):
        client.get_account()
    refused = http.get(f"{tape.url}/v2/account", headers=headers(tape), timeout=5)
    assert (refused.status_code, refused.json()) == (
        429,
        {"code": 42910000, "message": "rate limit exceeded"},
    )
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert int(refused.headers["X-Ratelimit-Reset"]) > time.time()
    data = http.get(f"{tape.url}/v2/stocks/quotes/latest?symbols=A", headers=headers(tape), timeout=5)
    assert (data.status_code, data.headers["X-Ratelimit-Remaining"]) == (200, "199")  # counted apart
    tape.move(100.0)  # the exchange's own routes are not counted
    tape.control.set_limits()
    assert client.get_account().status == "ACTIVE"


def test_a_minute_passes() -> None:
    usage = Usage()
    spent = [usage.spend("trading", 2, now_s) for now_s in (100.5, 101.0, 159.0, 160.5)]
    assert [each and (each.used, each.refused) for each in spent] == [
        (1, False),
        (2, False),
        (3, True),
        (1, False),
    ]
    assert spent[2] == Spent(limit=2, used=3, reset_s=161, wait_s=2)


def headers(tape: Tape) -> dict[str, str]:
    return {"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key}


def post(tape: Tape, client_order_id: str = "mine", timeout_s: float = 5) -> http.Response:
    """An order sent once: alpaca-py would send it again."""
    order = other(client_order_id).to_request_fields()
    return http.post(f"{tape.url}/v2/orders", json=order, headers=headers(tape), timeout=timeout_s)


def other(client_order_id: str, symbol: str = "AAA") -> requests.MarketOrderRequest:
    return ORDER.model_copy(update={"client_order_id": client_order_id, "symbol": symbol})


def a_limit_order(price: float) -> requests.LimitOrderRequest:
    return requests.LimitOrderRequest(symbol="AAA", qty=1, side="buy", time_in_force="day", limit_price=price)


def wait_until(happened: Callable[[], bool], patience_s: float = 5.0) -> None:
    give_up_at = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)
