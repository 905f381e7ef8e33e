"""Where engines are, told by themselves at every step (execution.failpoint); and traps that spring there."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BAR: Final = "after_bar"
GO: Final = "go"
Spring = Callable[[int], Awaitable[str]]  # from the engine's pid to what it is told


@dataclass(eq=False)
class Trap:
    """Strikes the first engine that comes to a step, or to any if none is named, while it waits there."""

    step: str
    spring: Spring
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


class Steps:
    """Hears the engines, and holds one at a step until the trap there has struck."""

    def __init__(self) -> None:
        self._traps: list[Trap] = []
        self._faults = 0  # that go on now
        self._well_since: float | None = None  # the last of them ended then, and no bar was decided yet
        self._bar = asyncio.Condition()
        self.last_bar_at = time.monotonic()
        self.recoveries_s: list[float] = []
        """from the moment when nothing is inflicted any more until the next bar is decided"""

    @asynccontextmanager
    async def heard(self, path: Path) -> AsyncIterator[None]:
        async with await asyncio.start_unix_server(self._converse, path):
            yield

    def set_trap(self, trap: Trap) -> None:
        self._traps.append(trap)

    def take_away(self, trap: Trap) -> None:
        with suppress(ValueError):  # an engine stands in it at this moment
            self._traps.remove(trap)

    def fault_begins(self) -> None:
        self._faults += 1
        self._well_since = None

    def fault_ends(self) -> None:
        self._faults -= 1
        self._well_since = None if self._faults else time.monotonic()

    async def next_bar(self) -> None:
        async with self._bar:
            await self._bar.wait()

    async def trading_goes_on(self) -> None:
        """A bar was decided, or the session is over: whatever was wrong has been got over."""
        self.last_bar_at = now = time.monotonic()
        if self._well_since is not None:
            self.recoveries_s.append(now - self._well_since)
            self._well_since = None
        async with self._bar:
            self._bar.notify_all()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # the engine may be killed at any moment: that is what it is here for
            while line := await reader.readline():
                pid, step = line.decode().split()
                if step == BAR:
                    await self.trading_goes_on()
                writer.write(f"{await self._at(step, int(pid))}\n".encode())
                await writer.drain()
        writer.close()

    async def _at(self, step: str, pid: int) -> str:
        for trap in self._traps:
            if trap.step in ("", step):
                self._traps.remove(trap)
                told = await trap.spring(pid)
                trap.sprung.set()
                return told
        return GO
