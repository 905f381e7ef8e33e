"""The synthetic market: the same on every machine, whatever was asked before, and shaped like a market."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data.bar import BAR_SCHEMA, TIMEFRAMES
from data.calendars import NEW_YORK, ROUND_THE_CLOCK, sessions
from data.errors import UsageError
from data.instruments import ACTION_SCHEMA, checked_symbol
from data.resample import resample
from data.sources import Source, source
from data.sources.synthetic import LISTED, SyntheticMarket

HALF_DAY = date(2025, 11, 28)
SHARES = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"]
COINS = ["BTX/USD", "ETX/USD"]
SPLITS = [("DDD", date(2021, 6, 14), 2.0), ("EEE", date(2019, 3, 18), 0.2), ("FFF", date(2024, 8, 5), 10.0)]

# Taken from the market as it was when it had nothing but these six symbols, and no splits.
PINNED = {
    ("AAA", date(2015, 1, 2)): "f1ce4f8fa24c88e3",
    ("AAA", date(2020, 3, 9)): "69845e23de43cc9b",
    ("AAA", HALF_DAY): "377620bc182830a7",
    ("AAA", date(2026, 9, 30)): "70cb8f480967bb26",
    ("BBB", date(2015, 1, 2)): "08b4216b2b72c63c",
    ("BBB", date(2020, 3, 9)): "90bebc050a2b667e",
    ("BBB", HALF_DAY): "1ad82531bd02533f",
    ("BBB", date(2026, 9, 30)): "d6fb3d005b5ef1bc",
    ("CCC", date(2015, 1, 2)): "9dcc1e1b5a9b3875",
    ("CCC", date(2020, 3, 9)): "79d89d6cf2f5219f",
    ("CCC", HALF_DAY): "e146f45151b42930",
    ("CCC", date(2026, 9, 30)): "0d3771a0a1731666",
    ("DDD", HALF_DAY): "8b9a8e24678c69e3",
    ("DDD", date(2026, 9, 30)): "269b982d7b2f2d5a",
    ("EEE", date(2020, 3, 9)): "f51beffa940a3edf",
    ("EEE", date(2026, 9, 30)): "74b532d7b04faf93",
    ("FFF", HALF_DAY): "b6d41981fa2882ee",
    ("FFF", date(2026, 9, 30)): "d7cd6298b7f2cc8d",
}

# Thanksgiving: a holiday, a half day and a weekend.
WEEK_START, WEEK_END = datetime(2025, 11, 25, tzinfo=UTC), datetime(2025, 12, 2, tzinfo=UTC)
minutes_of_the_week = st.integers(0, 7 * 24 * 60).map(lambda minute: WEEK_START + timedelta(minutes=minute))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def bars(symbols: list[str], first: date, last: date, timeframe: str = "1m", seed: int = 7) -> pl.DataFrame:
    end = midnight(last) + timedelta(days=1)
    return SyntheticMarket(seed).history(symbols, midnight(first), end, timeframe)


@lru_cache
def week(timeframe: str) -> pl.DataFrame:
    return SyntheticMarket().history(["CCC", "BTX/USD"], WEEK_START, WEEK_END, timeframe)


def fingerprint(frame: pl.DataFrame) -> str:
    """Of the columns' bytes.  The average price is not rounded to ticks, and the last bit of an exponential
    is the processor's own affair: it is taken to the millionth."""
    digest = hashlib.sha256()
    for name in frame.columns[1:]:
        column = frame[name].round(6) if name == "vwap" else frame[name].to_physical()
        digest.update(column.to_numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(("symbol", "day"), PINNED)
def test_the_bars_that_people_have_numbers_of_never_change(symbol: str, day: date) -> None:
    assert fingerprint(bars([symbol], day, day)) == PINNED[symbol, day]


@pytest.mark.full
@settings(max_examples=40, deadline=None)
@given(minutes_of_the_week, minutes_of_the_week, st.sampled_from(list(TIMEFRAMES)))
def test_any_range_is_a_slice_of_a_longer_one(start: datetime, end: datetime, timeframe: str) -> None:
    asked = SyntheticMarket().history(["BTX/USD", "CCC"], start, end, timeframe)
    assert asked.schema == BAR_SCHEMA
    expected = week(timeframe).filter((pl.col("ts_utc") >= start) & (pl.col("ts_utc") < end))
    assert_frame_equal(asked, expected, check_exact=True)


def test_the_same_seed_gives_the_same_bars_in_any_order_of_asking() -> None:
    first, second = date(2026, 9, 29), date(2026, 9, 30)
    forwards = [bars(["AAA", "BBB"], day, day) for day in (first, second)]
    backwards = [bars(["BBB", "AAA", "BBB"], day, day) for day in (second, first)]
    assert forwards[0].equals(backwards[1])
    assert forwards[1].equals(backwards[0])


def test_another_seed_gives_another_market() -> None:
    day = date(2026, 9, 30)
    assert not bars(["AAA"], day, day, seed=1).equals(bars(["AAA"], day, day, seed=2))


@pytest.mark.parametrize("symbol", ["CCC", "BTX/USD"])
def test_every_minute_of_every_session_is_there_and_makes_sense(symbol: str) -> None:
    found = week("1m").filter(pl.col("symbol") == symbol)
    calendar = SyntheticMarket().instrument(symbol).calendar
    days = sessions(WEEK_START.date(), WEEK_END.date() - timedelta(days=1), calendar)
    expected = [
        pl.datetime_range(
            day.open_utc, day.close_utc, TIMEFRAMES["1m"], time_unit="us", closed="left", eager=True
        )
        for day in days
    ]
    assert found["ts_utc"].equals(pl.concat(expected))
    low, high = pl.col("low"), pl.col("high")
    near = pl.col("vwap").is_between(low - 0.01, high + 0.01)  # it is not rounded, they are
    sane = pl.all_horizontal(pl.col(name).is_between(low, high) for name in ("open", "close")) & near
    assert found.select(
        (sane & (low > 0) & (pl.col("volume") > 0) & (pl.col("trade_count") > 0)).all()
    ).item()


def test_a_half_day_ends_early() -> None:
    assert bars(["AAA"], HALF_DAY, HALF_DAY).height == 210
    assert bars(["AAA"], HALF_DAY, HALF_DAY, "1h").height == 4


def test_there_is_nothing_before_a_listing() -> None:
    assert bars(["AAA"], date(1980, 1, 1), LISTED - timedelta(days=1)).is_empty()
    assert bars(["BTX/USD"], date(2016, 12, 30), date(2017, 1, 1)).height == 1440


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_coarser_bars_are_those_of_the_minutes(timeframe: str) -> None:
    for symbol, calendar in (("CCC", NEW_YORK), ("BTX/USD", ROUND_THE_CLOCK)):
        days = sessions(WEEK_START.date(), WEEK_END.date(), calendar)
        mine = pl.col("symbol") == symbol
        made = resample(week("1m").filter(mine), days, "1m", timeframe)
        assert_frame_equal(week(timeframe).filter(mine), made, check_exact=True)


def test_a_session_opens_near_the_close_before_and_is_liveliest_at_its_ends() -> None:
    found = bars(["AAA"], date(2026, 6, 1), date(2026, 9, 30))
    minute = pl.col("ts_utc").dt.convert_time_zone("America/New_York").dt.time()
    moves = found.group_by(minute.alias("minute")).agg(
        (pl.col("high") / pl.col("low") - 1).mean().alias("range")
    )
    ranges = moves.sort("minute")["range"]
    assert ranges[:15].mean() > 1.3 * ranges[180:210].mean()  # type: ignore[operator]
    daily = bars(["AAA"], date(2026, 6, 1), date(2026, 9, 30), "1d")
    gaps = (daily["open"][1:] / daily["close"][:-1] - 1).abs()
    assert gaps.max() < 0.08  # type: ignore[operator]


@pytest.mark.full
def test_wild_days_come_together() -> None:
    closes = bars(["CCC"], date(2020, 1, 2), date(2026, 9, 30), "1d")["close"]
    moves = closes.log().diff().drop_nulls().abs()
    frame = pl.DataFrame({"move": moves, "week_before": moves.rolling_mean(5).shift(1)}).drop_nulls()
    assert frame.select(pl.corr("move", "week_before")).item() > 0.1


@pytest.mark.full
def test_coins_trade_round_the_clock_in_parts_and_less_at_weekends() -> None:
    days = pl.col("ts_utc").dt.weekday()
    found = bars(COINS, date(2026, 6, 1), date(2026, 8, 30))
    assert found.height == 2 * 91 * 1440
    assert found.filter(pl.col("volume") % 1 > 0).height > 0.9 * found.height
    assert found["volume"].equals(found["volume"].round(4))
    assert found["close"].equals(found["close"].round(2))
    weekend, working = (found.filter(which)["volume"].mean() for which in (days > 5, days <= 5))
    assert weekend < 0.8 * working  # type: ignore[operator]
    by_hour = found.group_by(pl.col("ts_utc").dt.hour().alias("hour")).agg(pl.col("volume").mean())
    volume = dict(by_hour.iter_rows())
    assert volume[14] > 2 * volume[3]


def test_shares_are_what_is_asked_when_nobody_names_symbols() -> None:
    market: Source = SyntheticMarket()
    assert market.symbols() == SHARES
    assert {market.instrument(symbol).calendar for symbol in SHARES} == {NEW_YORK}
    coin = market.instrument("BTX/USD")
    assert (coin.asset_class, coin.calendar, coin.tick_size, coin.lot, coin.listed) == (
        "crypto",
        ROUND_THE_CLOCK,
        0.01,
        0.0001,
        date(2017, 1, 1),
    )
    assert [checked_symbol(symbol) for symbol in COINS] == COINS


@pytest.mark.parametrize(("symbol", "day", "ratio"), SPLITS)
def test_a_split_divides_the_price_multiplies_the_volume_and_is_told(
    symbol: str, day: date, ratio: float
) -> None:
    around = bars([symbol], day - timedelta(days=60), day + timedelta(days=60), "1d")
    before, after = (around.filter(which) for which in (pl.col("ts_utc") < day, pl.col("ts_utc") >= day))
    assert before["close"][-1] / after["open"][0] == pytest.approx(ratio, rel=0.02)
    assert after["volume"].mean() / before["volume"].mean() == pytest.approx(ratio, rel=0.15)  # type: ignore[operator]
    told = SyntheticMarket().actions([symbol], day, day)
    assert told.schema == ACTION_SCHEMA
    assert told.rows() == [(symbol, day, "split", ratio, None)]
    assert SyntheticMarket().actions([symbol], day + timedelta(days=1), day + timedelta(days=5)).is_empty()


def test_a_dividend_is_paid_every_quarter_in_money_for_a_share_of_its_day() -> None:
    told = SyntheticMarket().actions([*COINS, *SHARES], date(2024, 1, 1), date(2024, 12, 31))
    paid = told.filter(pl.col("kind") == "dividend").select("symbol", "session", "amount")
    assert paid.rows() == [
        ("FFF", date(2024, 3, 15), 4.0),
        ("FFF", date(2024, 6, 17), 4.0),  # the 15th is a Saturday
        ("FFF", date(2024, 9, 16), 0.4),
        ("FFF", date(2024, 12, 16), 0.4),
    ]
    assert told.equals(told.sort("symbol", "session"))


def test_actions_are_the_same_in_any_range() -> None:
    first, last = date(2015, 1, 1), date(2020, 12, 31)
    whole = SyntheticMarket().actions(SHARES, first, last)
    days = [first + timedelta(days=30 * number) for number in range(74)]
    parts = [
        SyntheticMarket().actions(SHARES, day, min(last, day + timedelta(days=29)))
        for day in days
        if day <= last
    ]
    assert pl.concat(parts).sort("symbol", "session").equals(whole)


def test_an_unknown_symbol_is_named_with_those_there_are() -> None:
    for ask in (
        SyntheticMarket().instrument,
        lambda symbol: bars([symbol], HALF_DAY, HALF_DAY),
        lambda symbol: SyntheticMarket().actions([symbol], HALF_DAY, HALF_DAY),
    ):
        with pytest.raises(UsageError, match=r"no symbol 'ZZZ'.*AAA.*BTX/USD"):
            ask("ZZZ")


def test_an_unknown_source_is_an_error_with_the_fix() -> None:
    with pytest.raises(UsageError, match=r"no market data source 'bloomberg'"):
        source("bloomberg")


def test_the_seed_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SyntheticMarket.from_settings() == SyntheticMarket()
    monkeypatch.setenv("SLIPWAY_SYNTHETIC_SEED", "8")
    assert SyntheticMarket.from_settings() == SyntheticMarket(seed=8)
