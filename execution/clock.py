"""The machine's clocks."""

import time


class MachineClock:
    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def now_us(self) -> int:
        """What it says on the wall, for the record."""
        return time.time_ns() // 1000
