"""Confidence intervals from resampled blocks of returns: what else could have come out of the same market.

The stationary bootstrap (Politis and Romano, JASA 89, 1994): blocks of geometric length, wrapped around the end, keep
what a day owes to the days before.  Their mean length is chosen from the data (Politis and White, Econometric
Reviews 23, 2004, as corrected by Patton, Politis and White, 28, 2009).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.statistics.sums import FloatArray, cagr, sharpe

RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95
_AT_ONCE: Final = 1_000_000
"""Returns drawn at once: some 50 MB of tables."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which bounds a statistic lies with the given confidence (each tail has half of the rest)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Statistics of resampled histories."""

    sharpe: Interval
    cagr: Interval
    max_drawdown: Interval
    sharpe_floor: float
    """with the given confidence the Sharpe ratio is above this (the whole rest in one tail)"""
    block_periods: float
    resamples: int


def resampled(
    returns: FloatArray,
    periods_per_year: float,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    block_periods: float | None = None,
    seed: int = 0,
) -> Resampled | None:
    """The same seed gives the same intervals; None where there are fewer than ten returns or all are equal."""
    if returns.size < 10 or not np.isfinite(returns).all() or not returns.std() > 0.0:
        return None
    length = block_periods or automatic_block(returns)
    random = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // returns.size)
    rows: list[FloatArray] = []
    for first in range(0, resamples, at_once):
        drawn = returns[_stationary(random, min(at_once, resamples - first), returns.size, length)]
        rows.append(_statistics(drawn, periods_per_year))
    found = np.concatenate(rows, axis=1)
    tails = ((1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0)
    low, high = np.nanquantile(found, tails, axis=1)
    sharpe, cagr, drawdown = (Interval(float(a), float(b)) for a, b in zip(low, high, strict=True))
    return Resampled(
        sharpe,
        cagr,
        drawdown,
        sharpe_floor=float(np.nanquantile(found[0], 1.0 - confidence)),
        block_periods=length,
        resamples=resamples,
    )


def _statistics(drawn: FloatArray, periods_per_year: float) -> FloatArray:
    ratio = sharpe(drawn.shape[1], drawn.sum(axis=1), np.square(drawn).sum(axis=1), periods_per_year)
    wealth = np.cumprod(1.0 + drawn, axis=1)
    growth = cagr(wealth[:, -1] - 1.0, drawn.shape[1], periods_per_year)
    peak = np.maximum(np.maximum.accumulate(wealth, axis=1), 1.0)
    return np.stack((ratio, growth, (wealth / peak).min(axis=1) - 1.0))


def _stationary(random: np.random.Generator, rows: int, size: int, length: float) -> NDArray[np.int64]:
    """Rows of places: each place follows the one before, or jumps with probability 1 / length."""
    jumps = random.random((rows, size)) < 1.0 / length
    jumps[:, 0] = True
    here = np.arange(size)
    since = np.maximum.accumulate(np.where(jumps, here, 0), axis=1)
    start = random.integers(0, size, (rows, size))
    return np.asarray((np.take_along_axis(start, since, axis=1) + here - since) % size)


def automatic_block(returns: FloatArray) -> float:
    """The mean block length that Politis and White's rule gives for the stationary bootstrap, at least 1."""
    size = returns.size
    away = returns - returns.mean()
    quiet = max(5, int(np.ceil(np.log10(size))))
    most = min(int(np.ceil(np.sqrt(size))) + quiet, size - 1)
    covariance = np.array([away[lag:] @ away[: size - lag] for lag in range(most + 1)]) / size
    if not covariance[0] > 0.0:
        return 1.0
    # The last lag after which `quiet` correlations in a row are insignificant.
    loud = np.abs(covariance[1:] / covariance[0]) > 2.0 * np.sqrt(np.log10(size) / size)
    last = next((lag for lag in range(most) if not loud[lag : lag + quiet].any()), most)
    lags = np.arange(1, min(2 * max(last, 1), most) + 1)
    taper = np.minimum(1.0, 2.0 * (1.0 - lags / (2.0 * max(last, 1))))
    kept = np.maximum(taper, 0.0) * covariance[lags]
    long_run = covariance[0] + 2.0 * kept.sum()
    if not long_run > 0.0:
        return 1.0
    change = 2.0 * (lags * kept).sum()
    length = (change**2 / long_run**2) ** (1 / 3) * size ** (1 / 3)  # (2 G² / 2 g(0)²)^⅓ n^⅓
    return float(np.clip(length, 1.0, np.ceil(min(3.0 * np.sqrt(size), size / 3.0))))
