"""What the `trade_updates` WebSocket tells, to the unmodified alpaca-py and to our own reader."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec
import pytest
from alpaca_client import TradingClient, TradingStream, models, requests
from exchange_process import Tape

from execution.exchange.faults import FaultKind

Message = dict[str, Any]


def submit(tape: Tape, qty: float = 1, side: str = "buy", **more: Any) -> None:
    client = TradingClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)
    order = {"symbol": "AAA", "qty": qty, "side": side, "time_in_force": "day", **more}
    if "limit_price" in order:
        client.submit_order(requests.LimitOrderRequest(**order))
    else:
        client.submit_order(requests.MarketOrderRequest(**order))


def stream_url(tape: Tape) -> str:
    return tape.url.replace("http", "ws") + "/stream"


def authenticate(tape: Tape) -> Message:
    return {"action": "authenticate", "data": msgspec.to_builtins(tape.keys)}


LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}


async def read(socket: aiohttp.ClientWebSocketResponse) -> Message:
    frame = await socket.receive(5.0)
    assert frame.type is aiohttp.WSMsgType.BINARY, frame
    message: Message = msgspec.json.decode(frame.data)
    return message


def on_socket(
    tape: Tape, script: Callable[[aiohttp.ClientWebSocketResponse], Coroutine[Any, Any, None]]
) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(stream_url(tape)) as ws:
            await script(ws)

    asyncio.run(run())


async def listen(ws: aiohttp.ClientWebSocketResponse, tape: Tape) -> int:
    """Authenticates and listens; returns the account's sequence at that moment."""
    await ws.send_json(authenticate(tape))
    assert (await read(ws))["data"]["status"] == "authorized"
    await ws.send_json(LISTEN)
    listening = await read(ws)
    assert listening["stream"] == "listening"
    assert listening["data"]["streams"] == ["trade_updates"]
    return int(listening["data"]["seq"])


@pytest.mark.full
def test_alpaca_pys_trading_stream_receives_new_and_fill(tape: Tape) -> None:
    async def run() -> list[models.TradeUpdate]:
        stream = TradingStream(tape.keys.key_id, tape.keys.secret_key, url_override=stream_url(tape))
        updates: asyncio.Queue[models.TradeUpdate] = asyncio.Queue()
        stream.subscribe_trade_updates(updates.put)
        running = asyncio.create_task(stream._run_forever())
        received = []
        try:
            while not received:  # it does not say when it listens, so orders go until one is heard of
                submit(tape)
                with suppress(TimeoutError):
                    received.append(await asyncio.wait_for(updates.get(), 0.2))
            tape.move(100.0)
            while received[-1].event != "fill":
                received.append(await asyncio.wait_for(updates.get(), 5))
        finally:
            while not running.done():  # wait_for, which alpaca-py sits in, may swallow a cancellation
                running.cancel()
                await asyncio.wait([running], timeout=0.1)
            await stream.close()
        return received

    updates = asyncio.run(run())
    assert updates[0].event == "new"
    fill = updates[-1]
    assert (fill.qty, fill.price) == (1.0, 100.0 * (1 + 1 / 1e4))
    assert fill.position_qty is not None
    assert fill.position_qty >= 1.0
    assert fill.execution_id is not None
    assert fill.order.status == "filled"


def test_every_event_comes_once_in_order_and_carries_what_the_books_say(tape: Tape) -> None:
    async def script(ws: aiohttp.ClientWebSocketResponse) -> None:
        submit(tape)
        start = await listen(ws, tape)
        assert start == 1
        submit(tape, 5, "sell", limit_price=1_000.0)
        assert tape.move(100.0) == 3
        updates = [(await read(ws))["data"] for _ in range(2)]
        assert [update["seq"] for update in updates] == [2, 3]
        assert [update["event"] for update in updates] == ["new", "fill"]
        fill = updates[1]
        assert fill["bar_ts_us"] == tape.control.clock().clock_us
        assert (fill["qty"], fill["position_qty"], fill["commission"]) == ("1", "1", "0.0")
        assert fill["order"]["filled_avg_price"] == fill["price"] == repr(100.0 * (1 + 1 / 1e4))

    on_socket(tape, script)


@pytest.mark.parametrize(
    "hello",
    [
        {"action": "authenticate", "data": {"key_id": "nobody", "secret_key": "x"}},
        {"action": "authenticate", "data": {"key_id": 1, "secret_key": None}},
        {"action": "authenticate", "data": []},
        LISTEN,
        ["not", "an", "object"],
    ],
)
def test_without_the_right_keys_first_the_socket_is_closed(tape: Tape, hello: object) -> None:
    async def script(ws: aiohttp.ClientWebSocketResponse) -> None:
        await ws.send_json(hello)
        answer = await read(ws)
        assert answer["stream"] == "authorization"
        assert answer["data"]["status"] == "unauthorized"
        assert (await ws.receive(5.0)).type is aiohttp.WSMsgType.CLOSE

    on_socket(tape, script)


def test_the_newer_auth_message_works_too(tape: Tape) -> None:
    async def script(ws: aiohttp.ClientWebSocketResponse) -> None:
        await ws.send_json({"action": "auth", "key": tape.keys.key_id, "secret": tape.keys.secret_key})
        assert (await read(ws))["data"]["status"] == "authorized"

    on_socket(tape, script)


def test_a_lost_event_shows_as_a_gap_and_is_still_in_the_books(tape: Tape) -> None:
    async def script(ws: aiohttp.ClientWebSocketResponse) -> None:
        await listen(ws, tape)
        tape.control.arm_fault(FaultKind.MUTE_EVENTS, count=1)
        submit(tape)
        tape.move(100.0)
        assert (await read(ws))["data"]["seq"] == 2

    on_socket(tape, script)
    assert [event["seq"] for event in tape.control.events()] == [1, 2]
    assert [event["seq"] for event in tape.control.events(after=1)] == [2]


def test_dropped_sockets_end_and_a_new_one_says_where_the_account_stands(tape: Tape) -> None:
    async def cut(ws: aiohttp.ClientWebSocketResponse) -> None:
        await listen(ws, tape)
        tape.control.arm_fault(FaultKind.DROP_SOCKETS)
        assert (await ws.receive(5.0)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

    async def again(ws: aiohttp.ClientWebSocketResponse) -> None:
        assert await listen(ws, tape) == 1

    on_socket(tape, cut)
    submit(tape)
    on_socket(tape, again)
