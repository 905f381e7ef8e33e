"""One strategy class's parameter sets made ready to run over bars, in any order and on any thread."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError
from execution.strategy import CostModel, Portfolio, Strategy
from execution.strategy.arrays import FloatArray
from execution.strategy.features import Feature
from execution.strategy.rule import Rule
from research.passes.account import TALLY
from research.passes.books import BLOCKS, LEVERAGE, Book, Fill, Terms, books_of, feature_table, rows_of
from research.passes.desk import Desk
from research.passes.kernel import kernel_of
from research.passes.rules import rule_of
from research.passes.running import Tallies, by_name, no_recording, run_pass
from research.passes.shared_account import portfolio_kernel
from research.passes.universes import LaidOut
from research.statistics import as_frame, bars_per_year_at, from_tally


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


class Prepared(ABC):
    """Sets that can run: `run` any slice of them, `frame` and `blocks` read what came of it."""

    def __init__(
        self,
        strategy: type[Rule],
        sets: Sequence[Rule],
        terms: Terms,
        symbols: Sequence[str],
        capital: float,
        ts_us: NDArray[np.int64],
        bounds: NDArray[np.int64],
    ) -> None:
        self.strategy: Any = strategy
        self.sets, self.terms = list(sets), terms
        self.symbols, self.capital, self.ts_us = tuple(symbols), capital, ts_us
        self._bounds = bounds
        self.bars_per_year = bars_per_year_at(ts_us)

    @abstractmethod
    def run(self, chunk: slice) -> FloatArray:
        """One row per set of the chunk.  Releases the GIL while it computes."""

    def frame(self, tallies: FloatArray) -> pl.DataFrame:
        """Parameters, then statistics; one row per set, for tallies of all sets in their order."""
        chosen = pl.DataFrame([each.params() for each in self.sets])
        return pl.concat([chosen, as_frame(self.statistics(tallies))], how="horizontal")

    def statistics(self, tallies: FloatArray) -> dict[str, FloatArray]:
        """research.statistics.NAMES -> one value per row of any tallies."""
        return from_tally(by_name(tallies), self.capital, self.bars_per_year)

    def blocks(self, tallies: FloatArray) -> Blocks:
        """The sums by block, for tallies of all sets in their order."""
        count = len(self._bounds) - 1
        sums = tallies[:, len(TALLY) :].reshape(len(tallies), 2, count)
        return Blocks(
            first_ts_us=self.ts_us[self._bounds[:-1]],
            counts=np.diff(self._bounds).astype(np.float64),
            totals=np.ascontiguousarray(sums[:, 0]),
            squares=np.ascontiguousarray(sums[:, 1]),
        )


class _PreparedBooks(Prepared):
    """A Strategy: a book for each symbol."""

    def __init__(
        self,
        strategy: type[Strategy],
        books: Sequence[Book],
        sets: Sequence[Strategy],
        rows: Mapping[Feature, int],
        read: NDArray[np.int64],
        terms: Terms,
        blocks: int,
    ) -> None:
        self._books, self._read = books, read
        self._desk = Desk(books, terms.capital * len(books), blocks)
        symbols = [book.symbol for book in books]
        super().__init__(
            strategy, sets, terms, symbols, self._desk.capital, self._desk.ts_us, self._desk.bounds
        )
        self._tapes = [book.tape(terms, blocks) for book in books]
        self._tables = [feature_table(book, rows, terms.delay_bars) for book in books]
        kernel_of(strategy), rule_of(strategy)  # once, before threads race for them

    def run(self, chunk: slice) -> FloatArray:
        if len(self._books) == 1:
            table, tape = self._tables[0], self._tapes[0]
            return _rows(
                run_pass(self.strategy, self._books[0], self.terms, table, self._read[chunk], tape)[0]
            )
        return np.concatenate([_rows(self._one(number)) for number in range(len(self.sets))[chunk]])

    def _one(self, number: int) -> Tallies:
        nothing = no_recording()
        recordings = [nothing._replace(equity=np.zeros(len(book.ts_us))) for book in self._books]
        each = [
            run_pass(
                self.strategy, book, self.terms, table, self._read[number : number + 1], tape, recording
            )[0]
            for book, tape, table, recording in zip(
                self._books, self._tapes, self._tables, recordings, strict=True
            )
        ]
        return self._desk.tally(self._desk.equity([each.equity for each in recordings]), each)


class _PreparedPortfolio(Prepared):
    """A Portfolio: one account over all symbols."""

    def __init__(
        self,
        strategy: type[Portfolio],
        books: Sequence[Book],
        sets: Sequence[Portfolio],
        rows: Mapping[Feature, int],
        read: NDArray[np.int64],
        terms: Terms,
        blocks: int,
    ) -> None:
        self._laid, self._read = LaidOut(books, terms, blocks), read
        super().__init__(
            strategy, sets, terms, self._laid.symbols, terms.capital, self._laid.ts_us, self._laid.bounds
        )
        self._features = self._laid.features(rows)
        portfolio_kernel(), rule_of(strategy)

    def run(self, chunk: slice) -> FloatArray:
        return _rows(self._laid.run(self.strategy, self._features, self._read[chunk])[0])


def prepare(
    strategy: type[Rule],
    bars: pl.DataFrame,
    sets: Sequence[Rule],
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    leverage: float = LEVERAGE,
    fill: Fill = "next_open",
    trade_from: date | datetime | None = None,
    actions: pl.DataFrame | None = None,
    delay_bars: int = 0,
    blocks: int = BLOCKS,
) -> Prepared:
    """A Strategy has a book of capital / symbols for each; a Portfolio has one account.

    Bars before `trade_from` only warm up features.
    """
    books = books_of(bars, trade_from, actions)
    rows, read = rows_of(sets)
    refuse_what_does_not_fit(books, len(rows))
    shared = issubclass(strategy, Portfolio)
    share = capital if shared else capital / len(books)
    terms = Terms(share, costs or CostModel(), lot, leverage, fill, delay_bars)
    kind: Any = _PreparedPortfolio if shared else _PreparedBooks
    made: Prepared = kind(strategy, books, sets, rows, read, terms, blocks)
    return made


def refuse_what_does_not_fit(books: Sequence[Book], distinct: int) -> None:
    """Of so many distinct features."""
    needed = distinct * sum(len(book.ts_us) for book in books) * 8
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available / 2:
        raise UsageError(
            f"the sweep's {distinct} distinct features need {needed / 1e9:.1f} GB, over half of this machine's memory",
            "Sweep fewer parameter values at once, or fewer symbols or days.",
        )


def _rows(tallies: Tallies) -> FloatArray:
    return np.concatenate([tallies.books, tallies.blocks.reshape(len(tallies.books), -1)], axis=1)
