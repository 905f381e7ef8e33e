"""A listener that falls behind is cut off; the others, and trading, never wait for it."""

import asyncio
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from execution.exchange.books import Books
from execution.exchange.gate import EXCHANGE
from execution.exchange.marketdata.tape import Tape
from execution.exchange.orders import Event, EventKind, OrderRequest, Side
from execution.exchange.register import Changes
from execution.exchange.server import build_app
from execution.exchange.terms import Terms

EVENTS = 30_000  # about 30 MB: more than the backlog and both kernels' buffers hold


@pytest.mark.full
def test_a_listener_that_stops_reading_is_cut_off_while_another_hears_everything(tmp_path: Path) -> None:
    asyncio.run(one_reads_and_one_does_not(tmp_path))


async def one_reads_and_one_does_not(folder: Path) -> None:
    books = Books(folder / "books.db")
    market = Tape(folder / "market.db")
    app = build_app(books, market)
    keys = app[EXCHANGE].open_account(Terms(name="test"), frozenset())
    (hosted,) = app[EXCHANGE].hosted
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/stream"
    order = hosted.account.submit(
        OrderRequest(client_order_id="x", symbol="AAA", side=Side.BUY, qty=1.0), now_us=1
    )

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url) as deaf,
        session.ws_connect(url) as attentive,
    ):
        for socket in (deaf, attentive):
            await socket.send_json({"action": "authenticate", "data": msgspec.to_builtins(keys)})
            await socket.receive()
            await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
            await socket.receive()
        assert len(hosted.listeners) == 2

        async def hear() -> list[int]:
            heard: list[int] = []
            async for frame in attentive:
                heard.append(msgspec.json.decode(frame.data)["data"]["seq"])
                if heard[-1] == EVENTS:
                    break
            return heard

        hearing = asyncio.create_task(hear())
        for seq in range(1, EVENTS + 1):
            event = Event(seq=seq, kind=EventKind.NEW, at_us=seq, order=order, position_qty=0.0)
            hosted.publish(Changes([event], {}, set()))
            if seq % 100 == 0:
                await asyncio.sleep(0.001)  # lets the sockets drain, as commands would
        assert await hearing == list(range(1, EVENTS + 1))
        assert len(hosted.listeners) == 1
    await runner.cleanup()
    market.close()
    books.close()
