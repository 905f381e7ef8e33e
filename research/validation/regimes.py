"""Where the money came from: by the market's volatility and trend, by period of the calendar, by hour of the session.

Volatility and trend of a period are those of the periods before it, its own move changes nothing.  What is calm and
what is wild is cut by thirds of the whole range: a description of the past, not a rule that could have been traded.
"""

from typing import Final

import numpy as np
import polars as pl

from research.statistics import bars_per_year, period_returns, returns_of, sharpe_of
from research.statistics.periods import Every
from research.statistics.sums import FloatArray

VOLATILITY_PERIODS: Final = 20
TREND_PERIODS: Final = 60
SIDEWAYS: Final = 0.5
"""A move within half of what noise of that volatility makes in as long is no trend."""

_US: Final = pl.Datetime("us", "UTC")


def regimes(
    ts_utc: pl.Series, returns: FloatArray, market: FloatArray, periods_per_year: float
) -> pl.DataFrame:
    """One row per regime: kind, regime, periods, total_return, sharpe; `market`: the benchmark's return per period."""
    named = {
        "volatility": _terciles(_rolling(market, VOLATILITY_PERIODS)),
        "trend": _trends(market),
        "year": ts_utc.dt.year().cast(pl.String).to_list(),
    }
    rows = [
        row for kind, labels in named.items() for row in _by_label(kind, labels, returns, periods_per_year)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def hours_of_session(ts_utc: pl.Series, returns: FloatArray) -> pl.DataFrame:
    """The same rows by the hour since the session's first bar; none where a session has a single bar."""
    frame = pl.DataFrame({"ts_utc": ts_utc})
    first = pl.col("ts_utc").min().over(pl.col("ts_utc").dt.date())
    hours = frame.select((pl.col("ts_utc") - first).dt.total_hours())["ts_utc"]
    if hours.max() in (None, 0):
        return pl.DataFrame(schema=_SCHEMA)
    labels: list[str | None] = [f"hour {hour + 1}" for hour in hours.to_list()]
    return pl.DataFrame(
        _by_label("hour of session", labels, returns, bars_per_year(ts_utc)), schema=_SCHEMA, orient="row"
    )


def profitable_periods(ts_utc: pl.Series, equity: FloatArray, capital: float) -> tuple[int, int, str] | None:
    """(profitable, all, their name): years if there are four, else quarters, else months; None with fewer still."""
    candidates: tuple[tuple[Every, str], ...] = (("1y", "years"), ("1q", "quarters"), ("1mo", "months"))
    for every, name in candidates:
        found = period_returns(ts_utc, equity, capital, every)
        # The first and the last may be stubs of a few sessions.
        usual = found["bars"].median()
        assert usual is None or isinstance(usual, float)
        found = found.filter(pl.col("bars") * 3 >= (usual or 0.0))
        if found.height >= 4:
            return int((found["return"] > 0.0).sum()), found.height, name
    return None


def market_returns(bars: pl.DataFrame, ts_utc: pl.Series) -> FloatArray:
    """Of the symbols held in equal parts from the first of these moments on, between each of them and the next."""
    prices = bars.sort("ts_utc").pivot("symbol", index="ts_utc", values="close").sort("ts_utc")
    filled = prices.with_columns(pl.all().exclude("ts_utc").forward_fill()).fill_null(strategy="backward")
    here = pl.DataFrame({"ts_utc": ts_utc.cast(_US)}).join(
        filled.cast({"ts_utc": _US}), on="ts_utc", how="left"
    )
    closes = here.drop("ts_utc").to_numpy()
    worth = (closes / closes[0]).mean(axis=1)
    return returns_of(worth, float(worth[0]))


_SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String(),
        "regime": pl.String(),
        "periods": pl.Int64(),
        "total_return": pl.Float64(),
        "sharpe": pl.Float64(),
    }
)

_Row = tuple[str, str, int, float, float | None]


def _by_label(
    kind: str, labels: list[str | None], returns: FloatArray, periods_per_year: float
) -> list[_Row]:
    rows: list[_Row] = []
    named = np.array([label or "" for label in labels])
    for label in dict.fromkeys(each for each in labels if each):
        here = returns[named == label]
        ratio = sharpe_of(here, periods_per_year)
        total = float(np.prod(1.0 + here) - 1.0)
        rows.append((kind, label, here.size, total, ratio if np.isfinite(ratio) else None))
    return sorted(rows, key=lambda row: _ORDER.get(row[1], 0))


_ORDER: Final = {"calm": 1, "usual": 2, "wild": 3, "up": 1, "sideways": 2, "down": 3}


def _rolling(returns: FloatArray, window: int) -> FloatArray:
    """The deviation of the `window` returns before each one."""
    known = pl.Series(returns).rolling_std(window).shift(1)
    return known.fill_null(float("nan")).to_numpy()


def _terciles(volatility: FloatArray) -> list[str | None]:
    known = np.isfinite(volatility)
    if known.sum() < 3:
        return [None] * volatility.size
    low, high = np.quantile(volatility[known], (1 / 3, 2 / 3))
    return [
        None if not seen else "calm" if value <= low else "wild" if value > high else "usual"
        for value, seen in zip(volatility.tolist(), known.tolist(), strict=True)
    ]


def _trends(market: FloatArray) -> list[str | None]:
    moved = pl.Series(np.log1p(np.maximum(market, -0.999999))).rolling_sum(TREND_PERIODS).shift(1)
    noise = _rolling(market, TREND_PERIODS) * np.sqrt(TREND_PERIODS)
    labels: list[str | None] = []
    for move, usual in zip(moved.to_list(), noise.tolist(), strict=True):
        if move is None or not usual > 0.0:
            labels.append(None)
        else:
            labels.append("sideways" if abs(move) <= SIDEWAYS * usual else "up" if move > 0.0 else "down")
    return labels
