"""Performance statistics: pure functions of sums or arrays, annualised by the calendar of the data.

Conventions: returns are simple returns per bar, the risk-free rate is zero, deviations are of the sample (n - 1).
A statistic that does not exist (the Sharpe ratio of a book that never traded) is NaN here and null in frames.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from data.errors import UsageError

FloatArray = NDArray[np.float64]

# Sessions of a market that closes on weekends: 365.25 × 5/7 less about nine holidays (NYSE 2000-2025: 251.6).
WEEKDAY_SESSIONS_PER_YEAR: Final = 252.0
ROUND_THE_CLOCK_DAYS_PER_YEAR: Final = 365.25

NAMES: Final = (
    "total_return", "cagr", "sharpe", "sortino", "max_drawdown",
    "trades", "win_rate", "turnover", "exposure", "commission", "slippage",
)  # fmt: skip


def bars_per_year(ts_utc: pl.Series) -> float:
    """How many bars a year of this data has: bars of a usual session × sessions per year.

    A market with bars on weekends trades all year; any other one has the sessions of an exchange.  A session here is
    a UTC date, which no American or European session crosses.
    """
    if ts_utc.is_empty():
        raise UsageError("there are no bars to measure", "Give a range in which the market was open.")
    moments = ts_utc.unique()
    days = moments.dt.date()
    usual = pl.DataFrame({"day": days}).group_by("day").len()["len"].median()
    weekends = (moments.dt.weekday() > 5).any()
    sessions = ROUND_THE_CLOCK_DAYS_PER_YEAR if weekends else WEEKDAY_SESSIONS_PER_YEAR
    assert isinstance(usual, float)
    return usual * sessions


def cagr(total_return: ArrayLike, bars: ArrayLike, bars_per_year: float) -> FloatArray:
    """Compound annual growth rate; a book that lost everything has -1."""
    growth = np.maximum(1.0 + np.asarray(total_return, dtype=float), 0.0)
    with np.errstate(all="ignore"):
        return np.power(growth, bars_per_year / np.asarray(bars, dtype=float)) - 1.0


def sharpe(bars: ArrayLike, total: ArrayLike, squares: ArrayLike, bars_per_year: float) -> FloatArray:
    """Annualised mean over deviation, from the number of returns, their sum and the sum of their squares."""
    bars, total, squares = (np.asarray(each, dtype=float) for each in (bars, total, squares))
    with np.errstate(all="ignore"):
        variance = (squares - total * total / bars) / (bars - 1.0)
        # Below this, rounding is all there is: the returns are constant.
        variance = np.where(variance > 1e-14 * squares / bars, variance, np.nan)
        return np.asarray(total / bars / np.sqrt(variance) * np.sqrt(bars_per_year))


def sortino(bars: ArrayLike, total: ArrayLike, downside: ArrayLike, bars_per_year: float) -> FloatArray:
    """Annualised mean over downside deviation (root mean square of the negative returns over all bars)."""
    bars, total, downside = (np.asarray(each, dtype=float) for each in (bars, total, downside))
    with np.errstate(all="ignore"):
        deviation = np.sqrt(np.where(downside > 0.0, downside, np.nan) / bars)
        return np.asarray(total / bars / deviation * np.sqrt(bars_per_year))


def sharpe_of(returns: FloatArray, bars_per_year: float) -> float:
    """The Sharpe ratio of a series of returns."""
    return float(sharpe(returns.size, returns.sum(), np.square(returns).sum(), bars_per_year))


def sortino_of(returns: FloatArray, bars_per_year: float) -> float:
    """The Sortino ratio of a series of returns."""
    negative = np.minimum(returns, 0.0)
    return float(sortino(returns.size, returns.sum(), np.square(negative).sum(), bars_per_year))


def returns_of(equity: FloatArray, capital: float) -> FloatArray:
    """Simple returns per bar, the first from the starting capital."""
    return equity / np.concatenate(([capital], equity[:-1])) - 1.0


def drawdowns_of(equity: FloatArray, capital: float) -> FloatArray:
    """The return from the highest equity so far, bar by bar; zero at a new high."""
    return equity / np.maximum(np.maximum.accumulate(equity), capital) - 1.0


def max_drawdown_of(equity: FloatArray, capital: float) -> float:
    """The deepest drawdown, as a negative return."""
    return float(drawdowns_of(equity, capital).min(initial=0.0))


def from_tally(
    tally: Mapping[str, FloatArray], capital: float, bars_per_year: float
) -> dict[str, FloatArray]:
    """Every statistic by name, from the sums a pass kept (research.passes.kernel.TALLY), one value per row."""
    bars, trades = tally["bars"], tally["trades"]
    total_return = tally["equity"] / capital - 1.0
    with np.errstate(all="ignore"):
        return {
            "total_return": total_return,
            "cagr": cagr(total_return, bars, bars_per_year),
            "sharpe": sharpe(bars, tally["total"], tally["squares"], bars_per_year),
            "sortino": sortino(bars, tally["total"], tally["downside"], bars_per_year),
            "max_drawdown": tally["drawdown"],
            "trades": trades,
            "win_rate": tally["wins"] / trades,
            # Per year, as a multiple of mean equity.
            "turnover": tally["notional"] / (tally["equity_total"] / bars) * (bars_per_year / bars),
            "exposure": tally["held_bars"] / bars,
            "commission": tally["commission"],
            "slippage": tally["slippage"],
        }


def as_frame(statistics: Mapping[str, FloatArray]) -> pl.DataFrame:
    """One row per parameter set; trades are whole numbers, what does not exist is null."""
    frame = pl.DataFrame({name: np.atleast_1d(values) for name, values in statistics.items()})
    return frame.with_columns(pl.all().fill_nan(None)).with_columns(pl.col("trades").cast(pl.Int64))


def as_row(statistics: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The statistics of a single book or portfolio as plain numbers, None where one does not exist."""
    return as_frame(statistics).row(0, named=True)
