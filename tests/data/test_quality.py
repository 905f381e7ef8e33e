"""Each fault in market data is found, named, and set aside; nothing is mended."""

import math
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from data.calendars import sessions
from data.quality import check
from data.sources.synthetic import SyntheticMarket

DAY = sessions(date(2026, 9, 30), date(2026, 9, 30))[0]
AT = 100  # the row that is spoiled

Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def setting(column: str, value: float) -> Spoil:
    def spoil(bars: pl.DataFrame) -> pl.DataFrame:
        row = pl.int_range(pl.len()) == AT
        return bars.with_columns(pl.when(row).then(pl.lit(value)).otherwise(column).alias(column))

    return spoil


def repeated(bars: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([bars[: AT + 1], bars[AT:]])


def moved_back(bars: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([bars[:AT], bars[AT + 1 : AT + 2], bars[AT : AT + 1], bars[AT + 2 :]])


def after_the_close(bars: pl.DataFrame) -> pl.DataFrame:
    late = pl.when(pl.int_range(pl.len()) == bars.height - 1).then(pl.col("ts_utc").dt.offset_by("1h"))
    return bars.with_columns(late.otherwise("ts_utc").alias("ts_utc"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (setting("close", math.nan), "not a number"),
        (setting("high", math.inf), "not a number"),
        (setting("low", -1.0), "price is not positive"),
        (setting("volume", -5.0), "volume is negative"),
        (setting("high", 0.01), "high is below low"),
        (setting("open", 1e6), "open or close is outside low to high"),
        (repeated, "duplicate"),
        (moved_back, "out of order"),
        (after_the_close, "outside the session"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(spoil: Spoil, reason: str) -> None:
    bars = SyntheticMarket().history(["AAA"], DAY, "1m")
    checked = check(spoil(bars), DAY, "1m")
    assert checked.quarantined["reason"].to_list() == [reason]
    assert checked.verdict == "warned"
    assert checked.good.height >= bars.height - 1
    assert checked.good.equals(checked.good.unique("ts_utc").sort("ts_utc"))


def test_too_many_missing_bars_fail_the_partition() -> None:
    bars = SyntheticMarket().history(["AAA"], DAY, "1m")
    checked = check(bars[::2], DAY, "1m")
    assert checked.verdict == "failed"
    assert checked.findings == ("195 of 390 bars are missing",)


def test_an_empty_session_fails() -> None:
    checked = check(SyntheticMarket().history(["AAA"], DAY, "1m").clear(), DAY, "1m")
    assert checked.verdict == "failed"
