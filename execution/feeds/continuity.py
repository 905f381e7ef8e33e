"""Every bar once, oldest first, and without a hole that history can fill.

After each connection the bars that nobody heard are asked of history.  Until the answer is there new bars are held
back: an engine that saw 10:41 before 10:40 would never decide on 10:40.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from data.bar import Bar
from execution.feeds.contract import FinishedBar
from execution.feeds.grid import Grid

TOLD_BEFORE: Final = "bars told before"
OUTSIDE: Final = "bars outside every session"

LONGEST_GAP_US: Final = 7 * 86_400_000_000  # who was away for longer ingests, and warms up from the lake


class Gap(NamedTuple):
    """What history is asked for: the bars of these symbols that open in [start, end), complete at some instant."""

    symbols: tuple[str, ...]
    start_us: int
    end_us: int
    complete_us: int


class Line(NamedTuple):
    """A bar on its way out, and whether it comes from history."""

    told: FinishedBar
    backfilled: bool = False


class Continuity:
    """The order of the bars of one feed."""

    def __init__(self, grids: Mapping[str, Grid], told_us: Mapping[str, int]) -> None:
        self._grids = grids
        self._told_us = dict(told_us)  # the open of the newest bar that was told
        self._held: list[FinishedBar] | None = None
        self.counted: Counter[str] = Counter()

    @property
    def holding(self) -> bool:
        return self._held is not None

    def connected(self, now_us: int, whole_from_us: Mapping[str, int]) -> Gap | None:
        """What was missed, given the first bar of each symbol that will be heard whole."""
        missing = {
            symbol: (start_us, whole_from_us[symbol])
            for symbol in self._grids
            if (start_us := self._next_us(symbol, now_us)) < whole_from_us[symbol]
        }
        if not missing:
            return None
        self._held = self._held or []
        # What is forming now is finished last of all, where nobody will hear it whole.
        forming = [(self._grids[symbol].slot(now_us), end_us) for symbol, (_, end_us) in missing.items()]
        complete_us = max(
            [now_us, *(slot.ends_us for slot, end_us in forming if slot and slot.opens_us < end_us)]
        )
        return Gap(
            tuple(missing),
            min(start_us for start_us, _ in missing.values()),
            max(end_us for _, end_us in missing.values()),
            complete_us,
        )

    def live(self, told: FinishedBar) -> list[Line]:
        """A bar from the stream; what may go out now."""
        if self._held is not None:
            self._held.append(told)
            return []
        return self._admitted([Line(told)])

    def history(self, bars: Iterable[Bar]) -> list[Line]:
        """Bars that history has of the gap, perhaps not yet all."""
        ordered = sorted(bars, key=lambda bar: (bar.ts_us, bar.symbol))
        return self._admitted(Line(FinishedBar(bar), backfilled=True) for bar in ordered)

    def release(self) -> list[Line]:
        """The gap is filled, or stays: the bars that were held back go out."""
        held, self._held = self._held or [], None
        return self._admitted(Line(told) for told in held)

    def _next_us(self, symbol: str, now_us: int) -> int:
        """The open of the first bar that was not told: of the session that is on when none ever was."""
        grid = self._grids[symbol]
        if (told_us := self._told_us.get(symbol)) is not None:
            return grid.first_from(max(told_us + 1, now_us - LONGEST_GAP_US)).opens_us
        return (grid.session(now_us) or grid.first_from(now_us)).opens_us

    def _admitted(self, lines: Iterable[Line]) -> list[Line]:
        return [line for each in lines if (line := self._admit(each)) is not None]

    def _admit(self, line: Line) -> Line | None:
        bar, corrected = line.told.bar, line.told.corrected
        slot = self._grids[bar.symbol].slot(bar.ts_us)
        if slot is None or slot.opens_us != bar.ts_us:
            self.counted[OUTSIDE] += 1
            return None
        if bar.ts_us > self._told_us.get(bar.symbol, -1):
            self._told_us[bar.symbol] = bar.ts_us
            return line._replace(told=FinishedBar(bar))  # a correction of what nobody was told is news
        if corrected:
            return line
        self.counted[TOLD_BEFORE] += 1
        return None
