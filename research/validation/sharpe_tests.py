"""Is a Sharpe ratio more than luck?  Probabilistic and deflated Sharpe ratio, minimum track record.

Bailey and López de Prado, "The Sharpe ratio efficient frontier" (Journal of Risk 15, 2012) and "The deflated Sharpe
ratio" (Journal of Portfolio Management 40, 2014).  Sharpe ratios here are per period, not annualised; `count` is
the number of periods; kurtosis is 3 for a normal distribution.
"""

import math
from statistics import NormalDist
from typing import Final

NORMAL: Final = NormalDist()

_EULER: Final = 0.5772156649015329
_NOTHING: Final = float("nan")


def probabilistic_sharpe(
    sharpe: float, count: int, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """The probability that the true Sharpe ratio is above `benchmark`."""
    spread = _spread(sharpe, skew, kurtosis)
    if count < 2 or math.isnan(spread):
        return _NOTHING
    return NORMAL.cdf((sharpe - benchmark) * math.sqrt(count - 1.0) / spread)


def expected_maximum(trials: float) -> float:
    """The expected largest of so many independent standard normal draws (2014, eq. 1); a fraction counts in part."""
    if trials <= 2.0:
        return max(0.0, trials - 1.0) * _maximum_of(2.0)
    return _maximum_of(trials)


def _maximum_of(trials: float) -> float:
    last = NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return (1.0 - _EULER) * NORMAL.inv_cdf(1.0 - 1.0 / trials) + _EULER * last


def luckiest_sharpe(trials: float, deviation: float) -> float:
    """What the best of so many skill-less trials is expected to show: the benchmark of the deflated ratio."""
    return deviation * expected_maximum(trials)


def deflated_sharpe(
    sharpe: float, count: int, skew: float, kurtosis: float, *, trials: float, deviation: float
) -> float:
    """The probability that the true Sharpe ratio is above what the best of `trials` would show by luck.

    `deviation` is that of the trials' Sharpe ratios.
    """
    return probabilistic_sharpe(sharpe, count, skew, kurtosis, luckiest_sharpe(trials, deviation))


def minimum_track_record(
    sharpe: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    *,
    benchmark: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Periods needed to be that confident that the true ratio is above `benchmark`; NaN where none would do."""
    spread = _spread(sharpe, skew, kurtosis)
    if math.isnan(spread) or sharpe <= benchmark:
        return _NOTHING
    return 1.0 + (spread * NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def _spread(sharpe: float, skew: float, kurtosis: float) -> float:
    """The deviation of a Sharpe estimate times the root of its periods."""
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    return math.sqrt(variance) if variance > 0.0 else _NOTHING
