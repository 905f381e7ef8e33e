"""What a single series of returns says about itself."""

from typing import Final

import numpy as np

from research.statistics.drawdowns import max_drawdown_of
from research.statistics.sums import FloatArray, cagr, calmar, sharpe, sortino

TAIL: Final = 0.05
"""The share of worst returns that value at risk looks at, as empyrical does."""

_NOTHING: Final = float("nan")


def returns_of(equity: FloatArray, capital: float) -> FloatArray:
    """Simple returns per bar, the first from the starting capital."""
    return equity / np.concatenate(([capital], equity[:-1])) - 1.0


def reason_of(returns: FloatArray) -> str | None:
    """Why statistics of these returns are missing, None if they are not."""
    if returns.size < 2:
        return "there are no returns" if returns.size == 0 else "a single return has no deviation"
    if not np.isfinite(returns).all():
        return f"return {int(np.flatnonzero(~np.isfinite(returns))[0]) + 1} is not a number"
    if np.isnan(sharpe_of(returns, 1.0)):
        return "nothing was ever held" if not returns.any() else "all returns are equal"
    return None


def total_return_of(returns: FloatArray) -> float:
    """What the returns compound to."""
    return float(np.prod(1.0 + returns) - 1.0)


def cagr_of(returns: FloatArray, bars_per_year: float) -> float:
    """Compound annual growth rate."""
    if not returns.size:
        return _NOTHING
    return float(cagr(total_return_of(returns), returns.size, bars_per_year))


def volatility_of(returns: FloatArray, bars_per_year: float) -> float:
    """Annualised deviation."""
    if not _usable(returns, 2):
        return _NOTHING
    return float(returns.std(ddof=1) * np.sqrt(bars_per_year))


def sharpe_of(returns: FloatArray, bars_per_year: float) -> float:
    """The Sharpe ratio of a series of returns."""
    return float(sharpe(returns.size, returns.sum(), np.square(returns).sum(), bars_per_year))


def sortino_of(returns: FloatArray, bars_per_year: float) -> float:
    """The Sortino ratio of a series of returns."""
    negative = np.minimum(returns, 0.0)
    return float(sortino(returns.size, returns.sum(), np.square(negative).sum(), bars_per_year))


def calmar_of(returns: FloatArray, bars_per_year: float) -> float:
    """Growth per year over the deepest drawdown."""
    if not _usable(returns, 1):
        return _NOTHING
    deepest = max_drawdown_of(_wealth(returns), 1.0)
    return float(calmar(cagr_of(returns, bars_per_year), deepest))


def omega_of(returns: FloatArray, required: float = 0.0) -> float:
    """Everything gained above the required return per bar over everything lost below it."""
    if not _usable(returns, 1):
        return _NOTHING
    above = returns - required
    lost = -above[above < 0.0].sum()
    return _ratio(above[above > 0.0].sum(), lost)


def tail_ratio_of(returns: FloatArray) -> float:
    """The 95th percentile over the 5th, both as sizes."""
    if not _usable(returns, 1):
        return _NOTHING
    low, high = np.abs(np.quantile(returns, (TAIL, 1.0 - TAIL)))
    return _ratio(high, low)


def skew_of(returns: FloatArray) -> float:
    """The third standardised moment of the population."""
    return _moment(returns, 3)


def kurtosis_of(returns: FloatArray) -> float:
    """The fourth standardised moment of the population: 3 for a normal distribution."""
    return _moment(returns, 4)


def value_at_risk_of(returns: FloatArray, tail: float = TAIL) -> float:
    """The return that only the worst `tail` of bars fall below."""
    return float(np.quantile(returns, tail)) if _usable(returns, 1) else _NOTHING


def conditional_value_at_risk_of(returns: FloatArray, tail: float = TAIL) -> float:
    """The mean of the worst `tail` of returns."""
    if not _usable(returns, 1):
        return _NOTHING
    worst = int((returns.size - 1) * tail)
    return float(np.partition(returns, worst)[: worst + 1].mean())


def rolling_sharpe(returns: FloatArray, window: int, bars_per_year: float) -> FloatArray:
    """The Sharpe ratio of the last `window` returns at every bar, NaN before there are so many."""
    out = np.full(returns.size, _NOTHING)
    if 2 <= window <= returns.size:
        # Sums of what differs from the mean stay small, and so does what their differences lose.
        mean = returns.mean()
        sums = np.concatenate(([0.0], np.cumsum(returns - mean)))
        squares = np.concatenate(([0.0], np.cumsum(np.square(returns - mean))))
        total, square = sums[window:] - sums[:-window], squares[window:] - squares[:-window]
        variance = (square - total * total / window) / (window - 1.0)
        scale = squares[-1] / returns.size
        with np.errstate(all="ignore"):
            deviation = np.sqrt(np.where(variance > 1e-12 * scale, variance, np.nan))
            out[window - 1 :] = (total / window + mean) / deviation * np.sqrt(bars_per_year)
    return out


def of_returns(returns: FloatArray, bars_per_year: float) -> dict[str, float | None]:
    """Every statistic here by name; None where one does not exist (`reason_of` says why)."""
    usable = _usable(returns, 1)
    values = {
        "total_return": total_return_of(returns) if usable else _NOTHING,
        "cagr": cagr_of(returns, bars_per_year),
        "volatility": volatility_of(returns, bars_per_year),
        "sharpe": sharpe_of(returns, bars_per_year),
        "sortino": sortino_of(returns, bars_per_year),
        "max_drawdown": max_drawdown_of(_wealth(returns), 1.0) if usable else _NOTHING,
        "calmar": calmar_of(returns, bars_per_year),
        "omega": omega_of(returns),
        "tail_ratio": tail_ratio_of(returns),
        "skew": skew_of(returns),
        "kurtosis": kurtosis_of(returns),
        "value_at_risk": value_at_risk_of(returns),
        "conditional_value_at_risk": conditional_value_at_risk_of(returns),
    }
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _usable(returns: FloatArray, at_least: int) -> bool:
    return returns.size >= at_least and bool(np.isfinite(returns).all())


def _moment(returns: FloatArray, order: int) -> float:
    if np.isnan(sharpe_of(returns, 1.0)):  # one return, equal ones, or one that is no number
        return _NOTHING
    away = returns - returns.mean()
    deviation = float(away.std())  # divided by first: tiny returns to the fourth would vanish
    return float(np.mean((away / deviation) ** order)) if deviation > 0.0 else _NOTHING


def _wealth(returns: FloatArray) -> FloatArray:
    return np.asarray(np.cumprod(1.0 + returns), dtype=np.float64)


def _ratio(above: float, below: float) -> float:
    with np.errstate(all="ignore"):
        ratio = float(np.float64(above) / below)
    return ratio if np.isfinite(ratio) else _NOTHING
