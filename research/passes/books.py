"""Bars made ready for passes: one book per symbol, equal features computed once, books added to a portfolio."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

import numba
import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError
from execution.strategy import CostModel, Strategy
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray
from research.passes import moments
from research.passes.compile_cache import cache_on_disk
from research.passes.kernel import TALLY, kernel_of, no_equity, no_orders
from research.passes.moments import moments_of, observe

_PLACE: Final = {name: place for place, name in enumerate(TALLY)}


@dataclass(frozen=True, slots=True)
class Book:
    """One symbol's bars; those before `start` only warm up features."""

    symbol: str
    bars: BarArrays
    ts_us: NDArray[np.int64]
    start: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a book trades."""

    capital: float
    costs: CostModel
    lot: float = 1.0


def books_of(bars: pl.DataFrame, trade_from: date | datetime | None = None) -> list[Book]:
    """The books in a frame of bars, in the order of their symbols."""
    missing = [name for name in ("symbol", "ts_utc", *COLUMNS) if name not in bars.columns]
    if missing:
        raise UsageError(f"the bars have no column {missing[0]!r}", "Pass a frame from data.bars(…).")
    if bars.is_empty():
        raise UsageError("there are no bars to trade on", "Ask for a range in which the market was open.")
    ordered = bars.sort("symbol", "ts_utc")
    if ordered.select(pl.any_horizontal(pl.col(COLUMNS).is_null().any())).item():
        raise UsageError(
            "the bars have empty prices or volumes", "Drop or repair them first: bars.drop_nulls()."
        )
    since_us = _instant_us(trade_from)
    books = []
    for (symbol,), frame in ordered.group_by("symbol", maintain_order=True):
        ts_us = frame["ts_utc"].dt.epoch("us").to_numpy()
        if (np.diff(ts_us) <= 0).any():
            raise UsageError(
                f"{symbol} has two bars with one timestamp", "Remove duplicates: bars.unique(…)."
            )
        start = 0 if since_us is None else int(np.searchsorted(ts_us, since_us))
        if start == len(ts_us):
            raise UsageError(f"{symbol} has no bars from {trade_from} on", "Start trading earlier.")
        books.append(Book(str(symbol), BarArrays.of(frame), ts_us, start))
    return books


def feature_table(book: Book, strategies: Sequence[Strategy]) -> tuple[FloatArray, NDArray[np.int64]]:
    """(distinct features × bars, strategies × features as rows of the former)."""
    rows: dict[Any, int] = {}
    sets = [
        [rows.setdefault(spec, len(rows)) for spec in strategy.feature_specs().values()]
        for strategy in strategies
    ]
    table = np.empty((len(rows), len(book.bars)))
    for spec, row in rows.items():
        table[row] = spec.batch(book.bars)
    return table, np.array(sets, dtype=np.int64)


def run_pass(
    strategy: type[Strategy],
    book: Book,
    terms: Terms,
    table: FloatArray,
    sets: NDArray[np.int64],
    equity: FloatArray | None = None,
    orders: NDArray[Any] | None = None,
) -> tuple[FloatArray, int]:
    """(tallies, one row per set; number of orders of the last set).  Releases the GIL while it runs."""
    tallies = np.zeros((len(sets), len(TALLY)))
    recorded = no_equity() if equity is None else equity
    try:
        ordered = _call(strategy, book, terms, table, sets, tallies, recorded, orders)
    except Exception as error:  # whatever a person's decide raises
        raise _failure(
            strategy, book, terms, table, sets, f"raised {type(error).__name__}: {error}"
        ) from error
    if ordered < 0:
        raise _failure(strategy, book, terms, table, sets, "gave an infinite target")
    return tallies, ordered


def _call(
    strategy: type[Strategy],
    book: Book,
    terms: Terms,
    table: FloatArray,
    sets: NDArray[np.int64],
    tallies: FloatArray,
    equity: FloatArray,
    orders: NDArray[Any] | None,
) -> int:
    ordered: int = kernel_of(strategy)(
        table,
        sets,
        book.bars.open,
        book.bars.close,
        book.start,
        terms.capital,
        terms.lot,
        terms.costs.slippage_bps,
        terms.costs.commission_bps,
        terms.costs.commission_min,
        tallies,
        equity,
        no_orders() if orders is None else orders,
    )
    return ordered


def _failure(
    strategy: type[Strategy],
    book: Book,
    terms: Terms,
    table: FloatArray,
    sets: NDArray[np.int64],
    why: str,
) -> UsageError:
    """Run once more, one set at a time, to say at which bar and on what `decide` failed."""
    tallies = np.zeros((1, len(TALLY)))
    bar, rows = book.start, sets[0]
    for rows in sets:
        curve = np.full(len(book.bars), np.nan)
        try:
            ordered = _call(strategy, book, terms, table, rows[None, :], tallies, curve, None)
        except Exception:
            ordered = -1
        if ordered < 0:
            bar = int(np.flatnonzero(~np.isnan(curve))[-1])  # equity is recorded before the decision
            break
    when = datetime.fromtimestamp(book.ts_us[bar] / 1e6, UTC)
    seen = zip(strategy.inputs()._fields, table[rows, bar], strict=True)
    return UsageError(
        f"{strategy.__name__}.decide {why} for {book.symbol} at {when:%Y-%m-%d %H:%M} UTC (bar {bar}), "
        f"where {', '.join(f'x.{name} = {value:g}' for name, value in seen)}",
        "Return a finite multiple of equity, or NaN to decide nothing.",
    )


class Portfolio:
    """Independent books side by side, on the union of their timestamps."""

    def __init__(self, books: Sequence[Book], capital: float) -> None:
        self.books = books
        self.capital = capital
        self.ts_us = np.unique(np.concatenate([book.ts_us[book.start :] for book in books]))
        # Before its first bar a book is worth its capital, after its last one what it was worth then.
        self._newest = [np.searchsorted(book.ts_us, self.ts_us, side="right") - 1 for book in books]

    def equity(self, curves: Sequence[FloatArray]) -> FloatArray:
        """The sum of the books' equity curves (each as long as its book's bars)."""
        total = np.zeros(len(self.ts_us))
        share = self.capital / len(self.books)
        for book, curve, newest in zip(self.books, curves, self._newest, strict=True):
            total += np.where(newest < book.start, share, curve[np.maximum(newest, 0)])
        return total

    def tally(self, equity: FloatArray, tallies: FloatArray) -> FloatArray:
        """The tally of the sum: moments of the summed equity, trading added up, exposure averaged."""
        if len(self.books) == 1:
            return np.asarray(tallies[0])
        added: FloatArray = tallies.sum(axis=0)
        held = tallies[:, _PLACE["held_bars"]] / tallies[:, _PLACE["bars"]]
        seen = _observe_all(equity, self.capital)
        added[: len(seen) + 1] = (len(equity), *seen)
        added[_PLACE["held_bars"]] = held.mean() * len(equity)
        return added


def _every_observation(equity: FloatArray, capital: float) -> tuple[float, ...]:
    seen = moments_of(capital)
    for value in equity:
        seen = observe(seen, value)
    return seen.equity, seen.total, seen.squares, seen.downside, seen.drawdown, seen.equity_total


_observe_all: Any = numba.njit(_every_observation)
cache_on_disk(_observe_all, [_every_observation.__code__.co_code, moments])


def named(tallies: FloatArray) -> dict[str, FloatArray]:
    """Tallies (sets × columns) by name."""
    return {name: tallies[:, place] for name, place in _PLACE.items()}


def _instant_us(instant: date | datetime | None) -> int | None:
    if instant is None:
        return None
    if not isinstance(instant, datetime):
        instant = datetime.combine(instant, time(), UTC)
    if instant.tzinfo is None:
        raise UsageError(
            f"trade_from is {instant}, without a time zone", "Give a date, or an aware datetime."
        )
    return round(instant.timestamp() * 1e6)
