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
from execution.strategy.arrays import FloatArray
from research.books import Book, Portfolio, Terms, books_of, feature_table, named, run_pass
from research.kernel import kernel_of
from research.statistics import as_frame, bars_per_year, from_tally

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
    books = books_of(bars, trade_from)
    portfolio = Portfolio(books, capital)
    terms = Terms(capital / len(books), costs or CostModel(), lot)
    _refuse_what_does_not_fit(books, sets)
    tables = [feature_table(book, sets) for book in books]
    workers = threads or len(os.sched_getaffinity(0))
    # Small enough for a smooth progress bar and even cores, large enough to hide the call.
    size = max(1, len(sets) // (workers * 16))
    chunks = [slice(first, first + size) for first in range(0, len(sets), size)]
    tallies = np.zeros(0)

    def run(chunk: slice) -> FloatArray:
        if len(books) == 1:
            table, rows = tables[0]
            return run_pass(strategy, books[0], terms, table, rows[chunk])[0]
        return np.stack([one(number) for number in range(len(sets))[chunk]])

    def one(number: int) -> FloatArray:
        curves = [np.zeros(len(book.bars)) for book in books]
        each = [
            run_pass(strategy, book, terms, table, rows[number : number + 1], curve)[0][0]
            for book, (table, rows), curve in zip(books, tables, curves, strict=True)
        ]
        return portfolio.tally(portfolio.equity(curves), np.stack(each))

    kernel_of(strategy)  # once, before threads race for it
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(run, chunk): chunk for chunk in chunks}
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
    year = bars_per_year(pl.Series(portfolio.ts_us).cast(pl.Datetime("us", "UTC")))
    chosen = pl.DataFrame([each.params() for each in sets])
    return pl.concat([chosen, as_frame(from_tally(named(tallies), capital, year))], how="horizontal")


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


def _refuse_what_does_not_fit(books: list[Book], sets: list[Strategy]) -> None:
    distinct = len({spec for each in sets for spec in each.feature_specs().values()})
    needed = distinct * sum(len(book.bars) for book in books) * 8
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available / 2:
        raise UsageError(
            f"the sweep's {distinct} distinct features need {needed / 1e9:.1f} GB, over half of this machine's memory",
            "Sweep fewer parameter values at once, or fewer symbols or days.",
        )
