"""A broker on this machine that answers each request with the bytes of its script, and counts what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from pydantic import SecretStr

from execution.broker.alpaca.adapter import AlpacaBroker
from execution.broker.credentials import Credentials

NOW = "Wed, 30 Sep 2026 13:31:00 GMT"
NOW_US = 1_790_775_060_000_000
SECRET = "s3cret-of-the-account"
ACCOUNT = {"status": "ACTIVE", "account_number": "PA123", "trading_blocked": False, "account_blocked": None}

HANG_UP = b""
SILENCE = None

Reply = bytes | None


class Request(NamedTuple):
    route: str  # like `GET /v2/orders`
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedBroker:
    """Of several replies to a route each is given once, and the last one for ever."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    _script: dict[str, list[Reply]] = field(default_factory=dict)

    def on(self, route: str, *replies: Reply) -> None:
        self._script[route] = list(replies)

    def asked(self, route: str) -> list[Request]:
        return [each for each in self.requests if each.route == route]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # whoever asked has gone
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        route = f"{method} {parts.path}"
        asked = Request(route, dict(parse_qsl(parts.query)), headers, json.loads(body) if body else None)
        self.requests.append(asked)
        replies = self._script.get(route, [http(404, {"code": 40410000, "message": "not found"})])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply is SILENCE:
            await reader.read()  # until whoever asked hangs up
            return False
        writer.write(reply)
        await writer.drain()
        return reply.startswith(b"HTTP/1.1") and b"Connection: close" not in reply


def http(status: int, body: Any, kind: str = "application/json", **headers: str) -> bytes:
    """A whole answer; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"Date": NOW, "Content-Type": kind, "Content-Length": str(len(content))}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} As It Is\r\n{head}\r\n".encode() + content


@asynccontextmanager
async def scripted_broker(
    live: bool = False, total_s: float = 5.0
) -> AsyncIterator[tuple[ScriptedBroker, AlpacaBroker]]:
    """The server, and our client with keys for it."""
    script = ScriptedBroker()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = client_of(script.url, live=live, total_s=total_s)
    try:
        yield script, client
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


def client_of(url: str, *, live: bool = False, total_s: float = 5.0) -> AlpacaBroker:
    credentials = Credentials(url, SecretStr("PKTEST"), SecretStr(SECRET), "Check THE_SETTING.", live=live)
    return AlpacaBroker(credentials, connect_s=1.0, total_s=total_s)


Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def scripted_stream(talk: Talk, total_s: float = 5.0) -> AsyncIterator[AlpacaBroker]:
    """A broker whose stream follows `talk`, and our client of it."""

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket)
        return socket

    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = client_of(f"http://127.0.0.1:{runner.addresses[0][1]}", total_s=total_s)
        try:
            yield client
        finally:
            await client.close()
    finally:
        await runner.cleanup()
