"""The market-data WebSockets in JSON: who is let in, what each message is answered with, who is cut off."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from exchange_process import OPEN_US, Tape, bar

from execution.exchange.books import Books, Keys
from execution.exchange.gate import EXCHANGE
from execution.exchange.marketdata.routes import MARKET
from execution.exchange.marketdata.tape import Tape as MarketTape
from execution.exchange.server import build_app
from execution.exchange.terms import Terms
from execution.exchange.ticks import Tick

Socket = aiohttp.ClientWebSocketResponse
Script = Callable[[Socket], Coroutine[Any, Any, None]]

CONNECTED = {"T": "success", "msg": "connected"}
AUTHENTICATED = {"T": "success", "msg": "authenticated"}
OVER = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


def error(code: int, message: str) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": message}


async def read(ws: Socket) -> list[dict[str, Any]]:
    frame = await ws.receive(5.0)
    assert frame.type is aiohttp.WSMsgType.TEXT, frame
    return list(msgspec.json.decode(frame.data))


async def ask(ws: Socket, message: object) -> dict[str, Any]:
    await ws.send_str(message if isinstance(message, str) else msgspec.json.encode(message).decode())
    (answer,) = await read(ws)
    return answer


def auth(keys: Keys) -> dict[str, str]:
    return {"action": "auth", "key": keys.key_id, "secret": keys.secret_key}


def on_socket(url: str, script: Script, headers: dict[str, str] | None = None, path: str = "/v2/iex") -> None:
    async def run() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url.replace("http", "ws") + path, headers=headers) as ws,
        ):
            assert await read(ws) == [CONNECTED]
            await script(ws)

    asyncio.run(run())


def test_it_goes_as_alpacas_guide_describes(tape: Tape) -> None:
    async def script(ws: Socket) -> None:
        assert await ask(ws, {"action": "subscribe", "bars": ["AAA"]}) == error(401, "not authenticated")
        assert await ask(ws, "hello") == error(400, "invalid syntax")
        assert await ask(ws, auth(tape.keys)) == AUTHENTICATED
        assert await ask(ws, auth(tape.keys)) == error(403, "already authenticated")
        nothing: dict[str, Any] = {
            "T": "subscription", "trades": [], "quotes": [], "bars": [], "updatedBars": [], "dailyBars": [],
            "statuses": [], "lulds": [], "corrections": [], "cancelErrors": [],
        }  # fmt: skip
        heard = await ask(
            ws, {"action": "subscribe", "trades": ["AAA"], "quotes": ["BBB", "AAA"], "bars": ["*"]}
        )
        with_trades = {"trades": ["AAA"], "corrections": ["AAA"], "cancelErrors": ["AAA"]}
        assert heard == {**nothing, **with_trades, "quotes": ["AAA", "BBB"], "bars": ["*"]}
        more = await ask(ws, {"action": "subscribe", "statuses": ["*"]})
        assert more == {**heard, "statuses": ["*"]}
        less = await ask(ws, {"action": "unsubscribe", "trades": ["AAA"], "bars": ["*"], "quotes": ["AAA"]})
        assert less == {**nothing, "quotes": ["BBB"], "statuses": ["*"]}
        tape.control.post_bars([bar(0, 100.0)])
        tape.control.post_ticks([Tick("AAA", OPEN_US, 1, 2), Tick("BBB", OPEN_US, 9.5, 10, None, 100, 200)])
        assert await read(ws) == [
            {
                "T": "q", "S": "BBB", "t": "2025-11-11T14:30:00Z", "bp": 9.5, "bs": 100, "ap": 10.0, "as": 200,
                "bx": "V", "ax": "V", "c": ["R"], "z": "C",
            }
        ]  # fmt: skip

    on_socket(tape.url, script)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 400),
        ("[]", 400),
        ({}, 400),
        ({"action": "listen"}, 400),
        ({"action": "subscribe"}, 400),
        ({"action": "subscribe", "bars": "AAA"}, 400),
        ({"action": "subscribe", "bars": [1]}, 400),
        ({"action": "subscribe", "orderbooks": ["AAA"]}, 410),
        ({"action": "unsubscribe", "news": ["*"]}, 410),
    ],
)
def test_what_it_does_not_understand_changes_nothing(tape: Tape, message: object, code: int) -> None:
    async def script(ws: Socket) -> None:
        await ask(ws, auth(tape.keys))
        await ask(ws, {"action": "subscribe", "bars": ["AAA"]})
        answer = await ask(ws, message)
        assert (answer["T"], answer["code"]) == ("error", code)
        assert tape.control.streams() == [{"stream": "stocks", "channels": {"bars": ["AAA"]}}]

    on_socket(tape.url, script)


def test_keys_may_come_with_the_request(tape: Tape) -> None:
    async def script(ws: Socket) -> None:
        assert await read(ws) == [AUTHENTICATED]

    headers = {"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key}
    on_socket(tape.url, script, headers)


async def the_end(ws: Socket) -> None:
    assert (await ws.receive(5.0)).type in OVER


@pytest.mark.parametrize("hello", [{"key": "nobody", "secret": "x"}, {"key": 1}, {}])
def test_wrong_keys_are_told_so_and_the_socket_is_closed(tape: Tape, hello: dict[str, Any]) -> None:
    async def script(ws: Socket) -> None:
        assert await ask(ws, {"action": "auth", **hello}) == error(402, "auth failed")
        await the_end(ws)

    on_socket(tape.url, script)


def test_a_key_has_one_socket_of_each_stream_until_it_may_have_more(tape: Tape) -> None:
    async def script(ws: Socket) -> None:
        await ask(ws, auth(tape.keys))
        url = tape.url.replace("http", "ws")
        async with aiohttp.ClientSession() as session:
            for path, answer in (
                ("/v2/sip", error(406, "connection limit exceeded")),
                ("/v1beta3/crypto/us", AUTHENTICATED),
            ):
                async with session.ws_connect(url + path) as second:
                    await read(second)
                    assert await ask(second, auth(tape.keys)) == answer
                    if answer != AUTHENTICATED:
                        await the_end(second)
            tape.control.set_limits(stream_sockets=2)
            async with session.ws_connect(url + "/v2/sip") as third:
                await read(third)
                assert await ask(third, auth(tape.keys)) == AUTHENTICATED

    on_socket(tape.url, script)


def test_more_symbols_than_the_plan_has_are_refused_whole(tape: Tape) -> None:
    tape.control.set_limits(stream_symbols=2)

    async def script(ws: Socket) -> None:
        await ask(ws, auth(tape.keys))
        heard = await ask(ws, {"action": "subscribe", "quotes": ["AAA"], "bars": ["A", "B", "C"]})
        refused = await ask(ws, {"action": "subscribe", "quotes": ["BBB", "CCC"]})
        assert refused == error(405, "symbol limit exceeded")
        assert await ask(ws, {"action": "subscribe", "bars": ["A"]}) == heard

    on_socket(tape.url, script)


def test_crypto_and_shares_are_streams_of_their_own(tape: Tape) -> None:
    async def script(ws: Socket) -> None:
        await ask(ws, auth(tape.keys))
        heard = await ask(ws, {"action": "subscribe", "quotes": ["*"], "orderbooks": ["BTC/USD"]})
        assert set(heard) == {"T", "trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"}
        tape.control.post_ticks([Tick(name, OPEN_US, 1, 2, None, 0.5, 4) for name in ("AAA", "BTC/USD")])
        (told,) = await read(ws)
        assert told == {
            "T": "q",
            "S": "BTC/USD",
            "t": "2025-11-11T14:30:00Z",
            "bp": 1.0,
            "bs": 0.5,
            "ap": 2.0,
            "as": 4,
        }

    on_socket(tape.url, script, path="/v1beta3/crypto/us")


@pytest.mark.full
def test_who_says_nothing_or_reads_nothing_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.exchange.marketdata.stream.AUTHENTICATION_TIMEOUT_S", 0.05)
    asyncio.run(silent_and_deaf(tmp_path))


async def silent_and_deaf(folder: Path) -> None:
    books, kept = Books(folder / "books.db"), MarketTape(folder / "market.db")
    app = build_app(books, kept)
    keys = app[EXCHANGE].open_account(Terms(name="test"), frozenset())
    assert isinstance(keys, Keys)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/v2/iex"
    (hosted,) = app[EXCHANGE].hosted
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as silent:
            assert await read(silent) == [CONNECTED]
            assert await read(silent) == [error(404, "auth timeout")]
            await the_end(silent)
        async with session.ws_connect(url) as deaf:
            await read(deaf)
            await ask(deaf, auth(keys))
            await ask(deaf, {"action": "subscribe", "quotes": ["*"]})
            (client,) = app[MARKET].subscribers(hosted.id)
            for _ in range(2_000):  # 30 MB: more than the backlog and both kernels' buffers hold
                client.offer([("quotes", "AAA", {"T": "q", "S": "AAA", "c": ["R" * 15_000]})])
                await asyncio.sleep(0)  # lets the socket drain as far as it goes
            last: list[dict[str, Any]] = []
            async for frame in deaf:  # it wakes up
                last = msgspec.json.decode(frame.data)
            assert last == [error(407, "slow client")]
            assert not app[MARKET].subscribers(hosted.id)
    await runner.cleanup()
    kept.close()
    books.close()
