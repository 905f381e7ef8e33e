"""The sweep against its peers, in one run on one machine: dual moving averages, every statistic.

Peers do what a competent user of theirs would write.  vectorbt gets its sets in batches: all thousand at once were
killed at 20 GB here.  By default the peers run part of the sets, and their time is scaled up.  Our rules come from
source text, as a user's would: none of them is in the library.
"""

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from execution.strategy import Strategy, load_strategy
from research.benchmarks.market import random_market
from research.passes.books import BLOCKS, block_bounds
from research.statistics import bars_per_year
from research.sweep import sweep

SLIPPAGE: Final = 1e-4  # CostModel's default, as a fraction

PEER_BATCH: Final = 50
"""Sets that vectorbt gets at once: one gigabyte of arrays at 200,000 bars."""

Grid = list[tuple[int, int]]

_AVERAGES: Final = """
from execution.strategy import Strategy, param, sma


class {name}(Strategy):
    fast = param(10, low=2, high=60)
    slow = param(50, low=20, high=5000)

    def features(self):
        return {{"fast": sma("close", self.fast), "slow": sma("close", self.slow)}}

    @staticmethod
    def decide({arguments}):
        return {rule}
"""

_FREE: Final = _AVERAGES.format(name="Averages", arguments="x", rule="1.0 if x.fast > x.slow else 0.0")
_SEEING: Final = _AVERAGES.format(
    name="GuardedAverages",
    arguments="x, position",
    rule="0.0 if position.open_profit < -0.5 else (1.0 if x.fast > x.slow else 0.0)",
)
_REVERSION: Final = """
import math
from execution.strategy import Strategy, constant, param, rsi


class Reversion(Strategy):
    fast = param(14, low=2, high=60)
    slow = param(50, low=20, high=5000)

    def features(self):
        return {"strength": rsi("close", self.fast), "edge": constant(50.0 - self.slow / 30.0)}

    @staticmethod
    def decide(x):
        return 1.0 if x.strength < x.edge else (0.0 if x.strength > 55.0 else math.nan)
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """One contestant's time for the whole grid."""

    name: str
    seconds: float
    """median over rounds, scaled to all sets"""
    sets: int
    """really run"""


