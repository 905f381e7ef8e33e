"""Each statistic against empyrical-reloaded, a published worked example or a slower way to compute it."""

import math
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from research.statistics import (
    annual_returns,
    as_row,
    bars_per_year,
    cagr,
    cagr_of,
    calmar_of,
    conditional_value_at_risk_of,
    drawdown_table,
    drawdowns_of,
    from_tally,
    kurtosis_of,
    max_drawdown_of,
    monthly_returns,
    of_returns,
    omega_of,
    reason_of,
    relative_to,
    returns_of,
    rolling_sharpe,
    sharpe_of,
    skew_of,
    sortino_of,
    tail_ratio_of,
    total_return_of,
    trade_statistics,
    value_at_risk_of,
    volatility_of,
)

# The "mixed returns" of empyrical's test-suite (quantopian/empyrical, tests/test_stats.py), a daily series, with the
# values that suite publishes for it.
PUBLISHED = np.array([1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0]) / 100.0

RANDOM = np.random.default_rng(11)
RETURNS = RANDOM.standard_t(4, 900) * 0.01 + 0.0004
MARKET = 0.6 * RETURNS + RANDOM.normal(0.0, 0.006, 900)
DAYS = [datetime(2022, 1, 3, 21, tzinfo=UTC) + timedelta(days=day) for day in range(1300)]
SESSIONS = pl.Series("ts_utc", [day for day in DAYS if day.weekday() < 5][:900])


@pytest.fixture(scope="module")
def empyrical() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical
    return empyrical


def test_the_published_example_comes_out() -> None:
    assert sharpe_of(PUBLISHED, 252.0) == pytest.approx(1.7238613961706866, rel=1e-12)
    assert sortino_of(PUBLISHED, 252.0) == pytest.approx(2.605531251673693, rel=1e-12)
    # empyrical counts nine days: its series starts with one that has no return.
    assert float(cagr(np.prod(1.0 + PUBLISHED) - 1.0, 9, 252.0)) == pytest.approx(
        1.9135925373194231, rel=1e-12
    )
    assert max_drawdown_of(np.cumprod(1.0 + PUBLISHED), 1.0) == pytest.approx(-0.1, rel=1e-12)


def test_empyrical_agrees_on_every_number_of_a_curve(empyrical: Any) -> None:
    ours = of_returns(RETURNS, 252.0)
    theirs = {
        "total_return": empyrical.cum_returns_final(RETURNS),
        "cagr": empyrical.annual_return(RETURNS),
        "volatility": empyrical.annual_volatility(RETURNS),
        "sharpe": empyrical.sharpe_ratio(RETURNS),
        "sortino": empyrical.sortino_ratio(RETURNS),
        "max_drawdown": empyrical.max_drawdown(RETURNS),
        "calmar": empyrical.calmar_ratio(RETURNS),
        "omega": empyrical.omega_ratio(RETURNS),
        "tail_ratio": empyrical.tail_ratio(RETURNS),
        "value_at_risk": empyrical.value_at_risk(RETURNS),
        "conditional_value_at_risk": empyrical.conditional_value_at_risk(RETURNS),
    }
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-9)


def test_scipy_agrees_on_the_shape_of_a_distribution() -> None:
    from scipy import stats

    assert skew_of(RETURNS) == pytest.approx(float(stats.skew(RETURNS)), rel=1e-9)
    assert kurtosis_of(RETURNS) == pytest.approx(float(stats.kurtosis(RETURNS, fisher=False)), rel=1e-9)


def test_empyrical_agrees_on_what_a_benchmark_explains(empyrical: Any) -> None:
    ours = relative_to(MARKET, RETURNS, 252.0)
    alpha, beta = empyrical.alpha_beta(RETURNS, MARKET)
    assert (ours.alpha, ours.beta) == pytest.approx((alpha, beta), rel=1e-9)
    information = empyrical.excess_sharpe(RETURNS, MARKET) * np.sqrt(252.0)
    assert ours.information_ratio == pytest.approx(information, rel=1e-9)
    assert ours.correlation == pytest.approx(np.corrcoef(RETURNS, MARKET)[0, 1], rel=1e-12)


def test_a_benchmark_that_never_moves_explains_nothing() -> None:
    ours = relative_to(np.zeros(900), RETURNS, 252.0)
    assert np.isnan([ours.alpha, ours.beta, ours.correlation]).all()
    assert ours.information_ratio == pytest.approx(sharpe_of(RETURNS, 252.0))
    with pytest.raises(UsageError, match="the benchmark has 2 returns"):
        relative_to(np.zeros(2), RETURNS, 252.0)


