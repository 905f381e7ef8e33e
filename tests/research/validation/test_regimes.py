"""Where the money came from: each regime is what a plain loop finds, and together they are the whole."""

from datetime import UTC, date, datetime, timedelta
from math import prod, sqrt
from statistics import stdev
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from research.validation.regimes import hours_of_session, market_returns, profitable_periods, regimes

DAYS = 400


def days(count: int, first: date = date(2024, 1, 1)) -> pl.Series:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return pl.Series("ts_utc", [start + timedelta(days=number) for number in range(count)])


def minutes(open_utc: datetime, count: int) -> list[datetime]:
    return [open_utc + timedelta(minutes=number) for number in range(count)]


def new_york(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 9, 30, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


@pytest.fixture
def market() -> np.ndarray:
    random = np.random.default_rng(5)
    return random.normal(0.0005, np.where(np.arange(DAYS) // 50 % 2, 0.02, 0.005))


def by_loop(market: np.ndarray, returns: np.ndarray) -> dict[tuple[str, str], list[float]]:
    """The returns of each regime, told as a person would tell them with a pencil."""
    found: dict[tuple[str, str], list[float]] = {}
    seen = {day: stdev(market[day - 20 : day]) for day in range(20, DAYS)}
    low, high = np.quantile(list(seen.values()), (1 / 3, 2 / 3))
    for day in range(DAYS):
        if day in seen:
            name = "calm" if seen[day] <= low else "wild" if seen[day] > high else "usual"
            found.setdefault(("volatility", name), []).append(returns[day])
        if day >= 60:
            before = market[day - 60 : day]
            move, noise = float(np.log1p(before).sum()), stdev(before) * sqrt(60)
            name = "sideways" if abs(move) <= noise / 2 else "up" if move > 0 else "down"
            found.setdefault(("trend", name), []).append(returns[day])
        found.setdefault(("year", "2024" if day < 366 else "2025"), []).append(returns[day])
    return found


def test_every_regime_is_what_a_plain_loop_finds(market: np.ndarray) -> None:
    returns = np.random.default_rng(6).normal(0.001, 0.01, DAYS)
    expected = by_loop(market, returns)
    table = regimes(days(DAYS), returns, market, 252.0)
    assert {(row["kind"], row["regime"]) for row in table.iter_rows(named=True)} == set(expected)
    for row in table.iter_rows(named=True):
        own = expected[row["kind"], row["regime"]]
        assert row["periods"] == len(own)
        assert row["total_return"] == pytest.approx(prod(1 + one for one in own) - 1, rel=1e-9)
        assert row["sharpe"] == pytest.approx(float(np.mean(own)) / stdev(own) * sqrt(252), rel=1e-9)


def test_a_day_belongs_to_the_regime_that_was_seen_before_it(market: np.ndarray) -> None:
    """The day's own move changes nothing about where it is counted."""
    returns = np.full(DAYS, 0.001)
    crash = market.copy()
    crash[-1] = -0.5
    assert regimes(days(DAYS), returns, crash, 252.0).equals(regimes(days(DAYS), returns, market, 252.0))


def test_a_market_that_stands_still_has_years_and_no_trend() -> None:
    table = regimes(days(100), np.zeros(100), np.zeros(100), 252.0)
    assert set(table["kind"]) == {"volatility", "year"}
    assert table["sharpe"].null_count() == table.height
    assert regimes(days(10), np.zeros(10), np.zeros(10), 252.0)["kind"].to_list() == ["year"]


def test_the_hours_are_those_since_the_open_in_summer_and_winter() -> None:
    winter, summer = new_york(2024, 1, 8), new_york(2024, 7, 8)
    ts_utc = pl.Series("ts_utc", minutes(winter, 390) + minutes(summer, 390))
    first_hour = np.tile(np.where(np.arange(390) < 60, 0.001, 0.0), 2)
    table = hours_of_session(ts_utc, first_hour)
    assert table["regime"].to_list() == [f"hour {number}" for number in range(1, 8)]
    assert table["periods"].to_list() == [120] * 6 + [60]
    assert table["total_return"][0] == pytest.approx(1.001**120 - 1)
    assert table["total_return"][1:].to_list() == [0.0] * 6


def test_a_market_that_never_closes_has_the_hours_of_the_utc_day() -> None:
    ts_utc = pl.Series("ts_utc", minutes(datetime(2024, 1, 6, tzinfo=UTC), 2 * 1440))
    table = hours_of_session(ts_utc, np.zeros(2 * 1440))
    assert table["regime"].to_list() == [f"hour {number}" for number in range(1, 25)]
    assert set(table["periods"]) == {120}


def test_bars_of_a_day_have_no_hours() -> None:
    assert hours_of_session(days(30), np.zeros(30)).is_empty()


@pytest.mark.parametrize(
    ("count", "expected"),
    [(5 * 365, (5, 5, "years")), (500, (6, 6, "quarters")), (150, (5, 5, "months")), (60, None)],
)
def test_a_rising_account_is_profitable_in_every_period_that_is_no_stub(
    count: int, expected: tuple[int, int, str] | None
) -> None:
    assert profitable_periods(days(count), 100.0 * 1.001 ** np.arange(1, count + 1), 100.0) == expected


def test_the_market_is_all_symbols_in_equal_parts_and_waits_for_a_late_one() -> None:
    ts_utc = days(3)
    early = pl.DataFrame({"symbol": "AAA", "ts_utc": ts_utc, "close": [10.0, 11.0, 9.9]})
    late = pl.DataFrame({"symbol": "BBB", "ts_utc": ts_utc[1:], "close": [50.0, 60.0]})
    assert market_returns(early, ts_utc).tolist() == pytest.approx([0.0, 0.1, -0.1])
    both = market_returns(pl.concat([early, late]), ts_utc)
    assert both.tolist() == pytest.approx([0.0, 1.05 - 1, (0.99 + 1.2) / 2 / 1.05 - 1])
