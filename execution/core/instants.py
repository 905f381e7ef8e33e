"""The bars of one instant, put together: a portfolio decides about them as one.

A replay says how many there are.  Live they come one by one; who has not come after a while trades no more often.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from data.bar import Bar


@dataclass(slots=True)
class _Gathering:
    since_s: float
    count: int
    bars: dict[str, Bar] = field(default_factory=dict)


class Instants:
    """Pure: the time comes in with every call."""

    def __init__(self, symbols: Iterable[str], patience_s: float) -> None:
        self._everybody = len(set(symbols))
        self._patience_s = patience_s
        self._gathering: dict[int, _Gathering] = {}

    def add(self, bar: Bar, of: int, now_s: float) -> list[list[Bar]]:
        """What is whole now, oldest first; `of` is how many bars the instant has, 0 where nobody knows."""
        gathering = self._gathering.setdefault(bar.ts_us, _Gathering(now_s, of or self._everybody))
        gathering.bars[bar.symbol] = bar
        if len(gathering.bars) < gathering.count:
            return []
        return self._take(bar.ts_us)

    def due(self, now_s: float) -> list[list[Bar]]:
        """What has waited for long enough, oldest first."""
        waited = [
            ts_us for ts_us, each in self._gathering.items() if now_s - each.since_s >= self._patience_s
        ]
        return self._take(max(waited)) if waited else []

    def wait_s(self, now_s: float) -> float | None:
        """How long until something is due; None when nothing is gathered."""
        since = min((each.since_s for each in self._gathering.values()), default=None)
        return None if since is None else max(0.0, since + self._patience_s - now_s)

    def _take(self, ts_us: int) -> list[list[Bar]]:
        """An instant and all before it: what comes later for those comes too late."""
        taken = sorted(each for each in self._gathering if each <= ts_us)
        return [[bar for _, bar in sorted(self._gathering.pop(each).bars.items())] for each in taken]
