"""Redis, as order flow sees it: it carries hints and wake-ups, and may lose all of them."""

import asyncio
from typing import Final

from data.bus import Lost
from execution.simulation.chance import Chance, Faults
from execution.simulation.process import Process

LATENCY_S: Final = 0.001
PATIENCE_S: Final = 1.0
LATE_S: Final = 3.0


class Bus:
    """One server."""

    def __init__(self, chance: Chance, faults: Faults) -> None:
        self._chance, self._faults = chance, faults
        self._away_until = 0.0
        self._readers: list[asyncio.Queue[str]] = []
        self.wake = asyncio.Event()

    def go_away(self, until: float) -> None:
        self._away_until = until

    def refuse_if_away(self) -> None:
        if asyncio.get_running_loop().time() < self._away_until:
            raise Lost("the bus is away")

    def publish(self, coid: str) -> None:
        if self._chance.happens(self._faults.lost_hint):
            return
        for _ in range(2 if self._chance.happens(self._faults.doubled_hint) else 1):
            late = self._chance.up_to(LATE_S) if self._chance.happens(self._faults.late_hint) else 0.0
            asyncio.get_running_loop().call_later(late, self._deliver, coid)

    def _deliver(self, coid: str) -> None:
        for reader in self._readers:
            reader.put_nowait(coid)

    def reader(self) -> "asyncio.Queue[str]":
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._readers.append(queue)
        return queue


class SimulatedHints:
    """A process's hints."""

    def __init__(self, bus: Bus, process: Process) -> None:
        self._bus, self._process = bus, process
        self._inbox = bus.reader()

    async def send(self, coid: str) -> None:
        await self._process.turn(LATENCY_S)
        self._bus.refuse_if_away()
        self._bus.publish(coid)
        await self._process.turn(LATENCY_S)

    async def heard(self) -> list[str]:
        await self._process.turn(LATENCY_S)
        self._bus.refuse_if_away()
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = [await self._inbox.get()]
        except TimeoutError:
            return []
        await self._process.turn(0.0)
        return found


class SimulatedWakes:
    """A process's wake-ups about the control row."""

    def __init__(self, bus: Bus, process: Process) -> None:
        self._bus, self._process = bus, process

    async def woken(self) -> None:
        await self._process.turn(LATENCY_S)
        self._bus.refuse_if_away()
        await self._bus.wake.wait()
        self._bus.wake.clear()
        await self._process.turn(LATENCY_S)
