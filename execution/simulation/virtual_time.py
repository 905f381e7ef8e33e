"""An event loop whose time is made up: when nobody has anything to do, it is already later."""

import asyncio
from typing import Any, Final

RESOLUTION_S: Final = 1e-9


class NothingLeft(RuntimeError):
    """Everybody waits for somebody: a deadlock."""


class _Jumps:
    """Stands where a loop has its selector: to wait is to make time pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise NothingLeft("every task waits, and no timer is set")
        self.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Deterministic: no sockets, no threads, no clock.  Equal timers go off in the order in which they were set."""

    def __init__(self) -> None:
        super().__init__()
        self._jumps = self._selector = _Jumps()
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        return self._jumps.now

    def _process_events(self, _events: list[Any]) -> None:
        """There are none: nothing here comes from outside."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector and would have to be woken."""
