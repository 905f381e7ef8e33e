"""Numbers as people read them."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from research.backtest import Backtest

NOTHING: Final = "–"

TITLES: Final[Mapping[str, str]] = {
    "total_return": "Total return",
    "cagr": "Growth per year (CAGR)",
    "volatility": "Volatility per year",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "max_drawdown": "Deepest drawdown",
    "calmar": "Calmar ratio",
    "trades": "Closed trades",
    "win_rate": "Winning trades",
    "turnover": "Turnover per year",
    "exposure": "Time in the market",
    "commission": "Commission paid",
    "slippage": "Slippage paid",
    "borrow": "Borrow fees paid",
    "interest": "Interest paid",
    "dividends": "Dividends received",
    "omega": "Omega ratio",
    "tail_ratio": "Tail ratio",
    "skew": "Skew of returns",
    "kurtosis": "Kurtosis of returns",
    "value_at_risk": "Value at risk, 5 %",
    "conditional_value_at_risk": "Mean of the worst 5 %",
    "payoff": "Payoff: mean win over mean loss",
    "profit_factor": "Profit factor",
    "expectancy": "Mean profit of a trade",
    "best": "Best trade",
    "worst": "Worst trade",
    "average_duration_s": "Held on average",
    "longest_losing_streak": "Longest losing streak",
    "alpha": "Alpha per year",
    "beta": "Beta",
    "information_ratio": "Information ratio",
    "correlation": "Correlation of returns",
}

_SHARES: Final = frozenset(
    {"total_return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure", "alpha"}
)
_FINE_SHARES: Final = frozenset({"value_at_risk", "conditional_value_at_risk"})
_COUNTS: Final = frozenset({"trades", "longest_losing_streak"})


def title_of(statistic: str) -> str:
    """What a statistic is called."""
    return TITLES.get(statistic) or statistic.replace("_", " ").capitalize()


def in_words(statistic: str, value: Any) -> str:
    """A statistic's value with its unit; a dash where it does not exist."""
    if statistic in _SHARES:
        return percent(value)
    if statistic in _FINE_SHARES:
        return percent(value, 3)
    if statistic in _COUNTS:
        return number(value, 0)
    if statistic == "turnover":
        return NOTHING if _missing(value) else f"{value:,.0f} ×"
    if statistic == "average_duration_s":
        return NOTHING if _missing(value) else lasting(timedelta(seconds=value))
    return number(value)


def statistics_in_words(backtest: "Backtest") -> list[tuple[str, str]]:
    """(name, value) of every statistic as a person reads it."""
    return [(title_of(name), in_words(name, value)) for name, value in backtest.statistics.items()]


def percent(value: float | None, digits: int = 2) -> str:
    """A share of one in hundredths."""
    return NOTHING if _missing(value) else f"{value * 100.0:z,.{digits}f} %"  # type: ignore[operator]


def number(value: Any, digits: int = 2) -> str:
    """With thousands set apart."""
    return NOTHING if _missing(value) else f"{value:z,.{digits}f}"


def plain(value: Any) -> str:
    """A value of any kind, briefly."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return NOTHING if math.isnan(value) else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def lasting(length: timedelta) -> str:
    """A length of time in its largest sensible unit."""
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s"


def params_in_words(params: Mapping[str, Any]) -> str:
    """Parameters on one line."""
    return ", ".join(f"{name} {value}" for name, value in params.items()) or "no parameters"


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))
