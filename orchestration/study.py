"""The study that ships with Slipway: what it trades, on which sessions, with how much.

The demo, the command line's examples and Dagster's assets all read it here, so they compute the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from data.calendars import last_sessions, sessions
from execution.strategy import CostModel, Strategy
from research.strategies.crossover import Crossover

if TYPE_CHECKING:  # polars frames are handed through, the sweep's kernels are loaded by who sweeps
    import polars as pl

    from data.storage import Storage


@dataclass(frozen=True, slots=True)
class Study:
    """One strategy researched on some sessions, then traded on the next."""

    strategy: type[Strategy] = Crossover
    symbols: tuple[str, ...] = ("AAA", "BBB", "CCC")
    source: str = "synthetic"
    timeframe: str = "1m"
    # Dates are fixed, not "the newest": the same study gives the same artifact on every machine and every day.
    trade_session: date = date(2026, 10, 1)
    research_sessions: int = 40
    on_duty_sessions: int = 10
    capital: float = 300_000.0
    costs: CostModel = field(default_factory=CostModel)
    grid: Mapping[str, Sequence[int]] = field(
        default_factory=lambda: {"fast": range(2, 31), "slow": range(20, 121, 5)}
    )

    def research_range(self, until: date) -> tuple[date, date]:
        """The first and the last of the newest research sessions that are not after `until`."""
        found = last_sessions(until, self.research_sessions)
        return found[0].day, found[-1].day

    @property
    def first(self) -> date:
        """The first session of research; its features start here."""
        return self.research_range(self.last)[0]

    @property
    def last(self) -> date:
        """The last session of research: the one before the traded session."""
        return last_sessions(self.trade_session, 2)[0].day

    @property
    def data_until(self) -> date:
        """The last session for which bars are made: the engine stays on duty for some after the traded one."""
        ample = timedelta(days=2 * self.on_duty_sessions + 10)  # weekends and holidays
        return sessions(self.trade_session, self.trade_session + ample)[self.on_duty_sessions].day

    def bars(self, storage: "Storage | None" = None) -> "pl.DataFrame":
        """What research sees."""
        from data import query

        return query.bars(
            list(self.symbols), self.timeframe, self.first, self.last, source=self.source, storage=storage
        )

    def ranked(
        self, bars: "pl.DataFrame", progress: Callable[[int, int], None] | None = None
    ) -> "pl.DataFrame":
        """Every parameter set of the grid with its statistics, the best Sharpe ratio first."""
        from research.sweep import sweep

        rows = sweep(
            self.strategy,
            bars,
            self.grid,
            capital=self.capital,
            costs=self.costs,
            progress=None if progress is None else lambda so_far: progress(so_far.done, so_far.total),
        ).frame
        # Equals are ordered by their parameters: whoever ranks them chooses the same one.
        descending = [True, *(False for _ in self.grid)]
        return rows.sort("sharpe", *self.grid, descending=descending, nulls_last=True)

    def best(self, ranked: "pl.DataFrame") -> Strategy:
        """The strategy with the parameters of the first row."""
        first = ranked.row(0, named=True)
        return self.strategy(**{name: first[name] for name in self.grid})


STUDY: Final = Study()
