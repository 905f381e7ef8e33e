"""kill -9 at any instant: what was acknowledged is there after a restart, and nothing is there twice."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests as http
from exchange_process import ExchangeProcess, Tape

from data.errors import Unavailable
from execution.exchange.books import Keys
from execution.exchange.control import BlockingExchangeControl

VIEWS = (
    "/v2/account",
    "/v2/positions",
    "/v2/orders?status=all&limit=500",
    "/v2/account/activities/FILL",
    "/sim/clock",
    "/sim/events",
)


@pytest.fixture
def own_exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    process = ExchangeProcess(tmp_path / "exchange")
    yield process
    process.stop()


def open_account(exchange: ExchangeProcess) -> Keys:
    with BlockingExchangeControl(exchange.url) as control:
        return control.open_account("test", participation=0.02)


@pytest.fixture
def own_tape(own_exchange: ExchangeProcess) -> Iterator[Tape]:
    tape = Tape(own_exchange.url, open_account(own_exchange))
    yield tape
    tape.close()


def headers(tape: Tape) -> dict[str, str]:
    return {"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key}


def view(tape: Tape, path: str) -> Any:
    answer = http.get(tape.url + path, headers=headers(tape), timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def send(tape: Tape, session: http.Session, n: int) -> str:
    """One order, larger than a bar fills at once; returns its id."""
    order = {
        "symbol": "AAA",
        "qty": "25",
        "side": "sell" if n % 3 else "buy",
        "type": "market",
        "time_in_force": "gtc",
        "client_order_id": f"order-{n}",
    }
    answer = session.post(tape.url + "/v2/orders", json=order, headers=headers(tape), timeout=5)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.mark.full
def test_a_killed_exchange_comes_back_as_it_was(own_exchange: ExchangeProcess, own_tape: Tape) -> None:
    tape = own_tape
    with http.Session() as session:
        for n in range(5):
            send(tape, session, n)
            tape.move(100.0 + n)
    before = {path: view(tape, path) for path in VIEWS}
    own_exchange.kill()
    own_exchange.start()
    assert {path: view(tape, path) for path in VIEWS} == before
    assert open_account(own_exchange) == tape.keys
    tape.close()  # its connection ended with the old process
    tape.minute -= 1
    assert tape.move(104.0) == before["/sim/clock"]["seq"]  # the same bar again fills nothing
    assert tape.move(105.0) > before["/sim/clock"]["seq"]


@pytest.mark.full
def test_kills_in_the_middle_of_traffic_lose_and_double_nothing(
    own_exchange: ExchangeProcess, own_tape: Tape
) -> None:
    tape = own_tape
    acknowledged: dict[str, str] = {}
    for round_number in range(8):
        stop = threading.Event()
        orders = threading.Thread(target=keep_sending, args=(tape, round_number, acknowledged, stop))
        bars = threading.Thread(target=keep_moving, args=(tape, stop))
        enough = len(acknowledged) + 7 * (round_number + 1)
        orders.start()
        bars.start()
        while len(acknowledged) < enough:
            assert orders.is_alive()
            assert bars.is_alive()
            stop.wait(0.001)
        own_exchange.kill()
        stop.set()
        orders.join()
        bars.join()
        own_exchange.start()
        check(tape, acknowledged)


def keep_sending(tape: Tape, round_number: int, acknowledged: dict[str, str], stop: threading.Event) -> None:
    with http.Session() as session:
        n = round_number * 1_000_000
        while not stop.is_set():
            try:
                order_id = send(tape, session, n)
            except http.exceptions.ConnectionError:
                return
            acknowledged[f"order-{n}"] = order_id
            n += 1


def keep_moving(tape: Tape, stop: threading.Event) -> None:
    """Posts bar after bar; one whose answer was lost is posted again by the next round."""
    while not stop.is_set():
        try:
            tape.move(100.0 + tape.minute % 7)
        except Unavailable:
            return


def check(tape: Tape, acknowledged: dict[str, str]) -> None:
    events = view(tape, "/sim/events")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    known = {event["order"]["client_order_id"]: event["order"]["id"] for event in events}
    assert acknowledged.items() <= known.items()

    fills = [event for event in events if event["event"] in ("fill", "partial_fill")]
    assert len({fill["execution_id"] for fill in fills}) == len(fills)
    held, cash, filled = 0.0, 100_000.0, dict.fromkeys(known.values(), 0.0)
    for fill in fills:
        qty = float(fill["qty"]) * (1 if fill["order"]["side"] == "buy" else -1)
        held, cash = held + qty, cash - qty * float(fill["price"])
        filled[fill["order"]["id"]] += abs(qty)
        assert float(fill["position_qty"]) == held
    positions = view(tape, "/v2/positions")
    assert sum(float(position["qty"]) for position in positions) == held
    assert float(view(tape, "/v2/account")["cash"]) == cash
    last = {event["order"]["id"]: event["order"] for event in events}
    for order_id, order in last.items():
        assert float(order["filled_qty"]) == filled[order_id] <= 25.0
    bars_of_one_order = {(fill["order"]["id"], fill["bar_ts_us"]) for fill in fills}
    assert len(bars_of_one_order) == len(fills)  # no bar filled an order twice
