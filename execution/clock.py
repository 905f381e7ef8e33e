"""The machine's clocks.  Only the one that never jumps may decide anything."""

import time

_jumped_us = 0


def wall_us() -> int:
    """What it says on the wall, for the record."""
    return time.time_ns() // 1_000 + _jumped_us


def jump(seconds: float) -> None:
    """Chaos sets the clock on the wall of this process, as a person or a daemon does that of a machine."""
    global _jumped_us
    _jumped_us += round(seconds * 1e6)


class MachineClock:
    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def now_us(self) -> int:
        return wall_us()
