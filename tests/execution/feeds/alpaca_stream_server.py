"""Alpaca's market data stream on this machine, by its documentation: welcome, auth, subscribe, then what a test sends.

msgpack for those who ask for it with Content-Type, JSON for others; instants in nanoseconds.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
from aiohttp import web
from websockets_on_loopback import is_data, websocket_server

from data.bar import Bar

KEY_ID, SECRET = "PKTESTKEY", "s3cret-of-the-account"
CHANNELS = ("trades", "quotes", "bars", "updatedBars")

Message = dict[str, Any]


class AlpacaStreamServer:
    """What happens to connections is decided by the test."""

    url = ""

    def __init__(self) -> None:
        self.connections = 0
        self.subscription: Message = {}
        self.error: Message | None = None  # said instead of a welcome to whoever logs in
        self.mute = False  # takes connections and says nothing
        self._open: web.WebSocketResponse | None = None
        self._packed = False

    @property
    def subscribed(self) -> bool:
        return self._open is not None and bool(self.subscription)

    async def serve(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.connections += 1
        self._packed = request.headers.get("Content-Type") == "application/msgpack"
        self._open, self.subscription = socket, {}
        if not self.mute:
            await self.send({"T": "success", "msg": "connected"})
        async for message in socket:
            if not is_data(message.type) or self.mute:
                continue
            await self._answer(msgpack.unpackb(message.data) if self._packed else json.loads(message.data))
        if self._open is socket:
            self._open = None

    async def _answer(self, request: Message) -> None:
        if request["action"] == "auth":
            if (request["key"], request["secret"]) != (KEY_ID, SECRET):
                await self.send({"T": "error", "code": 402, "msg": "auth failed"})
            elif self.error is not None:
                await self.send(self.error)
            else:
                await self.send({"T": "success", "msg": "authenticated"})
        elif request["action"] == "subscribe":
            subscription = {name: request.get(name, []) for name in CHANNELS}
            await self.send({"T": "subscription", **subscription})
            self.subscription = subscription

    async def send(self, *messages: Message) -> None:
        """One frame."""
        assert self._open is not None
        if self._packed:
            await self._open.send_bytes(msgpack.packb(list(messages)))
        else:
            await self._open.send_str(json.dumps(list(messages)))

    async def send_raw(self, content: bytes) -> None:
        assert self._open is not None
        await self._open.send_bytes(content)

    async def drop(self) -> None:
        """The connection is gone, without a goodbye."""
        assert self._open is not None
        socket, self._open, self.subscription = self._open, None, {}
        transport = socket._req.transport if socket._req else None
        assert transport is not None
        transport.abort()


@asynccontextmanager
async def alpaca_stream(path: str = "/v2/iex") -> AsyncIterator[AlpacaStreamServer]:
    server = AlpacaStreamServer()
    async with websocket_server(path, server.serve) as url:
        server.url = url
        yield server


def instant(ts_us: int) -> msgpack.Timestamp:
    return msgpack.Timestamp(ts_us // 1_000_000, ts_us % 1_000_000 * 1_000)


def bar(told: Bar, kind: str = "b") -> Message:
    return {
        "T": kind, "S": told.symbol, "t": instant(told.ts_us), "o": told.open, "h": told.high, "l": told.low,
        "c": told.close, "v": told.volume, "n": 7, "vw": told.close,
    }  # fmt: skip


def trade(symbol: str, ts_us: int, price: float, size: float, number: int) -> Message:
    return {
        "T": "t", "S": symbol, "i": number, "x": "V", "p": price, "s": size, "t": instant(ts_us),
        "c": ["@", "I"], "z": "A",
    }  # fmt: skip


def quote(symbol: str, ts_us: int, bid: float, ask: float) -> Message:
    return {
        "T": "q", "S": symbol, "bx": "V", "bp": bid, "bs": 3 if bid else 0, "ax": "V", "ap": ask, "as": 2,
        "t": instant(ts_us), "c": ["R"], "z": "A",
    }  # fmt: skip
