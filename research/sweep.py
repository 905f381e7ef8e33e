"""A sweep: every parameter set of a grid through one fused pass, on all cores."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date, datetime
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy import CostModel, Strategy
from research.passes import prepare

Progress = Callable[[int, int], None]
"""progress(sets done, sets in all)"""


def sweep(
    strategy: type[Strategy],
    bars: pl.DataFrame,
    grid: Mapping[str, Iterable[Any] | Any],
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    trade_from: date | datetime | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """One row per parameter set: its parameters, then its statistics (research.statistics.NAMES).

    `grid` maps parameters to the values to try; what it leaves out keeps its default.  Several symbols are
    independent books of capital / symbols each, and the statistics are those of their sum.
    """
    sets = parameter_sets(strategy, grid)
    prepared = prepare(strategy, bars, sets, capital=capital, costs=costs, lot=lot, trade_from=trade_from)
    workers = threads or len(os.sched_getaffinity(0))
    # Small enough for a smooth progress bar and even cores, large enough to hide the call.
    size = max(1, len(sets) // (workers * 16))
    chunks = [slice(first, first + size) for first in range(0, len(sets), size)]
    tallies = np.zeros(0)
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(prepared.run, chunk): chunk for chunk in chunks}
        try:
            done = 0
            for finished in as_completed(running):
                part, chunk = finished.result(), running[finished]
                if not tallies.size:
                    tallies = np.zeros((len(sets), part.shape[1]))
                tallies[chunk] = part
                done += len(part)
                if progress is not None:
                    progress(done, len(sets))
        except BaseException:  # a failing set, or Ctrl-C: do not run the rest first
            pool.shutdown(cancel_futures=True)
            raise
    return prepared.frame(tallies)


def parameter_sets(strategy: type[Strategy], grid: Mapping[str, Iterable[Any] | Any]) -> list[Strategy]:
    """The grid as strategies, checked against the parameters' bounds, the last parameter turning fastest."""
    values = [
        list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        for given in grid.values()
    ]
    empty = [name for name, given in zip(grid, values, strict=True) if not given]
    if empty:
        raise UsageError(f"the grid has no values for {empty[0]}", "Give each parameter at least one value.")
    return [strategy(**dict(zip(grid, chosen, strict=True))) for chosen in product(*values)]
