"""What the broker's X-Ratelimit-* headers leave us, by a clock that nobody sets.

Our own bucket should keep us from ever meeting them; other programs on the same account may not.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 60.0  # Alpaca counts by the minute
UNSAID_S: Final = 3.0  # after a 429 that does not say when to come back
TOO_MANY: Final = 429


class Throttle:
    """Closed from the last request that was allowed until the broker's minute is over."""

    def __init__(self) -> None:
        self._until_s = 0.0

    @property
    def wait_s(self) -> float:
        """Until the next request may go; zero, now."""
        return max(0.0, self._until_s - time.monotonic())

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Every answer passes here."""
        if status != TOO_MANY and headers.get("X-Ratelimit-Remaining", "").strip() != "0":
            return
        wait_s = _seconds(headers.get("Retry-After"))
        if wait_s is None:
            wait_s = _until_reset(headers)
        if wait_s is None:
            wait_s = UNSAID_S if status == TOO_MANY else 0.0
        self._until_s = time.monotonic() + min(wait_s, LONGEST_S)


def told_at_s(headers: Mapping[str, str]) -> float | None:
    """When the broker answered, by its own clock."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Reset is an instant of the broker's clock, and so is Date."""
    reset_s, now_s = _seconds(headers.get("X-Ratelimit-Reset")), told_at_s(headers)
    return None if reset_s is None or now_s is None else max(0.0, reset_s - now_s)


def _seconds(written: str | None) -> float | None:
    return float(written) if written is not None and written.isascii() and written.isdecimal() else None
