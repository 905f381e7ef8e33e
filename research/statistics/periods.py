"""Returns by month and by year of the calendar (UTC)."""

from typing import Literal

import numpy as np
import polars as pl

from research.statistics.sums import FloatArray

Every = Literal["1d", "1mo", "1q", "1y"]


def period_returns(ts_utc: pl.Series, equity: FloatArray, capital: float, every: Every) -> pl.DataFrame:
    """One row per period that has bars: period (its first date), return, bars."""
    ends = (
        pl.DataFrame({"period": ts_utc.dt.date().dt.truncate(every), "equity": equity})
        .group_by("period", maintain_order=True)
        .agg(pl.col("equity").last(), pl.len().cast(pl.Int64).alias("bars"))
    )
    closes = ends["equity"].to_numpy()
    with np.errstate(all="ignore"):
        change = closes / np.concatenate(([capital], closes[:-1])) - 1.0
    returns = pl.Series("return", np.where(np.isfinite(change), change, np.nan)).fill_nan(None)
    return ends.select("period", returns, "bars")


def monthly_returns(ts_utc: pl.Series, equity: FloatArray, capital: float) -> pl.DataFrame:
    """One row per month: year, month, return."""
    period = pl.col("period")
    return period_returns(ts_utc, equity, capital, "1mo").select(
        period.dt.year().alias("year"), period.dt.month().alias("month"), "return"
    )


def annual_returns(ts_utc: pl.Series, equity: FloatArray, capital: float) -> pl.DataFrame:
    """One row per year: year, return."""
    return period_returns(ts_utc, equity, capital, "1y").select(
        pl.col("period").dt.year().alias("year"), "return"
    )
