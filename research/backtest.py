"""A backtest: one parameter set in full detail, by the very pass that sweeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from execution.strategy import CostModel, Portfolio, Strategy
from execution.strategy.arrays import FloatArray
from execution.strategy.rule import check_made
from research.passes.books import LEVERAGE, Book, Fill, Terms, books_of, check_bars, feature_table, rows_of
from research.passes.desk import Desk
from research.passes.running import Tallies, recording_of, run_pass
from research.passes.universes import LaidOut
from research.records import Record, Unrecorded, keep_out_of_holdout, known_actions, record_backtest
from research.statistics import as_row, bars_per_year_at, from_tally
from research.trades import trades_of, where

_TS: Final = pl.Datetime("us", "UTC")

_SIDES: Final = pl.Series(["sell", "buy"])

NOT_ASKED: Final = Unrecorded("it is part of something else")


@dataclass(frozen=True, slots=True)
class Backtest:
    """What one strategy would have done: orders, trades, equity, statistics."""

    strategy: Strategy | Portfolio
    symbols: tuple[str, ...]
    capital: float
    terms: Terms
    bars: pl.DataFrame
    actions: pl.DataFrame | None
    orders: pl.DataFrame
    """data.orders.ORDER_SCHEMA, by symbol, then time; fill columns are null until filled"""
    trades: pl.DataFrame
    """research.trades.TRADE_SCHEMA; the last of a symbol may still be open; in shares as they are after splits"""
    equity: pl.DataFrame
    """ts_utc, equity: the account at each close"""
    curves: Mapping[str, pl.DataFrame]
    """symbol -> ts_utc, equity: each on its own"""
    statistics: dict[str, Any]
    """research.statistics.NAMES -> number, None where it does not exist"""
    record: Record | Unrecorded = NOT_ASKED
    """where it is on record, or why it is not"""

    @property
    def books(self) -> pl.DataFrame:
        """symbol, ts_utc, equity: the curves one below the other."""
        return pl.concat(
            curve.select(pl.lit(symbol).alias("symbol"), "ts_utc", "equity")
            for symbol, curve in self.curves.items()
        )

    @property
    def costs(self) -> CostModel:
        return self.terms.costs

    @property
    def lot(self) -> float:
        return self.terms.lot

    def _repr_html_(self) -> str:
        from research.reports import summary_html

        return summary_html(self)


def backtest(
    strategy: Strategy | Portfolio,
    bars: pl.DataFrame,
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    leverage: float = LEVERAGE,
    fill: Fill = "next_open",
    trade_from: date | datetime | None = None,
    actions: pl.DataFrame | None = None,
    delay_bars: int = 0,
    record: bool = True,
) -> Backtest:
    """Trade `strategy` over `bars`; bars before `trade_from` only warm up features.

    A Strategy has a book of capital / symbols for each symbol, a Portfolio one account.  `actions`
    (data.instruments.ACTION_SCHEMA) are the splits and dividends in raw prices; of bars from research.bars they are
    known.  The run goes on record and into the trial ledger; with record=False the result says that it did not.
    """
    check_made(strategy)
    check_bars(bars)
    keep_out_of_holdout(type(strategy), bars)
    actions = known_actions(bars) if actions is None else actions
    done = run_backtest(
        strategy, bars, capital=capital, costs=costs, lot=lot, leverage=leverage, fill=fill,
        trade_from=trade_from, actions=actions, delay_bars=delay_bars,
    )  # fmt: skip
    terms: dict[str, Any] = {"lot": lot, "leverage": leverage, "trade_from": trade_from, "actions": actions}
    if fill != "next_open":
        terms["fill"] = fill
    if delay_bars:
        terms["delay_bars"] = delay_bars
    return replace(done, record=record_backtest(done, terms=terms, record=record))


def run_backtest(
    strategy: Strategy | Portfolio,
    bars: pl.DataFrame,
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    leverage: float = LEVERAGE,
    fill: Fill = "next_open",
    trade_from: date | datetime | None = None,
    actions: pl.DataFrame | None = None,
    delay_bars: int = 0,
) -> Backtest:
    """`backtest` alone: nothing is recorded, and no holdout is looked after.  For what is part of something else."""
    books = books_of(bars, trade_from, actions)
    terms = Terms(capital, costs or CostModel(), lot, leverage, fill, delay_bars)
    if isinstance(strategy, Portfolio):
        run = _run_portfolio(strategy, books, terms)
    else:
        run = _run_books(strategy, books, replace(terms, capital=capital / len(books)))
    return Backtest(
        strategy=strategy,
        symbols=tuple(book.symbol for book in books),
        capital=capital,
        terms=terms,
        bars=bars,
        actions=actions,
        orders=run.orders,
        trades=trades_of(_in_shares_of_today(run.orders, books)),
        equity=_curve(run.ts_us, run.equity),
        curves=run.curves,
        statistics=as_row(from_tally(run.tallies.named(), capital, bars_per_year_at(run.ts_us))),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    tallies: Tallies
    ts_us: NDArray[np.int64]
    equity: FloatArray
    orders: pl.DataFrame
    curves: dict[str, pl.DataFrame]


def _run_books(strategy: Strategy, books: Sequence[Book], terms: Terms) -> _Run:
    desk = Desk(books, terms.capital * len(books))
    each, curves, orders = [], [], []
    rows, sets = rows_of([strategy])
    for book in books:
        table = feature_table(book, rows, terms.delay_bars)
        recording = recording_of(len(book.ts_us))
        tallies, ordered = run_pass(type(strategy), book, terms, table, sets, book.tape(terms), recording)
        each.append(tallies)
        curves.append(recording.equity)
        names = pl.Series([book.symbol]).new_from_index(0, ordered)
        orders.append(_order_frame(recording.orders[:ordered], names, book.ts_us, terms))
    equity = desk.equity(curves)
    lines = {
        book.symbol: _curve(book.ts_us[book.start :], curve[book.start :])
        for book, curve in zip(books, curves, strict=True)
    }
    return _Run(desk.tally(equity, each), desk.ts_us, equity, pl.concat(orders), lines)


def _run_portfolio(strategy: Portfolio, books: Sequence[Book], terms: Terms) -> _Run:
    laid = LaidOut(books, terms)
    rows, sets = rows_of([strategy])
    features = laid.features(rows)
    recording = laid.recording()
    tallies, ordered = laid.run(type(strategy), features, sets, recording)
    orders = recording.orders[:ordered]
    curves = laid.curves(orders)
    lines = {symbol: _curve(laid.ts_us, curves[:, place]) for place, symbol in enumerate(laid.symbols)}
    names = pl.Series(laid.symbols, dtype=pl.String)[orders["symbol"]]
    frame = _order_frame(orders, names, laid.ts_us, terms).sort("symbol", "bar_ts_utc")
    return _Run(tallies, laid.ts_us, recording.equity, frame, lines)


def _order_frame(
    orders: NDArray[Any], symbols: pl.Series, ts_us: NDArray[np.int64], terms: Terms
) -> pl.DataFrame:
    filled = orders["fill_bar"] >= 0
    # A fill at the close is booked with the next bar, but it happened on this one.
    at = orders["bar"] if terms.fill == "close" else orders["fill_bar"]
    return pl.DataFrame(
        {
            "symbol": symbols,
            "bar_ts_utc": pl.Series(ts_us[orders["bar"]]).cast(_TS),
            "side": _SIDES[(orders["qty"] > 0.0).astype(np.uint32)],
            "qty": np.abs(orders["qty"]),
            "target": orders["target"],
            "fill_ts_utc": where(filled, ts_us[at]).cast(_TS),
            "fill_price": where(filled, orders["price"]),
            "commission": where(filled, orders["commission"]),
        }
    )


def _in_shares_of_today(orders: pl.DataFrame, books: Sequence[Book]) -> pl.DataFrame:
    """Orders before a split as if it had been so from the start, so that a round trip may span it."""
    parts = []
    for book in books:
        if not len(book.acts):
            continue
        later = np.append(np.cumprod(book.ratio[::-1])[::-1][1:], 1.0)
        parts.append(
            pl.DataFrame(
                {
                    "symbol": pl.repeat(book.symbol, len(later), eager=True),
                    "fill_ts_utc": pl.Series(book.ts_us).cast(_TS),
                    "later": later,
                }
            )
        )
    if not parts:
        return orders
    later_splits = pl.col("later").fill_null(1.0)
    return (
        orders.join(pl.concat(parts), on=["symbol", "fill_ts_utc"], how="left", maintain_order="left")
        .with_columns(qty=pl.col("qty") * later_splits, fill_price=pl.col("fill_price") / later_splits)
        .drop("later")
    )


def _curve(ts_us: NDArray[np.int64], equity: FloatArray) -> pl.DataFrame:
    return pl.DataFrame({"ts_utc": pl.Series(ts_us).cast(_TS), "equity": equity})
