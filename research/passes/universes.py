"""The bars of a portfolio laid on one line of instants, its features with them, and one call of its kernel."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UsageError
from execution.strategy import Portfolio, costs, sizing
from execution.strategy.arrays import FloatArray
from execution.strategy.costs import borrow_fee
from execution.strategy.features import Feature
from execution.strategy.sizing import round_to_lot
from research.passes.account import ORDER, Rates, Recording, machine_code, opened_books
from research.passes.books import BLOCKS, Book, Terms, block_bounds, feature_table, nights_between
from research.passes.compile_cache import cache_on_disk
from research.passes.desk import instants_of, newest_bars
from research.passes.rules import rule_of
from research.passes.running import Tallies, no_recording, tallies_of
from research.passes.shared_account import Universe, portfolio_kernel


class LaidOut:
    """One account's symbols on the union of their timestamps."""

    def __init__(self, books: Sequence[Book], terms: Terms, blocks: int = BLOCKS) -> None:
        self.books, self.terms = books, terms
        self.symbols = tuple(book.symbol for book in books)
        self.ts_us = instants_of(books)
        self.bounds = block_bounds(len(self.ts_us), blocks)
        newest = [newest_bars(book, self.ts_us) for book in books]
        self._newest = newest
        present = np.stack(
            [book.ts_us[np.maximum(at, 0)] == self.ts_us for book, at in zip(books, newest, strict=True)],
            axis=1,
        )
        number = np.arange(len(self.ts_us))
        self.universe = Universe(
            open=self._lay([book.opens(terms.fill) for book in books]),
            close=self._lay([book.close for book in books]),
            present=present,
            ratio=self._lay([book.ratio for book in books]),
            dividend=self._lay([book.dividend for book in books]),
            nights=np.ascontiguousarray(nights_between(self.ts_us, terms.costs)),
            block=np.searchsorted(self.bounds, number, side="right") - 1,
        )

    def _lay(self, columns: Sequence[FloatArray]) -> FloatArray:
        """Instants × symbols, each at its last known value, NaN before its first."""
        return np.stack(
            [
                np.where(at < 0, np.nan, column[np.maximum(at, 0)])
                for column, at in zip(columns, self._newest, strict=True)
            ],
            axis=1,
        )

    def features(self, rows: Mapping[Feature, int]) -> FloatArray:
        """Distinct features × instants × symbols: the last known value of each, NaN before its first bar."""
        tables = [feature_table(book, rows, self.terms.delay_bars) for book in self.books]
        return np.stack([self._lay([table[row] for table in tables]) for row in range(len(rows))])

    def run(
        self,
        strategy: type[Portfolio],
        features: FloatArray,
        sets: NDArray[np.int64],
        recording: Recording | None = None,
    ) -> tuple[Tallies, int]:
        """(tallies, number of orders of the last set).  Releases the GIL while it runs."""
        books = opened_books(len(sets), self.terms.capital, len(self.ts_us))
        sums = np.zeros((len(sets), 2, len(self.bounds) - 1))
        where = np.zeros(2, dtype=np.int64)
        recording = recording or no_recording()
        try:
            status = portfolio_kernel()(
                rule_of(strategy), features, sets, self.universe, self.terms.rates, books, sums,
                recording.equity, recording.orders, where,
            )  # fmt: skip
        except Exception as error:  # whatever a person's allocate raises
            raise self._failure(strategy, where, f"raised {type(error).__name__}: {error}") from error
        if status < 0:
            why = f"gave weights that add up to more than the account's leverage of {self.terms.leverage:g}"
            raise self._failure(strategy, where, why)
        return tallies_of(books, sums), int(books[-1]["ordered"])

    def recording(self) -> Recording:
        """Room for the equity and the orders of a single set."""
        instants, symbols = self.universe.close.shape
        return Recording(np.full(instants, np.nan), np.empty(instants * symbols, dtype=ORDER))

    def curves(self, orders: NDArray[Any]) -> FloatArray:
        """Instants × symbols: an equal share of the capital and what each symbol made of it.

        Interest belongs to the account, not to a symbol.
        """
        instants, symbols = self.universe.close.shape
        made = np.full((instants, symbols), self.terms.capital / symbols)
        filled = orders[orders["fill_bar"] >= 0]
        _add_what_was_made(filled, self.universe, self.terms.rates, made)
        return made

    def _failure(self, strategy: type[Portfolio], where: NDArray[np.int64], why: str) -> UsageError:
        when = datetime.fromtimestamp(self.ts_us[where[1]] / 1e6, UTC)
        return UsageError(
            f"{strategy.__name__}.allocate {why} at {when:%Y-%m-%d %H:%M} UTC (instant {where[1]})",
            "Return one finite weight for each symbol, within the leverage, or NaN to leave it as it is.",
        )


@machine_code
def _add_what_was_made(filled: Any, universe: Universe, rates: Rates, made: FloatArray) -> None:
    """`filled` orders are in the order in which they were sent; those of one symbol so in the order of their fills."""
    for symbol in range(made.shape[1]):
        money = 0.0
        shares = 0.0
        place = 0
        for instant in range(made.shape[0]):
            if instant > 0 and universe.nights[instant] > 0.0 and shares < 0.0:
                last = universe.close[instant - 1, symbol]
                money -= borrow_fee(shares, last, universe.nights[instant], rates.borrow_bps)
            if universe.present[instant, symbol]:
                money += shares * universe.dividend[instant, symbol]
                if universe.ratio[instant, symbol] != 1.0:
                    after = shares * universe.ratio[instant, symbol]
                    shares = round_to_lot(after, rates.lot)
                    money += (after - shares) * universe.open[instant, symbol]
            while place < filled.size and (
                filled[place].symbol != symbol or filled[place].fill_bar <= instant
            ):
                if filled[place].symbol == symbol:
                    money -= filled[place].qty * filled[place].price + filled[place].commission
                    shares += filled[place].qty
                place += 1
            if shares != 0.0:
                made[instant, symbol] += money + shares * universe.close[instant, symbol]
            else:
                made[instant, symbol] += money


_adder: Any = _add_what_was_made
cache_on_disk(_adder, [_adder.py_func.__code__.co_code, costs, sizing])
