"""The `trade_updates` WebSocket, /stream: authenticate, listen, then every event as it is committed.

Frames are binary, as on Alpaca's paper endpoint.  As there, nothing is replayed after a reconnect: the
`listening` message carries the account's `seq` at that moment, and a gap in `seq` means reconcile over HTTP.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from execution.exchange.gate import EXCHANGE
from execution.exchange.host import Exchange, Hosted
from execution.exchange.listener import SocketListener

AUTHENTICATION_TIMEOUT_S = 10.0
LISTENERS_MAX = 32  # per account
HEARTBEAT_S = 30.0

routes = web.RouteTableDef()


@routes.get("/stream")
async def stream(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
    await socket.prepare(request)
    hosted = await _authenticate(socket, request.app[EXCHANGE])
    if hosted is None:
        await socket.close()
        return socket
    listener = SocketListener(socket, request)
    sender: asyncio.Task[None] | None = None
    try:
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            action, data = _action(message.data)
            if action != "listen":
                continue
            streams = [name for name in _streams(data) if name == "trade_updates"]
            if streams and len(hosted.listeners) < LISTENERS_MAX:
                hosted.listeners.add(listener)
            else:
                hosted.listeners.discard(listener)
                streams = []
            # Through the backlog, so that it precedes every event after its `seq`.
            answer = {"streams": streams, "seq": hosted.account.seq}
            listener.offer(msgspec.json.encode({"stream": "listening", "data": answer}))
            if sender is None:
                sender = asyncio.create_task(listener.send_all())
    finally:
        hosted.listeners.discard(listener)
        if sender is not None:
            sender.cancel()
    return socket


async def _authenticate(socket: web.WebSocketResponse, exchange: Exchange) -> Hosted | None:
    """The account whose keys the client sends first; None when they are wrong or do not come."""
    try:
        message = await socket.receive(AUTHENTICATION_TIMEOUT_S)
    except TimeoutError:
        return None
    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        return None
    action, data = _action(message.data)
    hosted = None
    if action in ("authenticate", "auth"):
        # Alpaca takes {"action": "authenticate", "data": {"key_id", "secret_key"}} and, newer,
        # {"action": "auth", "key", "secret"}.
        key_id, secret_key = data.get("key_id", data.get("key")), data.get("secret_key", data.get("secret"))
        if isinstance(key_id, str) and isinstance(secret_key, str):
            hosted = exchange.admit(key_id, secret_key)
    status = "unauthorized" if hosted is None else "authorized"
    answer = {"stream": "authorization", "data": {"action": action or "authenticate", "status": status}}
    await socket.send_bytes(msgspec.json.encode(answer))
    return hosted


def _action(raw: str | bytes) -> tuple[str, dict[str, Any]]:
    """The action of a client's message and its data; ("", {}) when it is none."""
    try:
        message = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "", {}
    action, data = message.get("action"), message.get("data", message)
    return (action, data) if isinstance(action, str) and isinstance(data, dict) else ("", {})


def _streams(data: dict[str, Any]) -> list[Any]:
    streams = data.get("streams")
    return streams if isinstance(streams, list) else []