def test_empyrical_agrees_on_months_and_years(empyrical: Any) -> None:
    import pandas as pd

    series = pd.Series(RETURNS, index=pd.DatetimeIndex(SESSIONS.to_numpy()))
    equity = 1000.0 * np.cumprod(1.0 + RETURNS)
    months = empyrical.aggregate_returns(series, "monthly")
    assert monthly_returns(SESSIONS, equity, 1000.0).rows() == [
        (year, month, pytest.approx(value, rel=1e-9)) for (year, month), value in months.items()
    ]
    years = empyrical.aggregate_returns(series, "yearly")
    assert annual_returns(SESSIONS, equity, 1000.0).rows() == [
        (year, pytest.approx(value, rel=1e-9)) for year, value in years.items()
    ]


def test_empyrical_agrees_on_the_rolling_sharpe(empyrical: Any) -> None:
    ours = rolling_sharpe(RETURNS, 60, 252.0)
    assert np.isnan(ours[:59]).all()
    assert ours[59:] == pytest.approx(np.asarray(empyrical.roll_sharpe_ratio(RETURNS, window=60)), rel=1e-8)


def test_a_window_that_does_not_fit_or_never_moves_has_no_rolling_sharpe() -> None:
    assert np.isnan(rolling_sharpe(RETURNS[:10], 11, 252.0)).all()
    assert np.isnan(rolling_sharpe(RETURNS[:10], 1, 252.0)).all()
    resting = np.concatenate((RETURNS[:50], np.zeros(50), RETURNS[50:99]))
    ours = rolling_sharpe(resting, 20, 252.0)
    assert np.isnan(ours[69:100]).all()
    assert np.isfinite(ours[19:69]).all()


def test_drawdowns_are_listed_deepest_first_with_their_three_dates() -> None:
    # The first series of pyfolio's test_gen_drawdown_table (quantopian/pyfolio, tests/test_timeseries.py): one
    # drawdown of 41.67 % from 120 to 70 and one of 16.67 % that has not ended.
    prices = np.array([100.0, 120.0, 100.0, 80.0, 70.0, 110.0, 180.0, 150.0])
    dates = pl.Series([datetime(2000, 1, 3 + day, tzinfo=UTC) for day in range(8)])
    table = drawdown_table(dates, prices, 100.0)
    first, second = table.iter_rows(named=True)
    assert first["depth"] == pytest.approx(-0.41666667, rel=1e-7)
    assert [first[name].day for name in ("start_utc", "bottom_utc", "end_utc")] == [4, 7, 9]
    assert [first[name] for name in ("bars_down", "bars_back", "bars")] == [3, 2, 5]
    assert second["depth"] == pytest.approx(-1 / 6)
    assert (second["end_utc"], second["bars_back"], second["bars"]) == (None, None, 1)
    assert drawdown_table(dates, prices, 100.0, top=1).height == 1
    assert drawdown_table(dates, np.linspace(100.0, 200.0, 8), 100.0).is_empty()


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([90.0, 95.0, 100.0, 105.0, 110.0]), min_size=1, max_size=40))
def test_the_table_holds_every_drawdown_exactly_once(levels: list[float]) -> None:
    equity = np.array(levels)
    table = drawdown_table(SESSIONS[: len(levels)], equity, 100.0, top=100)
    deep = drawdowns_of(equity, 100.0)
    ended = table["end_utc"].is_not_null().to_numpy()
    # Bars under water: those between the high and the recovery; the first bar may be one itself.
    counted = int((table["bars"].to_numpy() - ended).sum()) + int(deep[0] < 0.0)
    assert counted == int((deep < 0.0).sum())
    assert (table["depth"].min() if table.height else 0.0) == max_drawdown_of(equity, 100.0)


def test_a_drawdown_is_measured_from_the_capital_too() -> None:
    assert drawdowns_of(np.array([90.0, 95.0, 120.0, 60.0]), 100.0) == pytest.approx([-0.1, -0.05, 0.0, -0.5])


