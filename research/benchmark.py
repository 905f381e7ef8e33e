"""The sweep against its peers, in one run on one machine: dual moving averages, every statistic.

Peers do what a competent user of theirs would write.  vectorbt gets its sets in batches: all thousand at once were
killed at 20 GB here.  By default the peers run part of the sets, and their time is scaled up.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from research.statistics import bars_per_year
from research.strategies.crossover import Crossover
from research.sweep import sweep

SLIPPAGE: Final = 1e-4  # CostModel's default, as a fraction

PEER_BATCH: Final = 50
"""Sets that vectorbt gets at once: one gigabyte of arrays at 200,000 bars."""

Grid = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Timed:
    """One contestant's time for the whole grid."""

    name: str
    seconds: float
    """median over rounds, scaled to all sets"""
    sets: int
    """really run"""


def compare_sweeps(bars: int, sets: int, peer_sets: int, rounds: int) -> Iterator[Timed]:
    """Time each contestant; rounds alternate between them, so that a noisy moment hits all alike."""
    market = random_market(bars)
    fast = list(range(5, 5 + 25))
    slow = list(range(40, 40 + 5 * -(-sets // 25), 5))
    grid = [(f, s) for s in slow for f in fast][:sets]
    part = grid[:: max(1, sets // peer_sets)][:peer_sets]
    everything: dict[str, tuple[Callable[[pl.DataFrame, Grid], Any], Grid]] = {
        "slipway": (_slipway, grid),
        "numpy, one set at a time": (_numpy, part),
        "vectorbt (numba)": (lambda market, grid: _vectorbt(market, grid, "numba"), part),
        "vectorbt (rust)": (lambda market, grid: _vectorbt(market, grid, "rust"), part),
    }
    for run, _ in everything.values():
        run(market.head(2000), grid[:2])  # compile and import outside the measurement
    taken: dict[str, list[float]] = {name: [] for name in everything}
    for _ in range(rounds):
        for name, (run, given) in everything.items():
            batch = len(given) if name == "slipway" else PEER_BATCH
            seconds = 0.0
            for first in range(0, len(given), batch):
                gc.collect()  # vectorbt's portfolios are cycles that hold their arrays
                started = time.perf_counter()
                run(market, given[first : first + batch])
                seconds += time.perf_counter() - started
            taken[name].append(seconds * len(grid) / len(given))
    for name, (_, given) in everything.items():
        yield Timed(name, statistics.median(taken[name]), len(given))


def random_market(bars: int, per_day: int = 390) -> pl.DataFrame:
    """A random walk of minutes in sessions."""
    random = np.random.default_rng(4)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 6e-4, bars)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0.0, 5e-5, bars))
    first = datetime(2020, 1, 6, 14, 30, tzinfo=UTC)
    number = pl.int_range(bars, eager=True)
    days = number // per_day
    stamp = (days // 5 * 7 + days % 5) * 86_400 + number % per_day * 60
    return pl.DataFrame(
        {
            "symbol": pl.repeat("WALK", bars, eager=True),
            "ts_utc": pl.Series(stamp * 1_000_000).cast(pl.Duration("us")) + first,
            "open": open_,
            "high": np.maximum(open_, close),
            "low": np.minimum(open_, close),
            "close": close,
            "volume": np.ones(bars),
        }
    )


def _slipway(market: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    fast, slow = sorted({f for f, _ in grid}), sorted({s for _, s in grid})
    return sweep(Crossover, market, {"slow": slow, "fast": fast})


def _numpy(market: pl.DataFrame, grid: Grid) -> list[tuple[float, ...]]:
    close = market["close"].to_numpy()
    change = np.diff(close, prepend=close[0]) / close
    year = bars_per_year(market["ts_utc"])
    sums = np.concatenate(([0.0], np.cumsum(close)))

    def average(window: int) -> Any:
        means = np.full(len(close), np.nan)
        means[window - 1 :] = (sums[window:] - sums[:-window]) / window
        return means

    averages = {window: average(window) for pair in grid for window in pair}
    rows: list[tuple[float, ...]] = []
    for fast, slow in grid:
        held = np.concatenate(([0.0], (averages[fast] > averages[slow])[:-1].astype(float)))
        turned = np.abs(np.diff(held, prepend=0.0))
        returns = held * change - turned * SLIPPAGE
        equity = np.cumprod(1.0 + returns)
        downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
        rows.append(
            (
                equity[-1] - 1.0,
                equity[-1] ** (year / len(equity)) - 1.0,
                returns.mean() / returns.std(ddof=1) * year**0.5,
                returns.mean() / downside * year**0.5,
                (equity / np.maximum.accumulate(equity)).min() - 1.0,
                turned.sum() // 2,
                held.mean(),
            )
        )
    return rows


def _vectorbt(market: pl.DataFrame, grid: Grid, engine: str) -> list[Any]:
    import pandas as pd
    import vectorbt as vbt

    index = pd.DatetimeIndex(market["ts_utc"].to_numpy())
    close = pd.Series(market["close"].to_numpy(), index=index)
    next_open = pd.Series(market["open"].to_numpy(), index=index).shift(-1).ffill()
    fast = vbt.MA.run(close, [f for f, _ in grid], short_name="fast").ma
    slow = vbt.MA.run(close, [s for _, s in grid], short_name="slow").ma
    above = pd.DataFrame(fast.to_numpy() > slow.to_numpy(), index=index)
    portfolio = vbt.Portfolio.from_signals(
        close,
        entries=above,
        exits=~above,
        price=next_open,
        slippage=SLIPPAGE,
        size_granularity=1,
        init_cash=100_000.0,
        freq=timedelta(minutes=1),
        engine=engine,
    )
    trades = portfolio.trades
    return [
        portfolio.total_return(),
        portfolio.annualized_return(),
        portfolio.sharpe_ratio(),
        portfolio.sortino_ratio(),
        portfolio.max_drawdown(),
        trades.count(),
        trades.win_rate(),
    ]
