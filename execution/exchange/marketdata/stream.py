"""Alpaca's market-data WebSockets, /v2/{feed} for shares and /v1beta3/crypto/us.

Connect, authenticate (with headers or a message, in time), subscribe to channels of symbols, then hear what is
posted to the account's tape as it is posted.  Frames are lists of messages, in msgpack for clients that ask for it
with their Content-Type (as alpaca-py does) and in JSON for all others.  Nothing is replayed after a reconnect.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from execution.exchange.gate import EXCHANGE, reply, with_account
from execution.exchange.host import Exchange, Hosted
from execution.exchange.listener import SocketListener
from execution.exchange.marketdata.market import Message
from execution.exchange.marketdata.questions import FEEDS
from execution.exchange.marketdata.routes import MARKET
from execution.exchange.marketdata.shapes import is_crypto

AUTHENTICATION_TIMEOUT_S = 10.0
HEARTBEAT_S = 30.0

STOCK_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
CRYPTO_CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
_WITH_TRADES = ("corrections", "cancelErrors")  # whoever hears trades of shares hears these
_LIMITED = ("trades", "quotes")  # the channels whose symbols Alpaca's plans count

ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    410: "invalid subscribe action for this feed",
}

routes = web.RouteTableDef()


class Refusal(Exception):
    """What the client did was wrong; `code` is Alpaca's."""

    def __init__(self, code: int) -> None:
        super().__init__(ERRORS[code])
        self.code = code

    @property
    def message(self) -> Message:
        return {"T": "error", "code": self.code, "msg": str(self)}