def test_trades_worked_out_by_hand() -> None:
    profits = np.array([300.0, -100.0, -50.0, 0.0, -30.0, -20.0, -10.0, 200.0])
    assert trade_statistics(profits, np.full(8, 3600.0)) == pytest.approx(
        {
            "trades": 8,
            "win_rate": 0.25,
            "payoff": 250.0 / 42.0,
            "profit_factor": 500.0 / 210.0,
            "expectancy": 290.0 / 8.0,
            "best": 300.0,
            "worst": -100.0,
            "average_duration_s": 3600.0,
            "longest_losing_streak": 3,
        }
    )


def test_no_trades_and_no_losses_have_no_ratios() -> None:
    nothing = trade_statistics(np.zeros(0))
    assert nothing["trades"] == nothing["longest_losing_streak"] == 0
    assert all(nothing[name] is None for name in ("win_rate", "payoff", "expectancy", "average_duration_s"))
    only_won = trade_statistics(np.array([1.0, 2.0]))
    assert (only_won["win_rate"], only_won["payoff"], only_won["profit_factor"]) == (1.0, None, None)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.zeros(0), "there are no returns"),
        (np.array([0.01]), "a single return has no deviation"),
        (np.zeros(50), "nothing was ever held"),
        (np.full(50, 0.001), "all returns are equal"),
        (np.array([0.01, float("nan"), 0.02]), "return 2 is not a number"),
        (np.array([0.01, float("inf"), 0.02]), "return 2 is not a number"),
    ],
)
def test_what_is_missing_is_said_and_never_infinite(returns: np.ndarray, reason: str) -> None:
    assert reason_of(returns) == reason
    values = of_returns(returns, 252.0)
    assert values["sharpe"] is None
    assert all(value is None or math.isfinite(value) for value in values.values())
    assert reason_of(RETURNS) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1.0, 10.0) | st.just(float("nan")), max_size=30), st.floats(1.0, 1e6))
def test_no_returns_make_a_statistic_infinite_or_warn(values: list[float], year: float) -> None:
    returns = np.array(values)
    found = of_returns(returns, year).values()
    assert all(value is None or math.isfinite(value) for value in found)
    assert not np.isinf(rolling_sharpe(returns[~np.isnan(returns)], 5, year)).any()


def test_single_numbers_are_nan_where_they_do_not_exist() -> None:
    nothing = np.zeros(0)
    for number in (volatility_of(nothing, 252.0), cagr_of(nothing, 252.0), calmar_of(nothing, 252.0)):
        assert np.isnan(number)
    for function in (omega_of, tail_ratio_of, skew_of, kurtosis_of):
        assert np.isnan(function(nothing))
    assert np.isnan([value_at_risk_of(nothing), conditional_value_at_risk_of(nothing)]).all()
    assert total_return_of(nothing) == 0.0


def test_the_sharpe_of_a_curve_is_that_of_its_returns() -> None:
    returns = np.random.default_rng(3).normal(1e-5, 1e-3, 5000)
    equity = 1000.0 * np.cumprod(1.0 + returns)
    series = pl.Series(returns)
    mean, deviation = series.mean(), series.std()
    assert isinstance(mean, float)
    assert isinstance(deviation, float)
    expected = mean / deviation * np.sqrt(98_280.0)
    assert sharpe_of(returns_of(equity, 1000.0), 98_280.0) == pytest.approx(expected, rel=1e-10)


def test_what_does_not_exist_is_nan_in_numbers_and_null_in_frames() -> None:
    assert np.isnan(sharpe_of(np.zeros(100), 252.0))
    assert np.isnan(sharpe_of(np.full(100, 0.001), 252.0))
    assert np.isnan(sharpe_of(np.array([0.01]), 252.0))
    assert np.isnan(sortino_of(np.full(100, 0.001), 252.0))
    row = as_row(from_tally(_flat_tally(), 100.0, 252.0))
    assert row["sharpe"] is None
    assert row["calmar"] is None
    assert row["win_rate"] is None
    assert row["total_return"] == 0.0
    assert row["trades"] == 0


def _flat_tally() -> dict[str, np.ndarray]:
    from research.passes.account import TALLY

    flat = dict.fromkeys(TALLY, np.zeros(1))
    return flat | {"bars": np.array([10.0]), "equity": np.array([100.0]), "equity_total": np.array([1000.0])}


def test_calmar_is_growth_over_the_deepest_drawdown_in_a_sweep_too() -> None:
    tally = _flat_tally() | {"equity": np.array([120.0]), "drawdown": np.array([-0.1])}
    assert as_row(from_tally(tally, 100.0, 10.0))["calmar"] == pytest.approx(2.0)


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
