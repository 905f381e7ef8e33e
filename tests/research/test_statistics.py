"""Each statistic against a published worked example and against an independent, slower way to compute it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from data.errors import UsageError
from research.passes.moments import moments_of, observe
from research.statistics import (
    as_row,
    bars_per_year,
    cagr,
    drawdowns_of,
    from_tally,
    max_drawdown_of,
    returns_of,
    sharpe,
    sharpe_of,
    sortino_of,
)

# The "mixed returns" of empyrical's test-suite (quantopian/empyrical, tests/test_stats.py), a daily series, with the
# values that suite publishes for it.
PUBLISHED = np.array([1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0]) / 100.0


def test_the_published_example_comes_out() -> None:
    assert sharpe_of(PUBLISHED, 252.0) == pytest.approx(1.7238613961706866, rel=1e-12)
    assert sortino_of(PUBLISHED, 252.0) == pytest.approx(2.605531251673693, rel=1e-12)
    # empyrical counts nine days: its series starts with one that has no return.
    assert float(cagr(np.prod(1.0 + PUBLISHED) - 1.0, 9, 252.0)) == pytest.approx(
        1.9135925373194231, rel=1e-12
    )
    assert max_drawdown_of(np.cumprod(1.0 + PUBLISHED), 1.0) == pytest.approx(-0.1, rel=1e-12)


def test_sums_give_what_arrays_give() -> None:
    returns = np.random.default_rng(3).normal(1e-5, 1e-3, 5000)
    equity = 1000.0 * np.cumprod(1.0 + returns)
    seen = moments_of(1000.0)
    for value in equity:
        seen = observe(seen, float(value))
    series = pl.Series(equity / np.concatenate(([1000.0], equity[:-1])) - 1.0)
    mean, deviation = series.mean(), series.std()
    assert isinstance(mean, float)
    assert isinstance(deviation, float)
    expected = mean / deviation * np.sqrt(98_280.0)
    assert float(sharpe(5000, seen.total, seen.squares, 98_280.0)) == pytest.approx(expected, rel=1e-10)
    assert sharpe_of(returns_of(equity, 1000.0), 98_280.0) == pytest.approx(expected, rel=1e-10)
    deepest = min(
        float(later / earlier - 1.0) for earlier, later in _pairs(np.concatenate(([1000.0], equity))[::7])
    )
    assert max_drawdown_of(np.concatenate(([1000.0], equity))[::7], 1000.0) == pytest.approx(
        deepest, rel=1e-12
    )
    assert seen.drawdown == pytest.approx(max_drawdown_of(equity, 1000.0), rel=1e-12)


def _pairs(values: np.ndarray) -> list[tuple[float, float]]:
    return [(values[i], later) for i in range(len(values) - 1) for later in values[i + 1 :]]


def test_a_drawdown_is_measured_from_the_capital_too() -> None:
    assert drawdowns_of(np.array([90.0, 95.0, 120.0, 60.0]), 100.0) == pytest.approx([-0.1, -0.05, 0.0, -0.5])


def test_what_does_not_exist_is_nan_in_numbers_and_null_in_frames() -> None:
    assert np.isnan(sharpe_of(np.zeros(100), 252.0))
    assert np.isnan(sharpe_of(np.full(100, 0.001), 252.0))
    assert np.isnan(sharpe_of(np.array([0.01]), 252.0))
    assert np.isnan(sortino_of(np.full(100, 0.001), 252.0))
    flat = dict.fromkeys(("total", "squares", "downside", "drawdown", "held_bars"), np.zeros(1))
    flat |= dict.fromkeys(("trades", "wins", "notional", "commission", "slippage"), np.zeros(1))
    flat |= {"bars": np.array([10.0]), "equity": np.array([100.0]), "equity_total": np.array([1000.0])}
    row = as_row(from_tally(flat, 100.0, 252.0))
    assert row["sharpe"] is None
    assert row["win_rate"] is None
    assert row["total_return"] == 0.0
    assert row["trades"] == 0


def test_a_book_that_lost_everything_has_no_growth_left() -> None:
    assert float(cagr(-1.0, 100, 252.0)) == -1.0
    assert float(cagr(-1.5, 100, 252.0)) == -1.0


def test_annualisation_follows_the_calendar_of_the_data() -> None:
    def days(count: int, minutes: int, weekends: bool) -> pl.Series:
        first = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
        chosen = [first + timedelta(days=day) for day in range(count)]
        chosen = [day for day in chosen if weekends or day.weekday() < 5]
        return pl.Series([day + timedelta(minutes=minute) for day in chosen for minute in range(minutes)])

    assert bars_per_year(days(20, 390, weekends=False)) == 390 * 252
    assert bars_per_year(days(20, 1440 // 2, weekends=True)) == 720 * 365.25
    assert bars_per_year(days(300, 1, weekends=False)) == 252
    # A half day does not change what a usual session is.
    half = pl.concat([days(20, 390, weekends=False), days(1, 210, weekends=False) + timedelta(days=28)])
    assert bars_per_year(half) == 390 * 252
    with pytest.raises(UsageError, match="there are no bars"):
        bars_per_year(pl.Series([], dtype=pl.Datetime("us", "UTC")))
