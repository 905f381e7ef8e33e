"""A backtest: one parameter set in full detail, by the very pass that sweeps."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.orders import ORDER_SCHEMA
from execution.strategy import CostModel, Strategy
from execution.strategy.arrays import FloatArray
from research.passes.books import Book, Portfolio, Terms, books_of, feature_table, named, run_pass
from research.passes.kernel import ORDER
from research.statistics import as_row, bars_per_year, from_tally
from research.trades import trades_of

_TS: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Backtest:
    """What one strategy would have done: orders, trades, equity, statistics."""

    strategy: Strategy
    symbols: tuple[str, ...]
    capital: float
    costs: CostModel
    lot: float
    bars: pl.DataFrame
    orders: pl.DataFrame
    """data.orders.ORDER_SCHEMA, by symbol, then time; fill columns are null until filled"""
    trades: pl.DataFrame
    """research.trades.TRADE_SCHEMA; the last of a symbol may still be open"""
    equity: pl.DataFrame
    """ts_utc, equity: the sum over symbols at each close"""
    books: pl.DataFrame
    """symbol, ts_utc, equity: each symbol on its own"""
    statistics: dict[str, Any]
    """research.statistics.NAMES -> number, None where it does not exist"""

    def _repr_html_(self) -> str:
        from research.report import summary_html

        return summary_html(self)


def backtest(
    strategy: Strategy,
    bars: pl.DataFrame,
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    trade_from: date | datetime | None = None,
) -> Backtest:
    """Trade `strategy` over `bars`: each symbol is a book of capital / symbols; bars before `trade_from` warm up."""
    costs = costs or CostModel()
    books = books_of(bars, trade_from)
    portfolio = Portfolio(books, capital)
    terms = Terms(capital / len(books), costs, lot)
    passes = [_run(strategy, book, terms) for book in books]
    equity = portfolio.equity([curve for _, curve, _ in passes])
    tally = portfolio.tally(equity, np.stack([tally for tally, _, _ in passes]))
    timeline = pl.Series("ts_utc", portfolio.ts_us).cast(_TS)
    orders = pl.concat([orders for _, _, orders in passes])
    return Backtest(
        strategy=strategy,
        symbols=tuple(book.symbol for book in books),
        capital=capital,
        costs=costs,
        lot=lot,
        bars=bars,
        orders=orders,
        trades=trades_of(orders),
        equity=pl.DataFrame({"ts_utc": timeline, "equity": equity}),
        books=pl.concat([_curve(book, curve) for book, (_, curve, _) in zip(books, passes, strict=True)]),
        statistics=as_row(from_tally(named(tally[None, :]), capital, bars_per_year(timeline))),
    )


def _run(strategy: Strategy, book: Book, terms: Terms) -> tuple[FloatArray, FloatArray, pl.DataFrame]:
    table, sets = feature_table(book, [strategy])
    equity = np.zeros(len(book.bars))
    orders = np.empty(len(book.bars), dtype=ORDER)
    tallies, ordered = run_pass(type(strategy), book, terms, table, sets, equity, orders)
    return tallies[0], equity, _order_frame(book, orders[:ordered])


def _order_frame(book: Book, orders: NDArray[Any]) -> pl.DataFrame:
    at = orders["bar"]
    filled = ~np.isnan(orders["price"])
    fill_ts = pl.Series(book.ts_us[np.minimum(at + 1, len(book.ts_us) - 1)]).cast(_TS)
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([book.symbol] * len(orders), dtype=pl.String),
            "bar_ts_utc": pl.Series(book.ts_us[at]).cast(_TS),
            "side": pl.Series(np.where(orders["qty"] > 0.0, "buy", "sell"), dtype=pl.String),
            "qty": np.abs(orders["qty"]),
            "target": orders["target"],
            "fill_ts_utc": fill_ts,
            "fill_price": orders["price"],
            "commission": orders["commission"],
            "filled": filled,
        }
    )
    never = pl.when("filled")
    return frame.with_columns(
        never.then(name).alias(name) for name in ("fill_ts_utc", "fill_price", "commission")
    ).select(ORDER_SCHEMA.names())


def _curve(book: Book, curve: FloatArray) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": pl.Series([book.symbol] * (len(curve) - book.start), dtype=pl.String),
            "ts_utc": pl.Series(book.ts_us[book.start :]).cast(_TS),
            "equity": curve[book.start :],
        }
    )
