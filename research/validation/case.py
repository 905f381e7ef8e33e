"""What is put on trial: a strategy class, its parameter sets, the bars and the terms they trade on."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy import CostModel
from research.passes import Prepared, prepare
from research.statistics.sums import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The same for every technique; each asks for the passes it needs."""

    strategy: type[Any]
    bars: pl.DataFrame
    sets: Sequence[Any]
    capital: float
    costs: CostModel
    terms: dict[str, Any]
    """what else prepare and backtest take: lot, leverage, actions …"""
    trade_from: date | datetime | None = None

    def prepared(
        self,
        sets: Sequence[Any],
        *,
        bars: pl.DataFrame | None = None,
        trade_from: date | datetime | None = None,
        costs: CostModel | None = None,
        delay_bars: int = 0,
        blocks: int = 1,
    ) -> Prepared:
        """Sets ready to run; what is not given is the case's own."""
        return prepare(
            self.strategy,
            self.bars if bars is None else bars,
            sets,
            capital=self.capital,
            costs=costs or self.costs,
            trade_from=trade_from or self.trade_from,
            delay_bars=delay_bars,
            blocks=blocks,
            **self.terms,
        )


def run(prepared: Prepared) -> FloatArray:
    """Every set's tallies, on all cores."""
    sets, workers = len(prepared.sets), len(os.sched_getaffinity(0))
    size = -(-sets // workers)
    if workers == 1 or sets * len(prepared.ts_us) < 10_000_000:  # done before a thread has started
        return prepared.run(slice(None))
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(prepared.run, [slice(first, first + size) for first in range(0, sets, size)])
        return np.concatenate(list(parts))


def optimise(prepared: Prepared, tallies: FloatArray | None = None) -> tuple[int, float] | None:
    """(the place of the set with the highest Sharpe ratio, that ratio); None if no set has one."""
    found = prepared.frame(run(prepared) if tallies is None else tallies)["sharpe"].to_numpy()
    found = np.where(np.isfinite(found), found, -np.inf)
    best = int(found.argmax())
    return (best, float(found[best])) if np.isfinite(found[best]) else None


def refuse_no_sets(sets: Sequence[Any]) -> None:
    """There must be something to choose."""
    if not sets:
        raise UsageError(
            "there is no parameter set to validate", "Give a grid with at least one that the strategy takes."
        )
