"""What a sweep found: a row per parameter set, its returns by block, and where it is on record."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from data.errors import UsageError
from execution.strategy import CostModel, Rule
from research.passes import Blocks
from research.sweep.searches import refuse_unknown

if TYPE_CHECKING:
    from research.records import Record, Unrecorded
    from research.reports.canvas import Chart


@dataclass(frozen=True, slots=True)
class Sweep:
    """One strategy class over some bars, with every parameter set that was tried."""

    strategy: type[Rule]
    frame: pl.DataFrame
    """one row per set: its parameters, then its statistics (research.statistics.NAMES)"""
    blocks: Blocks
    """sums of returns by stretch of time, in the order of the rows: what validation combines"""
    bars: pl.DataFrame = field(repr=False)
    """what it ran over"""
    symbols: tuple[str, ...]
    capital: float
    costs: CostModel
    bars_per_year: float
    first_utc: datetime
    last_utc: datetime
    skipped: int
    """sets that the strategy refused, such as fast ≥ slow"""
    seconds: float
    record: "Record | Unrecorded"

    def ranked(self, by: str = "sharpe") -> pl.DataFrame:
        """The frame, the highest `by` first; equals stay in their order, sets that have none come last."""
        refuse_unknown(by)
        return self.frame.sort(by, descending=True, nulls_last=True, maintain_order=True)

    def best(self, by: str = "sharpe") -> Rule:
        """The set with the highest `by`."""
        first = self.ranked(by).row(0, named=True)
        if first[by] is None:
            raise UsageError(
                f"no set of the sweep has a {by.replace('_', ' ')}",
                "None traded; try other sets or more bars.",
            )
        return self.strategy(**{name: first[name] for name in self.strategy.declared_params()})

    def heat_map(self, x: str | None = None, y: str | None = None, by: str = "sharpe") -> "Chart":
        """`by` over two parameters, the best where several sets share a cell."""
        from research.reports.sweep_map import heat_map

        return heat_map(self.frame, x, y, by)

    def _repr_html_(self) -> str:
        from research.reports.sweep_map import sweep_html

        return sweep_html(self)
