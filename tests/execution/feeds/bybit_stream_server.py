"""Bybit's public stream on this machine, by its v5 documentation: portions of topics, pings, numbers as strings."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from websockets_on_loopback import is_data, websocket_server

from data.bar import Bar

KNOWN = tuple(f"{coin}USDT" for coin in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "TRX"))
ARGS_MAX = 10  # of spot pairs

Message = dict[str, Any]


class BybitStreamServer:
    """What happens to connections is decided by the test."""

    url = ""

    def __init__(self) -> None:
        self.connections = 0
        self.topics: list[str] = []
        self.pings = 0
        self.answers_pings = True
        self._open: web.WebSocketResponse | None = None

    async def serve(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.connections += 1
        self._open, self.topics = socket, []
        async for message in socket:
            if is_data(message.type):
                await self._answer(json.loads(message.data))
        if self._open is socket:
            self._open, self.topics = None, []

    async def _answer(self, request: Message) -> None:
        if request["op"] == "ping":
            self.pings += 1
            if self.answers_pings:
                await self._say(request, ret_msg="pong")
        elif request["op"] == "subscribe":
            args = request["args"]
            strange = [topic for topic in args if topic.rpartition(".")[2] not in KNOWN]
            if len(args) > ARGS_MAX:
                await self._say(request, success=False, ret_msg="args size >10")
            elif strange:
                await self._say(request, success=False, ret_msg=f"Invalid symbol :[{strange[0]}]")
            else:
                self.topics += args
                await self._say(request, ret_msg="subscribe")

    async def _say(self, request: Message, *, success: bool = True, ret_msg: str) -> None:
        answer = {"success": success, "ret_msg": ret_msg, "conn_id": "2324d924-aa4d", "op": request["op"]}
        await self.send({**answer, "req_id": request.get("req_id", "")})

    async def send(self, message: Message) -> None:
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str) -> None:
        assert self._open is not None
        await self._open.send_str(text)

    async def close(self) -> None:
        assert self._open is not None
        await self._open.close()


@asynccontextmanager
async def bybit_stream(category: str = "spot") -> AsyncIterator[BybitStreamServer]:
    server = BybitStreamServer()
    async with websocket_server(f"/{category}", server.serve) as url:
        server.url = url
        yield server


def trades(symbol: str, *told: tuple[int, float, float, str]) -> Message:
    """(µs, price, size, id) each."""
    data = [
        {"T": ts_us // 1_000, "s": symbol, "S": "Buy", "v": f"{size}", "p": f"{price}", "L": "PlusTick", "i": number,
         "BT": False}
        for ts_us, price, size, number in told
    ]  # fmt: skip
    return {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": told[0][0] // 1_000, "data": data}


def book(
    symbol: str, ts_us: int, bid: tuple[float, float] | None, ask: tuple[float, float] | None
) -> Message:
    sides = {name: [[f"{part}" for part in side]] if side else [] for name, side in (("b", bid), ("a", ask))}
    data = {"s": symbol, **sides, "u": 18521288, "seq": 7961638724}
    return {"topic": f"orderbook.1.{symbol}", "type": "snapshot", "ts": ts_us // 1_000, "data": data}


def candle(told: Bar, *, confirm: bool = True) -> Message:
    start_ms = told.ts_us // 1_000
    data = {
        "start": start_ms, "end": start_ms + 59_999, "interval": "1", "open": f"{told.open!r}",
        "close": f"{told.close!r}", "high": f"{told.high!r}", "low": f"{told.low!r}", "volume": f"{told.volume!r}",
        "turnover": "1.5", "confirm": confirm, "timestamp": start_ms + 59_999,
    }  # fmt: skip
    topic = f"kline.1.{told.symbol}"
    return {"topic": topic, "type": "snapshot", "ts": start_ms + 60_000, "data": [data]}
