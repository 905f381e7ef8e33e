"""Bars out of trades, on exchange time: when a bar is finished, and what becomes of trades that come too late.

A bar is finished once a trade of its symbol, or the market's clock, is past its end by a grace for late trades.  Inside
the grace the order of arrival changes nothing; trades of one instant keep the order in which they came.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from data.bar import Bar, Tick
from execution.feeds.contract import FinishedBar
from execution.feeds.grid import Grid, Slot

LATE: Final = "trades of a finished bar"
OUTSIDE: Final = "trades outside every session"
PARTIAL: Final = "trades of a bar that was not heard whole"

_REMEMBERED: Final = 3  # finished bars of a symbol that late trades may still correct


@dataclass(slots=True)
class _Forming:
    """The trades of one bar: the earliest, the latest, the extremes, and every size."""

    slot: Slot
    first: tuple[int, float]
    last: tuple[int, float]
    high: float
    low: float
    sizes: list[float] = field(default_factory=list)

    def add(self, ts_us: int, price: float, size: float | None) -> None:
        if ts_us < self.first[0]:
            self.first = (ts_us, price)
        if ts_us >= self.last[0]:
            self.last = (ts_us, price)
        self.high, self.low = max(self.high, price), min(self.low, price)
        self.sizes.append(size or 0.0)

    def bar(self, symbol: str, timeframe: str) -> Bar:
        # fsum is exact: the sum does not depend on the order of the sizes.
        volume = math.fsum(self.sizes)
        return Bar(
            symbol, timeframe, self.slot.opens_us, self.first[1], self.high, self.low, self.last[1], volume
        )


@dataclass(slots=True)
class _Symbol:
    """What is forming and what has been finished of one symbol."""

    grid: Grid
    due: Slot  # the bar that is finished next; those before are done with
    whole_from_us: int  # bars that open earlier were not heard from their first trade on
    forming: dict[int, _Forming] = field(default_factory=dict)  # by the bar's open; one or two
    finished: dict[int, _Forming] = field(default_factory=dict)
    close: float | None = None


class BarBuilder:
    """Builds the bars of many symbols from the trades after `heard_from_us`.

    No bar is made up for a time in which nobody traded, unless `fill_quiet` asks for flat ones.
    """

    def __init__(
        self, grids: Mapping[str, Grid], grace_us: int, heard_from_us: int, *, fill_quiet: bool = False
    ) -> None:
        self._grace_us = grace_us
        self._fill_quiet = fill_quiet
        self.counted: Counter[str] = Counter()
        self._symbols: dict[str, _Symbol] = {}
        for symbol, grid in grids.items():
            first = grid.first_from(heard_from_us)
            self._symbols[symbol] = _Symbol(grid, first, first.opens_us)

    def restart(self, heard_from_us: int) -> None:
        """The stream was interrupted: what is forming misses trades and is forgotten, history has it."""
        for of in self._symbols.values():
            first = of.grid.first_from(heard_from_us)
            of.due, of.whole_from_us = max(of.due, first), first.opens_us
            of.forming.clear()
            of.close = None

    def whole_from_us(self, symbol: str) -> int:
        """The open of the first bar that is heard whole."""
        return self._symbols[symbol].whole_from_us

    def add(self, tick: Tick) -> Iterator[FinishedBar]:
        """Take a believable tick in; the bars that it finishes, oldest first, or the one that it corrects."""
        of = self._symbols[tick.symbol]
        if tick.last is not None:
            yield from self._trade(of, tick, tick.last)
        yield from self._pass(of, tick.symbol, tick.ts_us)

    def advance(self, now_us: int) -> Iterator[FinishedBar]:
        """The bars that are finished because the market's clock says so."""
        for symbol, of in self._symbols.items():
            yield from self._pass(of, symbol, now_us)

    def _trade(self, of: _Symbol, tick: Tick, price: float) -> Iterator[FinishedBar]:
        slot = of.grid.slot(tick.ts_us)
        if slot is None:
            self.counted[OUTSIDE] += 1
        elif slot.opens_us < of.whole_from_us:
            self.counted[PARTIAL] += 1
        elif slot.opens_us < of.due.opens_us:
            self.counted[LATE] += 1
            if (finished := of.finished.get(slot.opens_us)) is not None:
                finished.add(tick.ts_us, price, tick.last_size)
                yield FinishedBar(finished.bar(tick.symbol, of.grid.timeframe), corrected=True)
        elif (forming := of.forming.get(slot.opens_us)) is not None:
            forming.add(tick.ts_us, price, tick.last_size)
        else:
            at = (tick.ts_us, price)
            of.forming[slot.opens_us] = _Forming(slot, at, at, price, price, [tick.last_size or 0.0])

    def _pass(self, of: _Symbol, symbol: str, now_us: int) -> Iterator[FinishedBar]:
        while of.due.ends_us + self._grace_us <= now_us:
            slot, of.due = of.due, of.grid.first_from(of.due.ends_us)
            if (forming := of.forming.pop(slot.opens_us, None)) is not None:
                of.finished[slot.opens_us] = forming
                if len(of.finished) > _REMEMBERED:
                    del of.finished[min(of.finished)]
                of.close = forming.last[1]
                yield FinishedBar(forming.bar(symbol, of.grid.timeframe))
            elif self._fill_quiet and of.close is not None:
                flat = (of.close, of.close, of.close, of.close)
                yield FinishedBar(Bar(symbol, of.grid.timeframe, slot.opens_us, *flat, 0.0))
