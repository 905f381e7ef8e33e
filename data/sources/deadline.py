"""An end to every request: a socket's timeout starts anew with each byte, and a server that trickles never ends."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock, Timer
from types import TracebackType
from typing import Any, Final, Self

_CONNECTED: Final = "connection.connect_tcp.complete"  # an event of httpcore's documented trace extension


class Deadline:
    """Cuts the connection of one request that is not done in time; the reader then sees it broken off.

    It needs a connection of the request's own: httpx tells of a socket only when it opens one.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._sockets: list[socket.socket] = []
        self._lock = Lock()
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """For httpx as `extensions={"trace": …}`."""
        if event == _CONNECTED:
            # A duplicate, because TLS takes the original away from its object.
            taken = info["return_value"].get_extra_info("socket").dup()
            with self._lock:
                self._sockets.append(taken)
            if self.passed:
                self._cut()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for taken in self._sockets:
                taken.close()

    def _cut(self) -> None:
        self.passed = True
        with self._lock:
            for taken in self._sockets:
                with suppress(OSError):  # closed already: the request was done in this very moment
                    taken.shutdown(socket.SHUT_RDWR)
