"""The synthetic market: the same on every machine, whatever was asked before, and shaped like a market."""

from datetime import date

import polars as pl
import pytest

from data.calendars import sessions
from data.errors import UsageError
from data.quality import check
from data.sources import known_symbols, source
from data.sources.synthetic import SyntheticMarket

HALF_DAY = date(2025, 11, 28)


def test_the_same_seed_gives_the_same_bars_in_any_order_of_asking() -> None:
    first, second = sessions(date(2026, 9, 29), date(2026, 9, 30))
    forwards = [SyntheticMarket().history(["AAA", "BBB"], day, "1m") for day in (first, second)]
    backwards = [SyntheticMarket().history(["BBB", "AAA"], day, "1m") for day in (second, first)]
    assert forwards[0].equals(backwards[1])
    assert forwards[1].equals(backwards[0])


def test_another_seed_gives_another_market() -> None:
    day = sessions(date(2026, 9, 30), date(2026, 9, 30))[0]
    assert (
        not SyntheticMarket(seed=1)
        .history(["AAA"], day, "1m")
        .equals(SyntheticMarket(seed=2).history(["AAA"], day, "1m"))
    )


def test_every_bar_of_a_session_is_there_and_passes_the_checks() -> None:
    for day in sessions(date(2025, 11, 24), date(2025, 12, 5)):
        bars = SyntheticMarket().history(["CCC"], day, "1m")
        checked = check(bars, day, "1m")
        assert checked.verdict == "passed", (day, checked.findings)


def test_a_half_day_ends_early() -> None:
    day = sessions(HALF_DAY, HALF_DAY)[0]
    assert SyntheticMarket().history(["AAA"], day, "1m").height == 210


def test_a_session_opens_near_the_close_before_and_is_liveliest_at_its_ends() -> None:
    days = sessions(date(2026, 6, 1), date(2026, 9, 30))
    bars = pl.concat(SyntheticMarket().history(["AAA"], day, "1m") for day in days)
    minute = pl.col("ts_utc").dt.convert_time_zone("America/New_York").dt.time()
    moves = bars.group_by(minute.alias("minute")).agg(
        (pl.col("high") / pl.col("low") - 1).mean().alias("range")
    )
    ranges = moves.sort("minute")["range"]
    assert ranges[:15].mean() > 1.3 * ranges[180:210].mean()  # type: ignore[operator]
    daily = bars.group_by(pl.col("ts_utc").dt.date().alias("day"), maintain_order=True).agg(
        pl.col("open").first(), pl.col("close").last()
    )
    gaps = (daily["open"][1:] / daily["close"][:-1] - 1).abs()
    assert gaps.max() < 0.08  # type: ignore[operator]


def test_an_unknown_symbol_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no symbol 'ZZZ'.*AAA"):
        known_symbols(source("synthetic"), ["AAA", "ZZZ"])


def test_an_unknown_source_is_an_error_with_the_fix() -> None:
    with pytest.raises(UsageError, match=r"no market data source 'bloomberg'"):
        source("bloomberg")
