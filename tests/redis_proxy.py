"""A way to Redis that can be cut or frozen: a TCP proxy on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Mode = Literal["open", "cut", "frozen", "deaf"]


class RedisProxy:
    """`cut`: connections are closed.  `frozen`: nothing passes.  `deaf`: commands arrive, answers do not."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._mode: Mode = "open"
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def set(self, mode: Mode) -> None:
        self._mode = mode
        (self._passes.clear if mode == "frozen" else self._passes.set)()
        if mode == "cut":
            for writer in self._writers:
                writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "cut":
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._writers |= {writer, up_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, up_writer, answers=False))
                tasks.create_task(self._pump(up_reader, writer, answers=True))
        finally:
            for each in (writer, up_writer):
                self._writers.discard(each)
                each.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(ConnectionError):  # either side may go at any moment; that is what the proxy is for
            while content := await source.read(65_536):
                await self._passes.wait()
                if answers and self._mode == "deaf":
                    continue
                sink.write(content)
                await sink.drain()
        sink.close()

    def address(self, port: int) -> str:
        host = f"{self._parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        return urlunsplit(self._parts._replace(netloc=host))


@asynccontextmanager
async def redis_proxy(url: str) -> AsyncIterator[RedisProxy]:
    proxy = RedisProxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = proxy.address(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        proxy.set("cut")
        server.close()
