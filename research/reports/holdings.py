"""What a backtest held and paid, bar by bar: read from its orders and bars, not computed a second time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from execution.strategy.arrays import FloatArray

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
    """Symbol -> ts_utc, close of the traded range, in the order of time."""
    bars = backtest.bars.select("symbol", "ts_utc", "close").sort("ts_utc")
    parts = bars.filter(pl.col("ts_utc") <= backtest.equity["ts_utc"][-1]).partition_by(
        "symbol", as_dict=True
    )
    return {str(symbol): frame for (symbol,), frame in parts.items()}


def buy_and_hold(backtest: "Backtest") -> FloatArray:
    """The capital in equal parts in each symbol from the first traded bar, at each close, without costs."""
    timeline = backtest.equity.select("ts_utc")
    total = np.zeros(len(timeline))
    closes = closes_of(backtest)
    for symbol in backtest.symbols:
        laid = timeline.join_asof(closes[symbol].select("ts_utc", "close"), on="ts_utc")["close"]
        laid = laid.fill_null(strategy="backward")
        total += (laid / laid[0]).to_numpy()
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
        fills = backtest.orders.filter(
            (pl.col("symbol") == symbol) & pl.col("fill_price").is_not_null()
        ).select(
            pl.col("fill_ts_utc").alias("ts_utc"),
            pl.when(pl.col("side") == "buy")
            .then(pl.col("qty"))
            .otherwise(-pl.col("qty"))
            .cum_sum()
            .alias("held"),
        )
        laid = timeline.join_asof(closes[symbol].select("ts_utc", "close"), on="ts_utc")
        laid = laid.join_asof(fills, on="ts_utc")
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