def grid_of(sets: int) -> tuple[range, range, Grid]:
    """25 fast averages × as many slow ones as it takes."""
    fast = range(5, 30)
    slow = range(40, 40 + 5 * -(-sets // 25), 5)
    return fast, slow, [(f, s) for s in slow for f in fast][:sets]


def compare_sweeps(bars: int, sets: int, peer_sets: int, rounds: int) -> Iterator[Timed]:
    """Time each contestant; rounds alternate between them, so that a noisy moment hits all alike."""
    market = random_market(bars)
    _, _, grid = grid_of(sets)
    part = grid[:: max(1, sets // peer_sets)][:peer_sets]
    everything: dict[str, tuple[Callable[[pl.DataFrame, Grid], Any], Grid, int]] = {
        "slipway, decide(x)": (_ours(_FREE), grid, len(grid)),
        "slipway, decide(x, position)": (_ours(_SEEING), grid, len(grid)),
        "slipway, another rule: RSI": (_ours(_REVERSION), grid, len(grid)),
        "numpy, one set at a time": (_numpy, part, len(part)),
        "vectorbt (numba)": (lambda market, grid: _vectorbt(market, grid, "numba"), part, PEER_BATCH),
        "vectorbt (rust)": (lambda market, grid: _vectorbt(market, grid, "rust"), part, PEER_BATCH),
    }
    for run, _, _ in everything.values():
        run(market.head(2000), grid[:25])  # compile and import outside the measurement
    taken: dict[str, list[float]] = {name: [] for name in everything}
    for _ in range(rounds):
        for name, (run, given, batch) in everything.items():
            seconds = 0.0
            for first in range(0, len(given), batch):
                gc.collect()  # vectorbt's portfolios are cycles that hold their arrays
                started = time.perf_counter()
                run(market, given[first : first + batch])
                seconds += time.perf_counter() - started
            taken[name].append(seconds * len(grid) / len(given))
    for name, (_, given, _) in everything.items():
        yield Timed(name, statistics.median(taken[name]), len(given))


def time_ours(bars: int, sets: int) -> Timed:
    """One sweep of ours, warm: for sizes at which no peer would finish."""
    run = _ours(_FREE)
    _, _, grid = grid_of(sets)
    run(random_market(2000), grid[:25])
    market = random_market(bars)
    started = time.perf_counter()
    run(market, grid)
    return Timed(f"slipway, {bars:,} bars × {sets:,} sets", time.perf_counter() - started, sets)


_FRESH: Final = """
import time
started = time.perf_counter()
import re, sys
def peak_mb():  # getrusage would tell the highest of whoever started this process, too
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
from execution.strategy import load_strategy
from research.benchmarks.market import random_market
from research.passes.books import BLOCKS, block_bounds
from research import sweep
market = random_market({bars})
fast, slow = range(5, 30), range(40, 40 + 5 * ({sets} // 25), 5)
strategy = load_strategy(sys.stdin.read())
strategy(fast=5, slow=40)
before_mb = peak_mb()
sweep(strategy, market, {{"slow": slow, "fast": fast}}, record=False)
print(time.perf_counter() - started, before_mb, peak_mb())
"""


@dataclass(frozen=True, slots=True)
class First:
    """The first sweep of a process that imports, makes a market and compiles a new rule."""

    seconds: float
    before_mb: float
    """peak memory when everything was there but the sweep"""
    peak_mb: float


def first_sweep(bars: int, sets: int) -> First:
    """What somebody waits for and needs who starts anew."""
    command = [sys.executable, "-P", "-c", _FRESH.format(bars=bars, sets=sets)]
    told = subprocess.run(command, input=_FREE, capture_output=True, text=True, check=True).stdout
    return First(*map(float, told.split()))


def _ours(source: str) -> Callable[[pl.DataFrame, Grid], Any]:
    strategy: type[Strategy] = load_strategy(source)

    def run(market: pl.DataFrame, grid: Grid) -> Any:
        fast, slow = sorted({f for f, _ in grid}), sorted({s for _, s in grid})
        return sweep(strategy, market, {"slow": slow, "fast": fast}, record=False)

    return run


def _numpy(market: pl.DataFrame, grid: Grid) -> list[tuple[Any, ...]]:
    """All that a sweep of ours tells, but for whole shares: all of the equity is held, or nothing."""
    close = market["close"].to_numpy()
    change = np.diff(close, prepend=close[0]) / close
    year = bars_per_year(market["ts_utc"])
    blocks = block_bounds(len(close), BLOCKS)[:-1]
    sums = np.concatenate(([0.0], np.cumsum(close)))

    def average(window: int) -> Any:
        means = np.full(len(close), np.nan)
        means[window - 1 :] = (sums[window:] - sums[:-window]) / window
        return means

    averages = {window: average(window) for pair in grid for window in pair}
    rows: list[tuple[Any, ...]] = []
    for fast, slow in grid:
        held = np.concatenate(([0.0], (averages[fast] > averages[slow])[:-1].astype(float)))
        turned = np.abs(np.diff(held, prepend=0.0))
        returns = held * change - turned * SLIPPAGE
        equity = np.cumprod(1.0 + returns)
        downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
        drawdown = (equity / np.maximum.accumulate(equity)).min() - 1.0
        growth = equity[-1] ** (year / len(equity)) - 1.0
        bought, sold = np.flatnonzero(np.diff(held, prepend=0.0) > 0), np.flatnonzero(np.diff(held) < 0) + 1
        traded = turned @ equity
        rows.append(
            (
                equity[-1] - 1.0,
                growth,
                returns.mean() / returns.std(ddof=1) * year**0.5,
                returns.mean() / downside * year**0.5,
                drawdown,
                growth / -drawdown,
                len(sold),
                np.mean(equity[sold] > equity[bought[: len(sold)] - 1]),
                traded / equity.mean() * year / len(equity),
                held.mean(),
                traded * SLIPPAGE,
                np.add.reduceat(returns, blocks),
                np.add.reduceat(returns * returns, blocks),
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
