"""One call of a kernel on one book, and what to say where it fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UsageError
from execution.strategy import FLAT, Rule
from execution.strategy.arrays import FloatArray
from research.passes.account import ORDER, TALLY, Recording, Tape, opened_books
from research.passes.books import Book, Terms
from research.passes.kernel import kernel_of
from research.passes.room import room
from research.passes.rules import rule_of, takes_position


@dataclass(frozen=True, slots=True)
class Tallies:
    """What passes told, a row for every set."""

    books: FloatArray
    """sets × research.passes.account.TALLY"""
    blocks: FloatArray
    """sets × (sum of returns, sum of squares) × blocks"""

    def named(self) -> Mapping[str, FloatArray]:
        """The columns by name."""
        return by_name(self.books)


def by_name(books: FloatArray) -> Mapping[str, FloatArray]:
    """The columns of tallies by name; block sums may follow them."""
    return {name: books[:, place] for place, name in enumerate(TALLY)}


def no_recording() -> Recording:
    """Tells the pass to write down nothing but tallies."""
    return Recording(np.empty(0), np.empty(0, dtype=ORDER))


def recording_of(bars: int) -> Recording:
    """Room for the equity, from the first bar traded on, and for the orders of a single set."""
    return Recording(room(bars), np.empty(bars, dtype=ORDER))


def run_pass(
    strategy: type[Rule],
    book: Book,
    terms: Terms,
    table: FloatArray,
    sets: NDArray[np.int64],
    tape: Tape,
    recording: Recording | None = None,
) -> tuple[Tallies, int]:
    """(tallies, number of orders of the last set).  Releases the GIL while it runs."""
    books = opened_books(len(sets), terms.capital, len(book.ts_us) - book.start)
    sums = np.zeros((len(sets), 2, int(tape.block[-1]) + 1))
    where = np.zeros(2, dtype=np.int64)
    try:
        status = kernel_of(strategy)(
            rule_of(strategy), table, sets, tape, terms.rates, books, sums, recording or no_recording(), where
        )
    except Exception as error:  # whatever a person's decide raises
        number, bar = int(where[0]), int(where[1])
        bar = (
            int(books[number]["decided"])
            if takes_position(strategy)
            else _first_raising(strategy, table[sets[number]], bar)
        )
        why = f"raised {type(error).__name__}: {error}"
        raise _failure(strategy, book, table[sets[number], bar], bar, why) from error
    if status < 0:
        number, bar = int(where[0]), int(where[1])
        wanted = _wanted(strategy, table[sets[number], bar], books[number])
        why = (
            "gave an infinite target"
            if np.isinf(wanted)
            else f"gave the target {wanted:g}, beyond the account's leverage of {terms.leverage:g}"
        )
        raise _failure(strategy, book, table[sets[number], bar], bar, why)
    return tallies_of(books, sums), int(books[-1]["ordered"])


def tallies_of(books: NDArray[Any], sums: FloatArray) -> Tallies:
    """What these books tell."""
    return Tallies(np.column_stack([books[name] for name in TALLY]), sums)


def _wanted(strategy: type[Rule], values: FloatArray, book: NDArray[Any]) -> float:
    if takes_position(strategy):
        return float(book["decided"])
    return float(strategy.compiled()(strategy.inputs()(*values), FLAT))


def _first_raising(strategy: type[Rule], columns: FloatArray, first: int) -> int:
    """The bar from `first` on whose inputs `decide(x)` raises on."""
    decide, inputs = strategy.compiled(), strategy.inputs()
    for bar in range(first, columns.shape[1]):
        values = columns[:, bar]
        if not np.isnan(values).any():
            try:
                decide(inputs(*values), FLAT)
            except Exception:
                return bar
    return first


def _failure(strategy: type[Rule], book: Book, values: FloatArray, bar: int, why: str) -> UsageError:
    when = datetime.fromtimestamp(book.ts_us[bar] / 1e6, UTC)
    seen = zip(strategy.inputs()._fields, values, strict=True)
    return UsageError(
        f"{strategy.__name__}.decide {why} for {book.symbol} at {when:%Y-%m-%d %H:%M} UTC (bar {bar}), "
        f"where {', '.join(f'x.{name} = {value:g}' for name, value in seen)}",
        "Return a finite multiple of equity within the leverage, or NaN to decide nothing.",
    )
