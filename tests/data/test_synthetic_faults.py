"""The synthetic market's faults: each does exactly what it says, and nothing else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.bar import BAR_SCHEMA, TIMEFRAMES
from data.errors import UsageError
from data.sources.synthetic import FAULTS, SyntheticMarket

# Thanksgiving: three whole sessions, a holiday, a half day, a weekend and two more sessions.
START, END = datetime(2025, 11, 24, tzinfo=UTC), datetime(2025, 12, 3, tzinfo=UTC)
SESSIONS = 6
HALF_DAY = date(2025, 11, 28)
ANNOUNCED = [
    "not-a-number",
    "infinite",
    "not-positive",
    "negative-volume",
    "high-below-low",
    "close-outside",
    "duplicate",
    "out-of-order",
    "off-calendar",
    "off-grid",
    "future",
    "gap",
    "split-jump",
    "stale",
]
YEAR = timedelta(days=365)


def bars(
    *faults: str, start: datetime = START, end: datetime = END, symbol: str = "AAA", timeframe: str = "1m"
) -> pl.DataFrame:
    return SyntheticMarket(faults=frozenset(faults)).history([symbol], start, end, timeframe)


CLEAN = bars()


def without(bars: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Rows that are not, bit for bit, among the others; a NaN is like a NaN."""
    return bars.join(others, on=bars.columns, how="anti", nulls_equal=True, maintain_order="left")


def sessions_of(rows: pl.DataFrame) -> list[int]:
    """How many of the rows lie on each date."""
    return rows.group_by(pl.col("ts_utc").dt.date(), maintain_order=True).len()["len"].to_list()


def test_the_faults_are_those_announced() -> None:
    assert sorted(FAULTS) == sorted(ANNOUNCED)


# What changes in a row that is hit, and how one recognises it.
SINGLE = {
    "not-a-number": ("close", pl.col("close").is_nan()),
    "infinite": ("high", pl.col("high") == float("inf")),
    "not-positive": ("low", pl.col("low") <= 0),
    "negative-volume": ("volume", pl.col("volume") < 0),
    "high-below-low": ("low", pl.col("high") < pl.col("low")),
    "close-outside": ("close", (pl.col("close") > pl.col("high")) & (pl.col("low") <= pl.col("high"))),
}


@pytest.mark.parametrize("fault", SINGLE)
def test_a_wrong_value_stands_in_two_bars_of_every_session(fault: str) -> None:
    column, wrong = SINGLE[fault]
    broken = bars(fault)
    assert broken.schema == BAR_SCHEMA
    assert broken.drop(column).equals(CLEAN.drop(column))
    hit = broken.filter(wrong)
    assert sessions_of(hit) == [2] * SESSIONS
    assert without(broken, CLEAN).equals(hit)
    assert CLEAN.filter(wrong).is_empty()


def test_a_duplicate_stands_behind_its_bar() -> None:
    broken = bars("duplicate")
    again = pl.struct(pl.all()) == pl.struct(pl.all()).shift(1)
    assert sessions_of(broken.filter(again)) == [2] * SESSIONS
    assert broken.unique(maintain_order=True).equals(CLEAN)


def test_two_neighbours_change_places() -> None:
    broken = bars("out-of-order")
    assert sessions_of(broken.filter(pl.col("ts_utc") < pl.col("ts_utc").shift(1))) == [2] * SESSIONS
    assert broken.sort("ts_utc").equals(CLEAN)


@pytest.mark.parametrize(("fault", "by"), [("off-grid", timedelta(seconds=17)), ("future", YEAR)])
def test_a_bar_is_dated_wrongly_and_sorted_by_what_it_says(fault: str, by: timedelta) -> None:
    broken = bars(fault)
    moved = without(broken, CLEAN)
    assert sessions_of(moved) == [2] * SESSIONS
    assert broken.height == CLEAN.height
    assert broken["ts_utc"].is_sorted()
    back = moved.with_columns(pl.col("ts_utc") - by)
    assert pl.concat([broken.join(moved, on="ts_utc", how="anti"), back]).sort("ts_utc").equals(CLEAN)


def test_bars_stand_behind_the_close_and_on_days_without_a_session() -> None:
    broken = bars("off-calendar")
    added = without(broken, CLEAN)
    assert without(CLEAN, broken).is_empty()
    assert added["ts_utc"].to_list() == [
        datetime(2025, 11, day, hour, 30, tzinfo=UTC)
        for day, hour in ((24, 21), (25, 21), (26, 21), (27, 14), (28, 18), (29, 14))
    ] + [datetime(2025, 12, day, 21, 30, tzinfo=UTC) for day in (1, 2)]
    assert broken["ts_utc"].is_sorted()
    saturday = datetime(2025, 11, 29, tzinfo=UTC)
    assert bars("off-calendar", start=saturday, end=saturday + timedelta(days=1)).height == 1
    assert bars("off-calendar", symbol="BTX/USD").equals(bars(symbol="BTX/USD"))  # it is never closed


def runs(missing: pl.DataFrame) -> list[tuple[int, timedelta]]:
    """Length of each session's rows, and from the first to the last."""
    lengths = missing.group_by(pl.col("ts_utc").dt.date(), maintain_order=True).agg(
        pl.len(), (pl.col("ts_utc").max() - pl.col("ts_utc").min()).alias("span")
    )
    return list(lengths.select("len", "span").iter_rows())


