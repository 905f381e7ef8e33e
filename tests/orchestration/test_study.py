"""The study's dates and choices, which the demo and Dagster share."""

from datetime import date

import polars as pl

from orchestration.study import STUDY, Study


def test_research_ends_on_the_session_before_the_traded_one() -> None:
    study = Study(trade_session=date(2026, 9, 8), research_sessions=3)  # the Tuesday after Labor Day

    assert study.last == date(2026, 9, 4)
    assert study.first == date(2026, 9, 2)


def test_bars_reach_as_many_sessions_behind_the_traded_one_as_the_engine_stays_on_duty() -> None:
    study = Study(trade_session=date(2026, 9, 3), on_duty_sessions=2)

    assert study.data_until == date(2026, 9, 8)  # the 4th, then after a weekend and a holiday the 8th


def test_the_newest_sessions_for_research_are_counted_back_from_a_day_that_need_not_be_one() -> None:
    first, last = STUDY.research_range(date(2026, 9, 7))

    assert last == date(2026, 9, 4)
    assert first < last


def test_parameter_sets_that_are_equally_good_are_always_ranked_alike() -> None:
    study = Study(grid={"fast": (10, 5), "slow": (60, 30)})
    flat = pl.concat([pl.DataFrame({"symbol": ["AAA"] * 100}), _flat_minutes(100)], how="horizontal")

    ranked = study.ranked(flat)

    assert ranked.select("fast", "slow").rows() == [(5, 30), (5, 60), (10, 30), (10, 60)]
    assert study.best(ranked).params() == {"fast": 5, "slow": 30}


def _flat_minutes(count: int) -> pl.DataFrame:
    start = pl.datetime(2026, 1, 5, 14, 30, time_unit="us", time_zone="UTC")
    price = pl.lit(100.0)
    return pl.select(
        ts_utc=pl.datetime_range(start, start + pl.duration(minutes=count - 1), "1m"),
        open=price, high=price, low=price, close=price, volume=pl.lit(1.0),
        vwap=pl.lit(None, pl.Float64), trade_count=pl.lit(None, pl.Int64),
    )  # fmt: skip
