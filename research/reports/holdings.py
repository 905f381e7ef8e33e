"""What a backtest held and paid, bar by bar: read from its orders and bars, not computed a second time."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from execution.strategy.arrays import FloatArray
from research.passes.books import books_of

if TYPE_CHECKING:
    from research.backtest import Backtest

CHARGES: Final = ("commission", "slippage", "borrow", "interest")
"""Statistics that are money paid; those a backtest does not know are left out."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much of the equity stood in each symbol."""

    shares: dict[str, FloatArray]
    """symbol -> the mean of position value / equity over each column's bars; negative when short"""
    starts: FloatArray
    """the bar at which each column begins"""
    bars_per_column: float


def closes_of(backtest: "Backtest") -> dict[str, pl.DataFrame]:
    """Symbol -> ts_utc, close, and what a first share has become: `shares`, and `paid` in dividends."""
    ended = pl.col("ts_utc") <= backtest.equity["ts_utc"][-1]
    found = {}
    for book in books_of(backtest.bars, None, backtest.actions):
        shares = np.cumprod(book.ratio)
        columns = {
            "close": book.close,
            "shares": shares,
            "paid": np.cumsum(book.dividend * shares / book.ratio),
        }
        stamps = pl.Series("ts_utc", book.ts_us).cast(pl.Datetime("us", "UTC"))
        found[book.symbol] = pl.DataFrame([stamps]).with_columns(**columns).filter(ended)
    return found


def buy_and_hold(backtest: "Backtest") -> FloatArray:
    """The capital in equal parts in each symbol from the first traded bar, at each close, without costs.

    Dividends stay cash.
    """
    timeline = backtest.equity.select("ts_utc")
    total = np.zeros(len(timeline))
    closes = closes_of(backtest)
    for symbol in backtest.symbols:
        laid = timeline.join_asof(closes[symbol], on="ts_utc").fill_null(strategy="backward")
        worth, paid = (laid["close"] * laid["shares"]).to_numpy(), laid["paid"].to_numpy()
        total += (worth + paid - paid[0]) / worth[0]
    return total * (backtest.capital / len(backtest.symbols))


def exposure(backtest: "Backtest", columns: int = 320) -> Exposure:
    """Position value over equity at each close, averaged over stretches of bars so that no more than `columns` are."""
    timeline = backtest.equity.select("ts_utc")
    equity = backtest.equity["equity"].to_numpy()
    alive = equity > 0.0
    starts = np.unique(np.linspace(0, len(equity), min(columns, len(equity)) + 1)[:-1].astype(np.int64))
    counts = np.diff(np.append(starts, len(equity)))
    closes = closes_of(backtest)
    shares: dict[str, FloatArray] = {}
    for symbol in backtest.symbols:
        laid = timeline.join_asof(closes[symbol], on="ts_utc")
        laid = laid.join_asof(_held(backtest, symbol, closes[symbol]), on="ts_utc")
        value = (laid["close"] * laid["held"]).fill_null(0.0).to_numpy()
        share = np.divide(value, equity, out=np.zeros(len(equity)), where=alive)
        shares[symbol] = np.add.reduceat(share, starts) / counts
    return Exposure(shares, starts.astype(np.float64), len(equity) / len(starts))


def money(backtest: "Backtest") -> list[tuple[str, float]]:
    """(name, amount): the gross result, what each charge took from it, and the net result that is left."""
    net = float(backtest.equity["equity"][-1]) - backtest.capital
    charges = [
        (name, float(backtest.statistics[name] or 0.0)) for name in CHARGES if name in backtest.statistics
    ]
    gross = net + sum(amount for _, amount in charges)
    return [("gross", gross), *((name, -amount) for name, amount in charges), ("net", net)]


def _held(backtest: "Backtest", symbol: str, closes: pl.DataFrame) -> pl.DataFrame:
    """ts_utc, held: the shares after each fill and each split."""
    buys = pl.col("side") == "buy"
    fills = backtest.orders.filter((pl.col("symbol") == symbol) & pl.col("fill_price").is_not_null()).select(
        pl.col("fill_ts_utc").alias("ts_utc"),
        pl.when(buys).then(pl.col("qty")).otherwise(-pl.col("qty")).alias("change"),
    )
    splits = closes.select("ts_utc", ratio=pl.col("shares") / pl.col("shares").shift()).filter(
        pl.col("ratio") != 1.0
    )
    if splits.is_empty():
        return fills.select("ts_utc", held=pl.col("change").cum_sum())
    events = pl.concat([splits, fills], how="diagonal").sort(
        "ts_utc", maintain_order=True
    )  # a split comes first
    held, after = 0.0, []
    for ratio, change in events.select("ratio", "change").iter_rows():
        # Fractions of a lot are paid out in cash.
        held = held + change if ratio is None else math.trunc(held * ratio / backtest.lot) * backtest.lot
        after.append(held)
    return events.select("ts_utc", pl.Series("held", after, dtype=pl.Float64))
