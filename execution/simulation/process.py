"""A process that can be killed or frozen between any two things that it does to the world."""

import asyncio
from typing import Final

from execution.simulation.chance import Chance, Faults

FROZEN_S: Final = 3.0


class Killed(BaseException):
    """SIGKILL: no handler of the program may stop it, and nothing that it does afterwards has an effect."""


class Process:
    """Whoever acts on the world passes `turn` before and after: there the axe falls, and there one freezes."""

    def __init__(self, name: str, chance: Chance, faults: Faults) -> None:
        self.name = name
        self._chance = chance
        self._faults = faults
        self._alive = True
        self._frozen_until = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self._alive

    @property
    def frozen(self) -> bool:
        return asyncio.get_running_loop().time() < self._frozen_until

    def runs(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def kill(self) -> None:
        self._alive = False
        if self._task is not None:
            self._task.cancel()

    def freeze(self, until: float) -> None:
        """Once: two freezes in a row would be one that lasts longer than any that we plan for."""
        if not self._frozen_until:
            self._frozen_until = until

    async def turn(self, longest_s: float) -> None:
        """Up to so long passes, longer if we are frozen meanwhile."""
        loop, chance = asyncio.get_running_loop(), self._chance
        await asyncio.sleep(chance.up_to(longest_s))
        if chance.happens(self._faults.freeze_at_a_step):
            self.freeze(loop.time() + chance.up_to(FROZEN_S))
        if chance.happens(self._faults.kill_at_a_step):
            self.kill()
        if self._alive and loop.time() < self._frozen_until:
            await asyncio.sleep(self._frozen_until - loop.time())
        if not self._alive:
            raise Killed


class ProcessClock:
    """Its monotonic clock goes with the world's; the one on the wall is set by whoever likes to."""

    def __init__(self, wall: "Wall") -> None:
        self._wall = wall

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now_us(self) -> int:
        return self._wall.now_us()


class Wall:
    """The machine's time of day, which may jump."""

    def __init__(self) -> None:
        self.jumped_s = 0.0

    def now_us(self) -> int:
        return int((1_800_000_000.0 + asyncio.get_running_loop().time() + self.jumped_s) * 1e6)
