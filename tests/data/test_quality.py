"""Each fault in market data is found, named, and set aside; nothing is mended."""

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.bar import BAR_SCHEMA
from data.calendars import Session, sessions
from data.quality import Checked, Limits, _none_is_wrong, check, row_faults
from data.sources.synthetic import FAULTS, SyntheticMarket

DAY = sessions(date(2026, 9, 30), date(2026, 9, 30))[0]
WEEK = sessions(date(2026, 9, 21), date(2026, 9, 25))
AT = 100  # the row that is spoiled

Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def minutes(days: list[Session], symbol: str = "AAA", **market: object) -> pl.DataFrame:
    told = SyntheticMarket(**market)  # type: ignore[arg-type]
    return told.history([symbol], days[0].open_utc, days[-1].close_utc, "1m")


def day_of_minutes() -> pl.DataFrame:
    return minutes([DAY])


def verdicts(checked: Checked) -> list[str]:
    return checked.sessions["quality"].to_list()


def findings(checked: Checked, session: int = 0) -> list[str]:
    found: list[str] = json.loads(checked.sessions["findings"][session])
    return found


def setting(column: str, value: float | None) -> Spoil:
    def spoil(bars: pl.DataFrame) -> pl.DataFrame:
        row = pl.int_range(pl.len()) == AT
        return bars.with_columns(pl.when(row).then(pl.lit(value)).otherwise(column).alias(column))

    return spoil


def moving(by: timedelta) -> Spoil:
    def spoil(bars: pl.DataFrame) -> pl.DataFrame:
        last = pl.int_range(pl.len()) == pl.len() - 1
        return bars.with_columns(
            pl.when(last).then(pl.col("ts_utc") + by).otherwise("ts_utc").alias("ts_utc")
        )

    return spoil


