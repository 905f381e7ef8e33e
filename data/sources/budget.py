"""How often we ask a vendor: a token bucket, so that his limit is kept before he has to enforce it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Final

_BURST_SHARE: Final = 10  # a tenth of the limit may go out at once, the rest evenly


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, as everything that waits asks for them; a test brings its own."""

    now_s: Callable[[], float] = time.time
    monotonic_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random  # from 0 up to 1


class Budget:
    """At most `limit` requests in any `period_s`, whichever threads send them."""

    def __init__(self, limit: int, period_s: float, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._burst = max(1, limit // _BURST_SHARE)
        # A full bucket and what flows into it during one period together make the limit, not the limit and a bucket.
        self._per_s = max(1, limit - self._burst) / period_s
        self._tokens = float(self._burst)
        self._filled_at_s = self._clock.monotonic_s()
        self._lock = Lock()

    def take(self) -> None:
        """Come back when one more request may go out."""
        wait_s = self._reserve()
        if wait_s > 0:
            self._clock.sleep(wait_s)

    def _reserve(self) -> float:
        """Take a token, also one that is not there yet; how long until it is."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            flown_in = (now_s - self._filled_at_s) * self._per_s
            self._filled_at_s = now_s
            self._tokens = min(self._burst, self._tokens + flown_in) - 1
            return max(0.0, -self._tokens / self._per_s)


@lru_cache(maxsize=64)
def budget_of(account: str, limit: int, period_s: float, clock: Clock) -> Budget:
    """The one budget of an account in this process: vendors count by key, not by object."""
    return Budget(limit, period_s, clock)
