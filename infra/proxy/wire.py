"""One TCP proxy on the loopback, and what may go wrong with a wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from infra.local.addresses import LOOPBACK

CHUNK_BYTES: Final = 65_536
LATENCY_S: Final = 0.05  # added to whatever passes, each way
THROTTLED_BYTES_PER_S: Final = 20_000.0


class WireFault(StrEnum):
    LATENCY = "latency"  # everything takes LATENCY_S longer, each way
    CUT = "cut"  # connections break, and new ones are refused
    BLACKHOLE = "blackhole"  # nothing arrives, nobody is told; it arrives later, as TCP sends again
    DEAF = "deaf"  # requests arrive, replies do not; the connections break at the end
    DROP_REPLY = "drop_reply"  # the next reply is lost, and its connection with it
    HALF_OPEN = "half_open"  # the far side is gone; the near one learns of it at the end
    THROTTLE = "throttle"  # no more than THROTTLED_BYTES_PER_S each way


class _Link:
    """A client's connection and ours to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.far_side_is_gone = False

    def abort(self) -> None:
        for each in (self.client, self.server):
            each.transport.abort()


class Proxy:
    """Passes on what it hears; `during` makes it misbehave, one fault at a time."""

    def __init__(self, url: str) -> None:
        self._upstream = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._turn = asyncio.Lock()
        self._fault: WireFault | None = None
        self._passes = asyncio.Event()
        self._passes.set()
        self._reply_dropped = asyncio.Event()

    @property
    def url(self) -> str:
        """The server's address by way of the proxy."""
        assert self._server is not None, "a proxy is used inside its block"
        port = self._server.sockets[0].getsockname()[1]
        before, at, _ = self._upstream.netloc.rpartition("@")
        return urlunsplit(self._upstream._replace(netloc=f"{before}{at}{LOOPBACK}:{port}"))

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.abort()

    @asynccontextmanager
    async def during(self, fault: WireFault) -> AsyncIterator[None]:
        """Misbehave until the block ends; another fault waits for its turn."""
        async with self._turn:
            self._begin(fault)
            try:
                yield
            finally:
                self._end(fault)

    async def strike(self, fault: WireFault, seconds: float) -> None:
        """Misbehave for so long, or until the reply is dropped that was to be."""
        async with self.during(fault):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._reply_dropped.wait()

    def _begin(self, fault: WireFault) -> None:
        self._fault = fault
        self._reply_dropped.clear()
        match fault:
            case WireFault.BLACKHOLE:
                self._passes.clear()
            case WireFault.CUT:
                for link in list(self._links):
                    link.abort()
            case WireFault.HALF_OPEN:
                for link in self._links:
                    link.far_side_is_gone = True
                    link.server.transport.abort()

    def _end(self, fault: WireFault) -> None:
        self._fault = None
        self._passes.set()
        for link in list(self._links):
            if fault is WireFault.DEAF or link.far_side_is_gone:
                link.abort()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        await self._passes.wait()
        if self._fault is WireFault.CUT:
            client.transport.abort()
            return
        try:
            replies, server = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        except OSError:  # the server is down, and so the client hears
            client.transport.abort()
            return
        link = _Link(client, server)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_requests(link, reader))
                tasks.create_task(self._pass_replies(link, replies))
        finally:
            self._links.discard(link)
            link.abort()

    async def _pass_requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):  # either side may go at any moment: that is what a proxy is for
            while content := await reader.read(CHUNK_BYTES):
                await self._delay(content)
                if not link.far_side_is_gone:
                    link.server.write(content)
                    await link.server.drain()
        link.server.close()

    async def _pass_replies(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while content := await reader.read(CHUNK_BYTES):
                await self._delay(content)
                if self._fault is WireFault.DEAF:
                    continue
                if self._fault is WireFault.DROP_REPLY and not self._reply_dropped.is_set():
                    self._reply_dropped.set()
                    break
                link.client.write(content)
                await link.client.drain()
        if not link.far_side_is_gone:
            link.client.close()

    async def _delay(self, content: bytes) -> None:
        await self._passes.wait()
        match self._fault:
            case WireFault.LATENCY:
                await asyncio.sleep(LATENCY_S)
            case WireFault.THROTTLE:
                await asyncio.sleep(len(content) / THROTTLED_BYTES_PER_S)
