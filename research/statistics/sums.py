"""Statistics of many books at once, from the few sums a pass keeps of each."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

NAMES: Final = (
    "total_return", "cagr", "sharpe", "sortino", "max_drawdown", "calmar",
    "trades", "win_rate", "turnover", "exposure", "commission", "slippage",
    "borrow", "interest",
)  # fmt: skip


def cagr(total_return: ArrayLike, bars: ArrayLike, bars_per_year: float) -> FloatArray:
    """Compound annual growth rate; a book that lost everything has -1, one that outgrows all floats has none."""
    growth = np.maximum(1.0 + np.asarray(total_return, dtype=float), 0.0)
    with np.errstate(all="ignore"):
        rate = np.power(growth, bars_per_year / np.asarray(bars, dtype=float)) - 1.0
    return np.where(np.isfinite(rate), rate, np.nan)


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


def calmar(cagr: ArrayLike, max_drawdown: ArrayLike) -> FloatArray:
    """Growth per year over the deepest drawdown; none where equity never fell."""
    cagr, depth = np.asarray(cagr, dtype=float), -np.asarray(max_drawdown, dtype=float)
    with np.errstate(all="ignore"):
        return np.asarray(cagr / np.where(depth > 0.0, depth, np.nan))


def from_tally(
    tally: Mapping[str, FloatArray], capital: float, bars_per_year: float
) -> dict[str, FloatArray]:
    """Every statistic by name, from the sums a pass kept (research.passes.account.TALLY), one value per row."""
    bars, trades = tally["bars"], tally["trades"]
    total_return = tally["equity"] / capital - 1.0
    growth = cagr(total_return, bars, bars_per_year)
    # Returns of an account that lost everything mean nothing from then on.
    alive = np.where(tally["drawdown"] > -1.0, 1.0, np.nan)
    with np.errstate(all="ignore"):
        return {
            "total_return": total_return,
            "cagr": growth,
            "sharpe": alive * sharpe(bars, tally["total"], tally["squares"], bars_per_year),
            "sortino": alive * sortino(bars, tally["total"], tally["downside"], bars_per_year),
            "max_drawdown": tally["drawdown"],
            "calmar": calmar(growth, tally["drawdown"]),
            "trades": trades,
            "win_rate": tally["wins"] / trades,
            # Per year, as a multiple of mean equity.
            "turnover": tally["notional"] / (tally["equity_total"] / bars) * (bars_per_year / bars),
            "exposure": tally["held_bars"] / bars,
            "commission": tally["commission"],
            "slippage": tally["slippage"],
            "borrow": tally["borrow"],
            "interest": tally["interest"],
        }


def as_frame(statistics: Mapping[str, FloatArray]) -> pl.DataFrame:
    """One row per parameter set; trades are whole numbers, what does not exist is null."""
    frame = pl.DataFrame({name: np.atleast_1d(values) for name, values in statistics.items()})
    return frame.with_columns(pl.all().fill_nan(None)).with_columns(pl.col("trades").cast(pl.Int64))


def as_row(statistics: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The statistics of a single book or portfolio as plain numbers, None where one does not exist."""
    row: dict[str, Any] = {name: float(np.atleast_1d(values)[0]) for name, values in statistics.items()}
    row["trades"] = int(row["trades"])
    return {name: None if value != value else value for name, value in row.items()}
