"""Performance statistics: pure functions of sums or arrays, annualised by the calendar of the data.
May import the errors of the data room and nothing else of the house.
Start reading at sums.py (what a sweep keeps of every set), then curve.py (what a single series of returns says).

Conventions: returns are simple returns per bar, the risk-free rate is zero, deviations are of the sample (n - 1).
A statistic that does not exist (the Sharpe ratio of a book that never traded) is NaN here and null in frames;
`reason_of` says in words why.
"""

from research.statistics.calendar import bars_per_year, bars_per_year_at
from research.statistics.curve import (
    cagr_of,
    calmar_of,
    conditional_value_at_risk_of,
    kurtosis_of,
    of_returns,
    omega_of,
    reason_of,
    returns_of,
    rolling_sharpe,
    sharpe_of,
    skew_of,
    sortino_of,
    tail_ratio_of,
    total_return_of,
    value_at_risk_of,
    volatility_of,
)
from research.statistics.drawdowns import drawdown_table, drawdowns_of, max_drawdown_of
from research.statistics.periods import annual_returns, monthly_returns, period_returns
from research.statistics.relative import Relative, relative_to
from research.statistics.sums import NAMES, as_frame, as_row, cagr, calmar, from_tally, sharpe, sortino
from research.statistics.trading import trade_statistics

__all__ = [
    "NAMES",
    "Relative",
    "annual_returns",
    "as_frame",
    "as_row",
    "bars_per_year",
    "bars_per_year_at",
    "cagr",
    "cagr_of",
    "calmar",
    "calmar_of",
    "conditional_value_at_risk_of",
    "drawdown_table",
    "drawdowns_of",
    "from_tally",
    "kurtosis_of",
    "max_drawdown_of",
    "monthly_returns",
    "of_returns",
    "omega_of",
    "period_returns",
    "reason_of",
    "relative_to",
    "returns_of",
    "rolling_sharpe",
    "sharpe",
    "sharpe_of",
    "skew_of",
    "sortino",
    "sortino_of",
    "tail_ratio_of",
    "total_return_of",
    "trade_statistics",
    "value_at_risk_of",
    "volatility_of",
]
