"""Which ticks may be believed.  What may not is dropped with a reason, and the reasons are counted."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from data.bar import Bar, Tick

NOT_A_NUMBER: Final = "not a number"
NOT_POSITIVE: Final = "a price that is not positive"
NEGATIVE_SIZE: Final = "a negative size"
EMPTY: Final = "neither quote nor trade"
MISSHAPEN: Final = "a bar whose prices contradict each other"
CROSSED: Final = "a bid above the ask"
FUTURE: Final = "in the future"
OUT_OF_ORDER: Final = "out of order"
DUPLICATE: Final = "told twice"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from its time a tick may come."""

    ahead_us: int = 2_000_000  # clocks of vendors and of this machine differ
    behind_us: int = 10_000_000  # behind the newest of its symbol; trades are reported up to ten seconds late


@dataclass(slots=True)
class _Seen:
    """What was told of a symbol lately: no more than fits into the tolerance."""

    newest_us: int = 0
    keys: set[Tick | str] = field(default_factory=set)
    order: deque[tuple[int, Tick | str]] = field(default_factory=deque)


class TickChecker:
    """Judges ticks as they come; knows no more of the past than its tolerance asks for."""

    def __init__(self, tolerance: Tolerance | None = None) -> None:
        self._tolerance = tolerance or Tolerance()
        self._seen: dict[str, _Seen] = {}
        self.dropped: Counter[str] = Counter()

    def accept(self, tick: Tick, now_us: int) -> bool:
        """Whether to believe the tick, at `now_us` on the market's clock."""
        reason = fault_of(tick) or self._misplaced(tick, now_us)
        if reason is not None:
            self.dropped[reason] += 1
        return reason is None

    def _misplaced(self, tick: Tick, now_us: int) -> str | None:
        if tick.ts_us > now_us + self._tolerance.ahead_us:
            return FUTURE
        seen = self._seen.setdefault(tick.symbol, _Seen())
        if tick.ts_us < seen.newest_us - self._tolerance.behind_us:
            return OUT_OF_ORDER
        key = tick.trade_id or tick
        if key in seen.keys:
            return DUPLICATE
        seen.newest_us = max(seen.newest_us, tick.ts_us)
        seen.keys.add(key)
        seen.order.append((tick.ts_us, key))
        oldest_us = seen.newest_us - self._tolerance.behind_us
        while seen.order[0][0] < oldest_us:  # what is older would be out of order anyway
            seen.keys.discard(seen.order.popleft()[1])
        return None


def fault_of(tick: Tick) -> str | None:
    """What is wrong with a tick by itself."""
    prices = [price for price in (tick.bid, tick.ask, tick.last) if price is not None]
    sizes = [size for size in (tick.bid_size, tick.ask_size, tick.last_size) if size is not None]
    if not prices:
        return EMPTY
    if not all(map(math.isfinite, (*prices, *sizes))):
        return NOT_A_NUMBER
    if min(prices) <= 0:
        return NOT_POSITIVE
    if min(sizes, default=0.0) < 0:
        return NEGATIVE_SIZE
    if tick.bid is not None and tick.ask is not None and tick.bid > tick.ask:
        return CROSSED
    return None


def fault_of_bar(bar: Bar, now_us: int) -> str | None:
    """What is wrong with a bar that a vendor calls finished."""
    if bar.ts_us > now_us:  # believed, it would make every bar of today look told before
        return FUTURE
    prices = (bar.open, bar.high, bar.low, bar.close)
    if not all(map(math.isfinite, (*prices, bar.volume))):
        return NOT_A_NUMBER
    if min(prices) <= 0:
        return NOT_POSITIVE
    if bar.volume < 0:
        return NEGATIVE_SIZE
    if bar.high != max(prices) or bar.low != min(prices):
        return MISSHAPEN
    return None
