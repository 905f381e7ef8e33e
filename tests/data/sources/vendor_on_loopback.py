"""A vendor of market data on this machine: a real HTTP server that answers as it is told, also badly."""

import json
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    path: str
    query: dict[str, str]
    headers: Message


Send = Callable[[BaseHTTPRequestHandler, Event], None]
Reply = Send | Sequence[Send] | Callable[[Asked], Send]


@dataclass
class VendorServer:
    """Replies by path.  Of several replies each is given once, and the last one for ever."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    _replies: dict[str, list[Send] | Callable[[Asked], Send]] = field(default_factory=dict)

    def on(self, path: str, *replies: Send) -> None:
        self._replies[path] = list(replies)

    def answers(self, path: str, answer: Callable[[Asked], Send]) -> None:
        """A path whose reply depends on the question."""
        self._replies[path] = answer

    def reply_to(self, asked: Asked) -> Send:
        self.asked.append(asked)
        known = self._replies.get(asked.path)
        if known is None:
            return told({"message": "Not Found"}, 404)
        if callable(known):
            return known(asked)
        return known.pop(0) if len(known) > 1 else known[0]


@contextmanager
def vendor_server(tls: ssl.SSLContext | None = None) -> Iterator[VendorServer]:
    vendor = VendorServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, dict(parse_qsl(parts.query)), self.headers)
            with suppress(ConnectionError):  # who asked has lost patience
                vendor.reply_to(asked)(self, vendor.over)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vendor.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield vendor
        finally:
            vendor.over.set()
            server.shutdown()
            thread.join()


def told(body: Any, status: int = 200, **headers: str) -> Send:
    """JSON, as vendors send it when all is well or when they explain an error."""
    return raw(json.dumps(body).encode(), status, "application/json", **headers)


def page(html: str, status: int = 200) -> Send:
    """What a proxy in front of the vendor says."""
    return raw(html.encode(), status, "text/html")


def raw(content: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Send:
    def send(handler: BaseHTTPRequestHandler, over: Event) -> None:
        _head(handler, status, len(content), {"Content-Type": kind, **headers})
        handler.wfile.write(content)

    return send


def truncated(body: Any) -> Send:
    """Less than was promised, and then the connection is gone."""
    content = json.dumps(body).encode()

    def send(handler: BaseHTTPRequestHandler, over: Event) -> None:
        _head(handler, 200, len(content), {"Content-Type": "application/json"})
        handler.wfile.write(content[: len(content) // 2])

    return send


def silence(handler: BaseHTTPRequestHandler, over: Event) -> None:
    """The request is taken, and nothing ever comes."""
    over.wait()


def hang_up(handler: BaseHTTPRequestHandler, over: Event) -> None:
    """The connection is closed without a word."""


def trickle(content: bytes) -> Send:
    """These bytes, and then one more every hundredth of a second, without an end."""

    def send(handler: BaseHTTPRequestHandler, over: Event) -> None:
        handler.wfile.write(content)
        while not over.wait(0.01):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return send


def _head(handler: BaseHTTPRequestHandler, status: int, length: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
