"""One socket that listens: what it is told waits here for a task that sends it, up to a limit.

A listener that falls behind is cut off, never waited for; a `farewell` is its last frame if it still reads.
"""

import asyncio
from collections import deque

from aiohttp import web

BACKLOG_BYTES_MAX = 4 << 20
FAREWELL_S = 1.0  # for the farewell to be read; then the connection is cut


class SocketListener:
    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        *,
        text: bool = False,
        farewell: bytes | None = None,
    ) -> None:
        self._send = self._send_text if text else socket.send_bytes
        self._socket = socket
        self._request = request
        self._farewell = farewell
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._told = asyncio.Event()
        self._leaving = False

    def offer(self, frame: bytes) -> None:
        if self._leaving:
            return
        self._backlog.append(frame)
        self._backlog_bytes += len(frame)
        self._told.set()
        if self._backlog_bytes > BACKLOG_BYTES_MAX:
            self._cut_off()

    def drop(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def send_all(self) -> None:
        """Sends until the socket is gone; a task of its own."""
        try:
            while True:
                await self._told.wait()
                while self._backlog:
                    frame = self._backlog.popleft()
                    self._backlog_bytes -= len(frame)
                    await self._send(frame)
                if self._leaving:
                    await self._socket.close()
                    return
                self._told.clear()
        except ConnectionError:
            self.drop()

    def finish(self, frame: bytes) -> None:
        """Sends what waits and this frame, then closes; nothing after it."""
        self.offer(frame)
        self._leaving = True
        asyncio.get_running_loop().call_later(FAREWELL_S, self.drop)

    def _cut_off(self) -> None:
        self._backlog.clear()
        self._backlog_bytes = 0
        if self._farewell is None:
            self._leaving = True
            self.drop()
        else:
            self.finish(self._farewell)

    async def _send_text(self, frame: bytes) -> None:
        await self._socket.send_str(frame.decode())