def repeated(bars: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([bars[: AT + 1], bars[AT:]])


def moved_back(bars: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([bars[:AT], bars[AT + 1 : AT + 2], bars[AT : AT + 1], bars[AT + 2 :]])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (setting("close", math.nan), "not a number"),
        (setting("high", math.inf), "not a number"),
        (setting("vwap", math.nan), "not a number"),
        (setting("open", None), "not a number"),
        (setting("low", -1.0), "price is not positive"),
        (setting("volume", -5.0), "volume is negative"),
        (setting("high", 0.01), "high is below low"),
        (setting("open", 1e6), "open or close is outside low to high"),
        (repeated, "duplicate"),
        (moved_back, "out of order"),
        (moving(timedelta(hours=1)), "outside every session"),
        (moving(timedelta(days=3)), "outside every session"),
        (moving(timedelta(seconds=17)), "between two bars"),
        (moving(timedelta(days=400)), "in the future"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(spoil: Spoil, reason: str) -> None:
    bars = day_of_minutes()
    checked = check(spoil(bars), [DAY], "1m", now=DAY.close_utc + timedelta(days=9))
    assert checked.quarantined["reason"].to_list() == [reason]
    assert verdicts(checked) == ["warned"]
    assert checked.sessions["quarantined"].to_list() == [1]
    assert findings(checked)[0] == f"1 rows: {reason}"
    assert checked.good.height >= bars.height - 1
    assert checked.good.equals(checked.good.unique("ts_utc").sort("ts_utc"))


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_that_the_synthetic_market_can_have_is_found(fault: str) -> None:
    days = sessions(date(2026, 9, 14), date(2026, 9, 17))  # the unknown split is on the 16th
    checked = check(minutes(days, faults=frozenset({fault})), days, "1m", now=days[-1].close_utc)
    assert set(verdicts(checked)) != {"passed"}
    assert verdicts(check(minutes(days), days, "1m", now=days[-1].close_utc)) == ["passed"] * 4


def test_one_wild_date_does_not_condemn_the_rows_behind_it() -> None:
    bars = day_of_minutes()
    wild = bars.with_columns(
        pl.when(pl.int_range(pl.len()) == AT)
        .then(datetime(2199, 1, 1, tzinfo=UTC))
        .otherwise("ts_utc")
        .alias("ts_utc")
    ).cast(BAR_SCHEMA)
    assert check(wild, [DAY], "1m").quarantined.height == 1


def test_a_row_is_counted_once_with_the_first_reason_that_holds() -> None:
    bars = setting("volume", -5.0)(setting("close", math.nan)(day_of_minutes()))
    checked = check(bars, [DAY], "1m")
    assert checked.quarantined["reason"].to_list() == ["not a number"]


def test_too_many_missing_bars_fail_the_session() -> None:
    checked = check(day_of_minutes()[::2], [DAY], "1m")
    assert verdicts(checked) == ["failed"]
    assert findings(checked) == ["195 of 390 bars are missing", "more than 5% of the bars are missing"]


def test_a_long_hole_fails_the_session_even_when_it_is_a_small_share_of_it() -> None:
    bars = day_of_minutes()
    holed = pl.concat([bars[:100], bars[115:]])
    limits = Limits(gap_bars_max=10)
    assert verdicts(check(holed, [DAY], "1m")) == ["warned"]
    failed = check(holed, [DAY], "1m", limits)
    assert verdicts(failed) == ["failed"]
    assert findings(failed)[-1] == "15 bars in a row are missing"
    late = check(bars[15:], [DAY], "1m", limits)  # the hole may be at the open, or at the close
    assert verdicts(late) == verdicts(check(bars[:-15], [DAY], "1m", limits)) == ["failed"]


def test_a_session_without_a_row_fails_and_does_not_touch_its_neighbours() -> None:
    bars = minutes(WEEK)
    without = bars.filter(pl.col("ts_utc").dt.date() != WEEK[2].day)
    checked = check(without, WEEK, "1m")
    assert verdicts(checked) == ["passed", "passed", "failed", "passed", "passed"]
    assert checked.sessions.row(2)[1:6] == (0, None, None, None, None)
    assert verdicts(check(bars.clear(), WEEK, "1m")) == ["failed"] * 5


def test_a_feed_that_stands_still_fails_the_session() -> None:
    bars = day_of_minutes()
    still = pl.int_range(pl.len()).is_between(50, 120)
    price = bars["close"][49]
    stuck = bars.with_columns(
        *(
            pl.when(still).then(pl.lit(price)).otherwise(name).alias(name)
            for name in ("open", "high", "low", "close")
        ),
        pl.when(still).then(0.0).otherwise("volume").alias("volume"),
    )
    checked = check(stuck, [DAY], "1m")
    assert findings(checked) == ["71 bars in a row without a trade or a move"]
    assert verdicts(checked) == ["failed"]
    assert verdicts(check(stuck, [DAY], "1m", Limits(stale_bars_max=71))) == ["passed"]


@pytest.mark.parametrize(("ratio", "told"), [(2.0, "2:1"), (0.2, "1:5"), (1.5, "1.5:1"), (10.0, "10:1")])
def test_a_jump_that_looks_like_a_split_nobody_told_fails_the_session(ratio: float, told: str) -> None:
    bars = minutes(WEEK)
    after = pl.col("ts_utc") >= WEEK[2].open_utc
    jumped = bars.with_columns(
        pl.when(after).then(pl.col(name) / ratio).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close", "vwap")
    )
    checked = check(jumped, WEEK, "1m")
    assert verdicts(checked) == ["passed", "passed", "failed", "passed", "passed"]
    assert f"an unknown {told} split?" in findings(checked, 2)[0]
    assert verdicts(check(jumped, WEEK, "1m", splits=[WEEK[2].day])) == ["passed"] * 5
    first = jumped.filter(after)
    alone = check(first, WEEK[2:], "1m", close_before=bars.filter(~after)["close"][-1])
    assert verdicts(alone) == ["failed", "passed", "passed"]


def test_an_ordinary_crash_overnight_is_no_split() -> None:
    bars = minutes(WEEK)
    for share in (0.55, 0.62, 0.8, 1.4):
        crashed = bars.with_columns(
            pl.when(pl.col("ts_utc") >= WEEK[2].open_utc)
            .then(pl.col(name) * share)
            .otherwise(name)
            .alias(name)
            for name in ("open", "high", "low", "close", "vwap")
        )
        assert verdicts(check(crashed, WEEK, "1m")) == ["passed"] * 5, share


@pytest.mark.parametrize("timeframe", ["5m", "15m", "30m", "1h", "1d"])
def test_every_timeframe_is_judged_by_its_own_steps(timeframe: str) -> None:
    days = sessions(date(2025, 11, 24), date(2025, 12, 2))  # with Thanksgiving and the half day behind it
    told = SyntheticMarket().history(["CCC"], days[0].open_utc, days[-1].close_utc, timeframe)
    assert set(verdicts(check(told, days, timeframe, now=days[-1].close_utc))) == {"passed"}
    late = told.with_columns(pl.col("ts_utc") + timedelta(minutes=1))
    assert set(check(late, days, timeframe).quarantined["reason"]) == {"between two bars"}


BROKEN = st.sampled_from(["nan", "negative", "swap", "repeat", "drop", "late", "weekend"])


def break_row(bars: pl.DataFrame, at: int, how: str) -> pl.DataFrame:
    row = pl.int_range(pl.len()) == at
    match how:
        case "nan":
            return bars.with_columns(pl.when(row).then(math.nan).otherwise("close").alias("close"))
        case "negative":
            return bars.with_columns(pl.when(row).then(-1.0).otherwise("volume").alias("volume"))
        case "swap":
            return pl.concat([bars[:at], bars[at + 1 : at + 2], bars[at : at + 1], bars[at + 2 :]])
        case "repeat":
            return pl.concat([bars[: at + 1], bars[at:]])
        case "drop":
            return pl.concat([bars[:at], bars[at + 1 :]])
        case "late":
            moved = pl.col("ts_utc") + timedelta(seconds=30)
            return bars.with_columns(pl.when(row).then(moved).otherwise("ts_utc").alias("ts_utc"))
    moved = pl.col("ts_utc") + timedelta(days=5)
    return bars.with_columns(pl.when(row).then(moved).otherwise("ts_utc").alias("ts_utc"))


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(faults=st.lists(st.tuples(st.integers(0, 1900), BROKEN), max_size=12))
def test_whatever_is_broken_good_rows_are_sorted_unique_and_inside_and_none_is_lost(
    faults: list[tuple[int, str]],
) -> None:
    bars = minutes(WEEK)
    for at, how in faults:
        bars = break_row(bars, at, how)
    checked = check(bars, WEEK, "1m")
    good, bad = checked.good, checked.quarantined
    assert good.height + bad.height == bars.height
    ts = good["ts_utc"].to_numpy()
    assert bool(np.all(ts[1:] > ts[:-1]))
    again = check(good, WEEK, "1m")
    assert again.good.equals(good)
    assert again.quarantined.is_empty()
    assert checked.sessions["rows"].sum() == good.height
    assert checked.sessions["quarantined"].sum() == bad.height
    assert not any(bad["reason"].is_null()) if bad.height else True
    if not faults:
        assert verdicts(checked) == ["passed"] * 5


ODD = st.sampled_from([0.0, -1.0, 1.0, 2.0, 3.0, math.nan, math.inf, -math.inf, None])


@pytest.mark.full
@settings(max_examples=300, deadline=None)
@given(values=st.lists(st.tuples(ODD, ODD, ODD, ODD, ODD, ODD), min_size=1, max_size=4))
def test_the_quick_look_says_fine_exactly_when_no_rule_for_rows_is_broken(
    values: list[tuple[float | None, ...]],
) -> None:
    names = ("open", "high", "low", "close", "volume", "vwap")
    odd = pl.DataFrame(values, schema=dict.fromkeys(names, pl.Float64), orient="row")
    bars = day_of_minutes()[: len(values)].with_columns(odd[name] for name in names)
    broken = bars.select(
        pl.any_horizontal(rule.fill_null(True) for rule in row_faults().values()).any()
    ).item()
    assert _none_is_wrong(bars) is not broken