class Client:
    """One socket: how it is spoken to, what it subscribed to, and what waits to be sent."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, *, crypto: bool) -> None:
        self.crypto = crypto
        self._packed = "msgpack" in request.headers.get("Content-Type", "")
        self._encode = msgspec.msgpack.encode if self._packed else msgspec.json.encode
        self._listener = SocketListener(
            socket, request, text=not self._packed, farewell=self._encode([Refusal(407).message])
        )
        self._channels: dict[str, set[str]] = {
            name: set() for name in (CRYPTO_CHANNELS if crypto else STOCK_CHANNELS)
        }

    async def send_all(self) -> None:
        await self._listener.send_all()

    def drop(self) -> None:
        self._listener.drop()

    def leave(self, message: Message) -> None:
        """Says why, then closes."""
        self._listener.finish(self._encode([message]))

    def tell(self, *messages: Message) -> None:
        self._listener.offer(self._encode(list(messages)))

    def offer(self, told: Sequence[tuple[str, str, Message]]) -> None:
        wanted = [message for channel, symbol, message in told if self._hears(channel, symbol)]
        if wanted:
            self.tell(*wanted)

    @property
    def channels(self) -> dict[str, list[str]]:
        """What it hears, without the channels it hears nothing of."""
        return {name: sorted(symbols) for name, symbols in self._channels.items() if symbols}

    def wants_daily(self, symbol: str) -> bool:
        return self._hears("dailyBars", symbol)

    def read(self, frame: WSMessage) -> Message:
        """A client's message; what is none is answered as such."""
        packed = self._packed and frame.type is WSMsgType.BINARY
        decode = msgspec.msgpack.decode if packed else msgspec.json.decode
        try:
            return decode(frame.data, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Refusal(400) from None

    def change(self, message: Message, symbols_max: int | None) -> Message:
        """Subscribes or unsubscribes, all of it or nothing; returns what the client now hears."""
        asked = {name: _symbols(symbols) for name, symbols in message.items() if name != "action"}
        if not asked:
            raise Refusal(400)
        if not asked.keys() <= self._channels.keys() | set(_WITH_TRADES):
            raise Refusal(410)
        subscribing = message["action"] == "subscribe"
        changed = {
            name: known | asked.get(name, set()) if subscribing else known - asked.get(name, set())
            for name, known in self._channels.items()
        }
        if symbols_max is not None and max(len(changed[name]) for name in _LIMITED) > symbols_max:
            raise Refusal(405)
        self._channels = changed
        told = {name: sorted(symbols) for name, symbols in changed.items()}
        if not self.crypto:
            told |= {name: told["trades"] for name in _WITH_TRADES}
        return {"T": "subscription", **told}

    def _hears(self, channel: str, symbol: str) -> bool:
        symbols = self._channels.get(channel)
        return (
            symbols is not None and is_crypto(symbol) is self.crypto and (symbol in symbols or "*" in symbols)
        )


@routes.get("/sim/streams")
@with_account
async def list_streams(request: web.Request, _: Exchange, hosted: Hosted) -> web.Response:
    """Who listens to the account now: its events, its market data."""
    trading = [{"stream": "trade_updates", "channels": {}} for _ in hosted.listeners]
    clients = [each for each in request.app[MARKET].subscribers(hosted.id) if isinstance(each, Client)]
    market = [
        {"stream": "crypto" if each.crypto else "stocks", "channels": each.channels} for each in clients
    ]
    return reply([*trading, *market])


@routes.get(f"/v2/{{feed:{'|'.join(FEEDS)}}}")
async def stocks(request: web.Request) -> web.WebSocketResponse:
    return await _serve(request, crypto=False)


@routes.get("/v1beta3/crypto/us")
async def crypto(request: web.Request) -> web.WebSocketResponse:
    return await _serve(request, crypto=True)


async def _serve(request: web.Request, *, crypto: bool) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
    await socket.prepare(request)
    client, market = Client(socket, request, crypto=crypto), request.app[MARKET]
    sending = asyncio.create_task(client.send_all())
    joined: Hosted | None = None
    try:
        client.tell({"T": "success", "msg": "connected"})
        hosted = await _admitted(socket, request, client)
        there = [
            each
            for each in market.subscribers(hosted.id)
            if isinstance(each, Client) and each.crypto is crypto
        ]
        if len(there) >= hosted.limits.stream_sockets:
            raise Refusal(406)
        joined = hosted
        market.join(hosted.id, client)
        client.tell({"T": "success", "msg": "authenticated"})
        async for frame in socket:
            if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                client.tell(_answer(client, frame, hosted.limits.stream_symbols))
    except Refusal as refusal:
        client.leave(refusal.message)
        await sending
    finally:
        if joined is not None:
            market.leave(joined.id, client)
        sending.cancel()
    return socket


async def _admitted(socket: web.WebSocketResponse, request: web.Request, client: Client) -> Hosted:
    """Whose keys come with the request or, within the time, with a message."""
    exchange, headers = request.app[EXCHANGE], request.headers
    if "APCA-API-KEY-ID" in headers:
        return _known(exchange, headers["APCA-API-KEY-ID"], headers.get("APCA-API-SECRET-KEY"))
    try:
        async with asyncio.timeout(AUTHENTICATION_TIMEOUT_S):
            async for frame in socket:
                try:
                    message = client.read(frame)
                    if message.get("action") != "auth":
                        raise Refusal(401)
                except Refusal as refusal:
                    client.tell(refusal.message)
                    continue
                return _known(exchange, message.get("key"), message.get("secret"))
    except TimeoutError:
        raise Refusal(404) from None
    raise Refusal(401)  # it left without a word; nobody hears this


def _known(exchange: Exchange, key_id: object, secret_key: object) -> Hosted:
    hosted = (
        exchange.admit(key_id, secret_key)
        if isinstance(key_id, str) and isinstance(secret_key, str)
        else None
    )
    if hosted is None:
        raise Refusal(402)
    return hosted


def _answer(client: Client, frame: WSMessage, symbols_max: int | None) -> Message:
    try:
        message = client.read(frame)
        match message.get("action"):
            case "subscribe" | "unsubscribe":
                return client.change(message, symbols_max)
            case "auth":
                raise Refusal(403)
            case _:
                raise Refusal(400)
    except Refusal as refusal:
        return refusal.message


def _symbols(listed: object) -> set[str]:
    if not isinstance(listed, list) or not all(isinstance(symbol, str) for symbol in listed):
        raise Refusal(400)
    return set(listed)
