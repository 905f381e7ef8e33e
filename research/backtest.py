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
from research.passes.books import LEVERAGE, Book, Fill, Terms, books_of, feature_table
from research.passes.desk import Desk
from research.passes.running import Tallies, recording_of, run_pass
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
    leverage: float = LEVERAGE,
    fill: Fill = "next_open",
    trade_from: date | datetime | None = None,
    actions: pl.DataFrame | None = None,
    delay_bars: int = 0,
) -> Backtest:
    """Trade `strategy` over `bars`: each symbol is a book of capital / symbols; bars before `trade_from` warm up."""
    books = books_of(bars, trade_from, actions)
    terms = Terms(capital / len(books), costs or CostModel(), lot, leverage, fill, delay_bars)
    desk = Desk(books, capital)
    passes = [_run(strategy, book, terms) for book in books]
    equity = desk.equity([curve for _, curve, _ in passes])
    tally = desk.tally(equity, [tallies for tallies, _, _ in passes])
    timeline = pl.Series("ts_utc", desk.ts_us).cast(_TS)
    orders = pl.concat([orders for _, _, orders in passes])
    return Backtest(
        strategy=strategy,
        symbols=tuple(book.symbol for book in books),
        capital=capital,
        costs=terms.costs,
        lot=lot,
        bars=bars,
        orders=orders,
        trades=trades_of(orders),
        equity=pl.DataFrame({"ts_utc": timeline, "equity": equity}),
        books=pl.concat([_curve(book, curve) for book, (_, curve, _) in zip(books, passes, strict=True)]),
        statistics=as_row(from_tally(tally.named(), capital, bars_per_year(timeline))),
    )


def _run(strategy: Strategy, book: Book, terms: Terms) -> tuple[Tallies, FloatArray, pl.DataFrame]:
    table, sets = feature_table(book, [strategy], terms.delay_bars)
    recording = recording_of(len(book.ts_us))
    tallies, ordered = run_pass(type(strategy), book, terms, table, sets, book.tape(terms), recording)
    return tallies, recording.equity, _order_frame(book, recording.orders[:ordered])


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
