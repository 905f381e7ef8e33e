"""The market's clock on this machine: the wall clock without its jumps.

Bars are finished by the clock, so a clock that somebody sets an hour ahead must not finish them an hour early.
"""

import time
from collections.abc import Callable
from typing import Final

JUMP_US: Final = 1_000_000  # time daemons correct less than that by making seconds longer or shorter

Now = Callable[[], int]


def wall_us() -> int:
    return time.time_ns() // 1_000


def steady_us() -> int:
    return time.monotonic_ns() // 1_000


class SteadyClock:
    """Follows the wall clock, and goes on by itself when that jumps; `set` believes the wall clock again."""

    def __init__(self, wall: Now = wall_us, steady: Now = steady_us) -> None:
        self._wall = wall
        self._steady = steady
        self.set()

    def set(self) -> None:
        self._base_us, self._at_us = self._wall(), self._steady()

    def now_us(self) -> int:
        steady_us, wall_us = self._steady(), self._wall()
        expected_us = self._base_us + steady_us - self._at_us
        if abs(wall_us - expected_us) > JUMP_US:
            return expected_us
        self._base_us, self._at_us = wall_us, steady_us
        return wall_us
