"""Slows down whoever guesses passwords: a few tries a minute per name and address, in this process."""

import time
from collections import deque

from api.errors import TooManyAttempts

WINDOW_S = 60.0
KEYS_MAX = 10_000  # an attacker who varies names must not fill our memory


class Attempts:
    """Counts failed log-ins.  A good one clears the count."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._failed: dict[tuple[str, str], deque[float]] = {}

    def check(self, name: str, address: str) -> None:
        recent = self._recent((name, address))
        if len(recent) >= self._per_minute:
            raise TooManyAttempts(f"too many failed log-ins as {name!r}", "Wait a minute, then try again.")

    def failed(self, name: str, address: str) -> None:
        recent = self._recent((name, address))
        if not recent and len(self._failed) >= KEYS_MAX:
            del self._failed[next(iter(self._failed))]
        self._failed.setdefault((name, address), recent).append(time.monotonic())

    def succeeded(self, name: str, address: str) -> None:
        self._failed.pop((name, address), None)

    def _recent(self, key: tuple[str, str]) -> deque[float]:
        known = self._failed.get(key, deque())
        while known and known[0] < time.monotonic() - WINDOW_S:
            known.popleft()
        if not known:
            self._failed.pop(key, None)
        return known
