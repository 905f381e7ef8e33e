"""What faults do to `trade_updates`: events missing, twice, in another order, unreadable; the books know better."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import requests as http
from exchange_process import Tape

from execution.broker import BrokerEvent, Unreadable
from execution.broker.alpaca.executions import Executions
from execution.broker.alpaca.stream import read_event
from execution.exchange.faults import FaultKind

STREAM = "STREAM trade_updates"


def streamed(tape: Tape, happen: Callable[[], None], count: int) -> list[bytes]:
    """The first `count` frames that a listener gets of what happens."""

    async def run() -> list[bytes]:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{tape.url}/stream") as ws:
            await ws.send_json({"action": "auth", "key": tape.keys.key_id, "secret": tape.keys.secret_key})
            await ws.receive_bytes(timeout=5)
            await ws.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
            await ws.receive_bytes(timeout=5)
            await asyncio.to_thread(happen)
            return [await ws.receive_bytes(timeout=5) for _ in range(count)]

    return asyncio.run(run())


def seqs(frames: list[bytes]) -> list[int]:
    return [msgspec.json.decode(frame)["data"]["seq"] for frame in frames]


def submit(tape: Tape, *client_order_ids: str, symbol: str = "AAA") -> None:
    keys = {"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key}
    for client_order_id in client_order_ids:
        order = {"symbol": symbol, "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
        sent = http.post(
            f"{tape.url}/v2/orders",
            json={**order, "client_order_id": client_order_id},
            headers=keys,
            timeout=5,
        )
        assert sent.status_code == 200


def test_events_come_twice(tape: Tape) -> None:
    tape.control.arm_fault(FaultKind.DUPLICATE_EVENTS, coid="b")
    assert seqs(streamed(tape, lambda: submit(tape, "a", "b", "c"), 4)) == [1, 2, 2, 3]


def test_events_come_in_another_order(tape: Tape) -> None:
    tape.control.arm_fault(FaultKind.REORDER_EVENTS, coid="a")
    assert seqs(streamed(tape, lambda: submit(tape, "a", "b", "c"), 3)) == [2, 1, 3]


def test_an_event_that_is_held_back_comes_when_the_fault_is_cleared(tape: Tape) -> None:
    tape.control.arm_fault(FaultKind.REORDER_EVENTS)

    def happen() -> None:
        submit(tape, "a")
        tape.control.clear_faults()

    assert seqs(streamed(tape, happen, 1)) == [1]


def test_events_are_missing(tape: Tape) -> None:
    tape.control.arm_fault(FaultKind.MUTE_EVENTS, count=2, symbol="BBB")

    def happen() -> None:
        submit(tape, "a")
        submit(tape, "b", "c", symbol="BBB")
        submit(tape, "d")

    assert seqs(streamed(tape, happen, 2)) == [1, 4]
    assert [event["seq"] for event in tape.control.events()] == [1, 2, 3, 4]


def test_events_are_not_what_the_documentation_says(tape: Tape) -> None:
    kinds = [
        FaultKind.TRUNCATED_REPLY,
        FaultKind.UNKNOWN_STATUS,
        FaultKind.UNKNOWN_FIELDS,
        FaultKind.HTML_REPLY,
    ]
    for kind, coid in zip(kinds, "abcd", strict=True):
        tape.control.arm_fault(kind, route=STREAM, coid=coid)
    executions = Executions()
    frames = streamed(tape, lambda: submit(tape, *"abcde"), 5)
    read: list[Any] = [read_event(frame, executions) for frame in frames]
    assert isinstance(read[0], Unreadable)
    assert isinstance(read[3], Unreadable)
    assert isinstance(read[1], BrokerEvent)
    assert (read[1].order.status, read[1].order.state) == ("under_review", None)
    assert [read[place].order.status for place in (2, 4)] == ["new", "new"]
