"""A series of returns beside those of a benchmark, bar by bar."""

from dataclasses import dataclass

import numpy as np

from data.errors import UsageError
from research.statistics.curve import sharpe_of
from research.statistics.sums import FloatArray


@dataclass(frozen=True, slots=True)
class Relative:
    """What a benchmark explains; NaN where either series never moves."""

    alpha: float
    """what is left per year, compounded"""
    beta: float
    information_ratio: float
    """annualised Sharpe ratio of the difference"""
    correlation: float


def relative_to(benchmark: FloatArray, returns: FloatArray, bars_per_year: float) -> Relative:
    """`returns` against those of a benchmark at the same bars; the risk-free rate is zero."""
    if benchmark.shape != returns.shape:
        raise UsageError(
            f"the benchmark has {benchmark.size} returns, the strategy {returns.size}",
            "Take both at the same bars.",
        )
    beta = correlation = alpha = float("nan")
    moves, market = (not np.isnan(sharpe_of(each, 1.0)) for each in (returns, benchmark))
    if market:
        away = benchmark - benchmark.mean()
        covariance = float(np.mean(away * (returns - returns.mean())))
        beta = covariance / float(np.mean(away**2))
        with np.errstate(all="ignore"):
            alpha = float((1.0 + returns.mean() - beta * benchmark.mean()) ** bars_per_year - 1.0)
        if moves:
            correlation = covariance / float(returns.std() * benchmark.std())
    information = sharpe_of(returns - benchmark, bars_per_year)
    return Relative(alpha if np.isfinite(alpha) else float("nan"), beta, information, correlation)
