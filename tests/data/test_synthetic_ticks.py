"""What happens inside the synthetic minutes: the same prices as in the bars, and a stream of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.bar import TICK_SCHEMA, Tick
from data.sources.synthetic import SyntheticMarket

OPEN = datetime(2026, 9, 29, 13, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
symbols = st.lists(st.sampled_from(["AAA", "DDD", "EEE", "BTX/USD"]), min_size=1, unique=True)
moments = st.datetimes(datetime(2017, 2, 1), datetime(2026, 9, 30), timezones=st.just(UTC))


@pytest.mark.full
@settings(max_examples=30, deadline=None)
@given(symbols, moments.map(lambda moment: moment.replace(second=0, microsecond=0)), st.integers(1, 2000))
def test_bars_made_of_ticks_are_the_minute_bars(asked: list[str], start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    ticks = SyntheticMarket().ticks(asked, start, end)
    assert ticks.schema == TICK_SCHEMA
    last = pl.col("last")
    made = ticks.group_by("symbol", pl.col("ts_utc").dt.truncate("1m"), maintain_order=True).agg(
        last.first().alias("open"),
        last.max().alias("high"),
        last.min().alias("low"),
        last.last().alias("close"),
        pl.col("last_size").sum().round(4).alias("volume"),
    )
    bars = SyntheticMarket().history(asked, start, end, "1m")
    assert made.equals(bars.select(made.columns))


@pytest.mark.full
@settings(max_examples=20, deadline=None)
@given(symbols, moments, st.integers(1, 20_000))
def test_every_tick_has_a_bid_below_an_ask_and_trades_at_one_of_them(
    asked: list[str], start: datetime, seconds: int
) -> None:
    ticks = SyntheticMarket().ticks(asked, start, start + timedelta(seconds=seconds))
    bid, ask, last = pl.col("bid"), pl.col("ask"), pl.col("last")
    assert ticks.select(((ask - bid > 0.0099) & (ask - bid < 0.0201) & (bid > 0)).all()).item()
    assert ticks.select(((last == bid) | (last == ask)).all()).item()
    assert ticks.select(
        ((pl.col("bid_size") > 0) & (pl.col("ask_size") > 0) & (pl.col("last_size") >= 0)).all()
    ).item()
    assert ticks.equals(ticks.sort("symbol", "ts_utc"))
    more = SyntheticMarket().ticks(asked, start - timedelta(days=1), start + timedelta(days=1))
    end = start + timedelta(seconds=seconds)
    assert ticks.equals(more.filter((pl.col("ts_utc") >= start) & (pl.col("ts_utc") < end)))


def streamed(count: int, start: datetime, pace: float) -> tuple[list[Tick], list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def read() -> list[Tick]:
        found: list[Tick] = []
        async for tick in SyntheticMarket().stream(["BBB", "AAA"], start, pace, sleep):
            found.append(tick)
            if len(found) == count:
                break
        return found

    return asyncio.run(read()), slept


def test_a_stream_gives_the_ticks_of_all_symbols_in_order_of_time() -> None:
    found, slept = streamed(200, OPEN, 0)
    ticks = SyntheticMarket().ticks(["AAA", "BBB"], OPEN, OPEN + HOUR).sort("ts_utc", "symbol").head(200)
    rows = ticks.with_columns(pl.col("ts_utc").dt.epoch("us")).iter_rows()
    assert found == [Tick(*row) for row in rows]
    assert slept == []


@pytest.mark.parametrize("pace", [0.5, 2.0])
def test_a_stream_keeps_the_pace_of_the_market_and_sleeps_through_no_night(pace: float) -> None:
    found, slept = streamed(64, OPEN.replace(hour=19, minute=58), pace)  # two minutes today, two tomorrow
    assert slept == [7.5 * pace] * 30
    night_s = max((after.ts_us - before.ts_us) / 1e6 for before, after in pairwise(found))
    assert night_s == timedelta(hours=17, minutes=30, seconds=7.5).total_seconds()