def test_a_tenth_of_every_session_is_missing_in_one_run() -> None:
    broken = bars("gap")
    assert without(broken, CLEAN).is_empty()
    expected = [39, 39, 39, 21, 39, 39]
    assert runs(without(CLEAN, broken)) == [(bars, timedelta(minutes=bars - 1)) for bars in expected]


def test_a_stale_feed_repeats_a_price_without_volume_for_more_than_an_hour() -> None:
    broken = bars("stale")
    still = without(broken, CLEAN)
    assert broken.select("symbol", "ts_utc").equals(CLEAN.select("symbol", "ts_utc"))
    expected = [75, 75, 75, 62, 75, 75]
    assert runs(still) == [(bars, timedelta(minutes=bars - 1)) for bars in expected]
    assert still["volume"].sum() == still["trade_count"].sum() == 0
    prices = pl.col("open", "high", "low", "vwap")
    assert still.select(pl.all_horizontal(prices == pl.col("close")).all()).item()
    for _, run in still.group_by(pl.col("ts_utc").dt.date()):
        seen = CLEAN.filter(pl.col("ts_utc") < run["ts_utc"].min())["close"][-1]
        assert run["close"].unique().to_list() == [seen]


def test_a_split_that_nobody_tells_halves_the_prices_from_a_date_on() -> None:
    start, end = datetime(2026, 9, 14, tzinfo=UTC), datetime(2026, 9, 19, tzinfo=UTC)
    for symbol in (*SyntheticMarket().symbols(), "BTX/USD"):
        clean, broken = (
            bars(*faults, start=start, end=end, symbol=symbol) for faults in ((), ("split-jump",))
        )
        since = pl.col("ts_utc") >= datetime(2026, 9, 16, tzinfo=UTC)
        assert broken.filter(~since).equals(clean.filter(~since))
        halves = (clean.filter(since), broken.filter(since))
        for column in ("open", "high", "low", "close", "vwap"):
            assert (halves[0][column] / 2 - halves[1][column]).abs().max() <= 0.0051  # type: ignore[operator]
        assert halves[0].select("ts_utc", "volume").equals(halves[1].select("ts_utc", "volume"))
        before, after = broken.filter(~since)["close"][-1], halves[1]["open"][0]
        assert before / after == pytest.approx(2, rel=0.015)
    told = SyntheticMarket(faults=frozenset({"split-jump"})).actions(["AAA", "FFF"], start.date(), end.date())
    assert told.filter(pl.col("kind") == "split").is_empty()


def test_no_two_faults_share_a_bar() -> None:
    def touched(fault: str) -> set[datetime]:
        broken = bars(fault)
        if fault == "duplicate":
            return set(broken.filter(pl.col("ts_utc").is_duplicated())["ts_utc"])
        if fault == "out-of-order":
            wrong = broken["ts_utc"] != CLEAN["ts_utc"]
            return set(broken.filter(wrong)["ts_utc"])
        return set(without(CLEAN, broken)["ts_utc"])

    hit = {fault: touched(fault) for fault in FAULTS}
    assert hit["duplicate"]
    assert len(hit["out-of-order"]) == 4 * SESSIONS
    assert all(hit[one].isdisjoint(hit[other]) for one, other in combinations(FAULTS, 2))


@pytest.mark.full
@settings(max_examples=25, deadline=None)
@given(
    st.frozensets(st.sampled_from(FAULTS)),
    st.integers(0, 9 * 24 * 60 - 1),
    st.sampled_from(["AAA", "BTX/USD"]),
    st.sampled_from(list(TIMEFRAMES)),
)
def test_the_damage_does_not_depend_on_the_range(
    faults: frozenset[str], minute: int, symbol: str, timeframe: str
) -> None:
    middle = START + timedelta(minutes=minute)
    whole = bars(*faults, symbol=symbol, timeframe=timeframe)
    first = bars(*faults, end=middle, symbol=symbol, timeframe=timeframe)
    second = bars(*faults, start=middle, symbol=symbol, timeframe=timeframe)

    def counted(parts: pl.DataFrame) -> pl.DataFrame:
        rounded = parts.with_columns(pl.col("volume").round(4), pl.col("vwap").round(6))
        return rounded.sort(parts.columns)

    assert counted(pl.concat([first, second])).equals(counted(whole))


def test_faults_leave_ticks_alone() -> None:
    end = START + timedelta(days=1)
    ticks = [
        SyntheticMarket(faults=faults).ticks(["AAA"], START, end)
        for faults in (frozenset(), frozenset(FAULTS))
    ]
    assert ticks[0].equals(ticks[1])


def test_an_unknown_fault_is_named_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    makers: list[Callable[[], SyntheticMarket]] = [
        lambda: SyntheticMarket(faults=frozenset({"gap", "gone"})),
        SyntheticMarket.from_settings,
    ]
    monkeypatch.setenv("SLIPWAY_SYNTHETIC_FAULTS", "gap,gone")
    for make in makers:
        with pytest.raises(UsageError, match=r"no fault 'gone'.*not-a-number"):
            make()


def test_faults_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_SYNTHETIC_FAULTS", "gap, not-a-number,")
    assert SyntheticMarket.from_settings().faults == {"gap", "not-a-number"}
