"""One strategy class's parameter sets made ready to run over bars, in any order and on any thread."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError
from execution.strategy import CostModel, Strategy
from execution.strategy.arrays import FloatArray
from research.passes.books import Book, Portfolio, Terms, books_of, feature_table, named, run_pass
from research.passes.kernel import kernel_of
from research.statistics import as_frame, bars_per_year, from_tally

BLOCKS: Final = 16
"""Blocks of equal length for which the sums of returns are kept: what cross-validation by blocks combines."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Sums of per-bar returns over consecutive stretches of the traded range."""

    first_ts_us: NDArray[np.int64]
    """when each begins"""
    counts: FloatArray
    """bars in each"""
    totals: FloatArray
    """sets × blocks: the sum of returns"""
    squares: FloatArray
    """sets × blocks: the sum of their squares"""


class Prepared:
    """Sets that can run: `run` any slice of them, `frame` and `blocks` read what came of it."""

    def __init__(
        self,
        strategy: type[Strategy],
        books: list[Book],
        sets: Sequence[Strategy],
        terms: Terms,
        capital: float,
    ) -> None:
        self.strategy, self.sets, self.capital = strategy, list(sets), capital
        self._books, self._terms = books, terms
        self._portfolio = Portfolio(books, capital)
        _refuse_what_does_not_fit(books, self.sets)
        self._tables = [feature_table(book, self.sets) for book in books]
        kernel_of(strategy)  # once, before threads race for it
        self.symbols = tuple(book.symbol for book in books)
        self.ts_us: NDArray[np.int64] = self._portfolio.ts_us
        self.bars_per_year = bars_per_year(pl.Series(self.ts_us).cast(pl.Datetime("us", "UTC")))

    def run(self, chunk: slice) -> FloatArray:
        """One row per set of the chunk.  Releases the GIL while it computes."""
        if len(self._books) == 1:
            table, rows = self._tables[0]
            return run_pass(self.strategy, self._books[0], self._terms, table, rows[chunk])[0]
        return np.stack([self._one(number) for number in range(len(self.sets))[chunk]])

    def _one(self, number: int) -> FloatArray:
        curves = [np.zeros(len(book.bars)) for book in self._books]
        each = [
            run_pass(self.strategy, book, self._terms, table, rows[number : number + 1], curve)[0][0]
            for book, (table, rows), curve in zip(self._books, self._tables, curves, strict=True)
        ]
        return self._portfolio.tally(self._portfolio.equity(curves), np.stack(each))

    def frame(self, tallies: FloatArray) -> pl.DataFrame:
        """Parameters, then statistics; one row per set, for tallies of all sets in their order."""
        chosen = pl.DataFrame([each.params() for each in self.sets])
        statistics = as_frame(from_tally(named(tallies), self.capital, self.bars_per_year))
        return pl.concat([chosen, statistics], how="horizontal")

    def blocks(self, tallies: FloatArray) -> Blocks:
        """The sums by block, for tallies of all sets in their order."""
        raise NotImplementedError


def prepare(
    strategy: type[Strategy],
    bars: pl.DataFrame,
    sets: Sequence[Strategy],
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    trade_from: date | datetime | None = None,
) -> Prepared:
    """Each symbol is a book of capital / symbols; bars before `trade_from` only warm up features."""
    books = books_of(bars, trade_from)
    return Prepared(strategy, books, sets, Terms(capital / len(books), costs or CostModel(), lot), capital)


def _refuse_what_does_not_fit(books: list[Book], sets: list[Strategy]) -> None:
    distinct = len({spec for each in sets for spec in each.feature_specs().values()})
    needed = distinct * sum(len(book.bars) for book in books) * 8
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available / 2:
        raise UsageError(
            f"the sweep's {distinct} distinct features need {needed / 1e9:.1f} GB, over half of this machine's memory",
            "Sweep fewer parameter values at once, or fewer symbols or days.",
        )
