"""Questions to the lake: lazily and at once, coarser, adjusted, as of then, and in SQL."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from vendors import correcting

import data
from data.calendars import sessions
from data.errors import UsageError
from data.ingest import ingest
from data.query import session_bars
from data.resample import resample
from data.sources.synthetic import SyntheticMarket

FIRST, LAST = date(2026, 9, 28), date(2026, 9, 30)
SPLIT = date(2021, 6, 14)  # DDD, 2:1

pytestmark = pytest.mark.usefixtures("database_url")


def bring(symbols: list[str], first: date = FIRST, last: date = LAST) -> None:
    ingest(SyntheticMarket(), symbols, first, last)


@pytest.mark.full
def test_lazy_and_eager_tell_the_same() -> None:
    bring(["AAA", "BBB"], date(2026, 7, 1), LAST)
    ingest(correcting(date(2026, 8, 5)), ["AAA"], date(2026, 8, 5), date(2026, 8, 5))
    start, end = datetime(2026, 8, 4, 15, tzinfo=UTC), date(2026, 9, 1)
    eager = data.bars(["AAA", "BBB"], "1m", start, end)
    assert data.scan(["AAA", "BBB"], "1m", start, end).collect().equals(eager)
    late = (
        data.scan(["AAA", "BBB"], "1m", start, end).filter(pl.col("close") > 190).select("symbol", "volume")
    )
    assert late.collect().equals(eager.filter(pl.col("close") > 190).select("symbol", "volume"))
    assert data.scan("AAA").select(pl.len()).collect().item() == data.bars("AAA").height
    assert data.scan("AAA").head(3).collect().height == 3


def test_a_date_is_a_whole_session_and_an_instant_is_exact() -> None:
    bring(["AAA"])
    assert data.bars("AAA", start=LAST, end=LAST).height == 390
    open_, close = datetime(2026, 9, 30, 13, 30, tzinfo=UTC), datetime(2026, 9, 30, 13, 33, tzinfo=UTC)
    assert data.bars("AAA", start=open_, end=close)["ts_utc"].to_list()[0] == open_
    assert data.bars("AAA", start=open_, end=close).height == 3
    with pytest.raises(UsageError, match="has no time zone"):
        data.bars("AAA", start=datetime(2026, 9, 30))
    with pytest.raises(UsageError, match=r"ends .* before it starts"):
        data.bars("AAA", start=close, end=open_)
    with pytest.raises(UsageError, match=r"ends .* before it starts"):
        data.bars("AAA", start=LAST, end=FIRST)


def test_asking_for_what_is_not_there_names_what_is() -> None:
    bring(["AAA", "BBB"])
    with pytest.raises(UsageError, match=r"no bars of 'ZZZ'.*AAA, BBB"):
        data.bars("ZZZ")
    with pytest.raises(UsageError, match="no timeframe '7m'"):
        data.bars("AAA", "7m")
    with pytest.raises(UsageError, match=r"no bars of 'AAA' are in bars/nobody/1m"):
        data.bars("AAA", source="nobody")
    with pytest.raises(UsageError, match=r"holds nothing of AAA from 2020-01-01 to 2020-02-01"):
        data.bars("AAA", start=date(2020, 1, 1), end=date(2020, 2, 1))
    with pytest.raises(UsageError, match="no adjustment 'sideways'"):
        data.bars("AAA", adjusted="sideways")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="bars of 5m cannot be made from bars of 1h"):
        data.bars("AAA", "1h", resample_to="5m")


@pytest.mark.full
@pytest.mark.parametrize("coarser", ["5m", "1h", "1d"])
def test_coarser_bars_are_those_that_the_market_itself_tells(coarser: str) -> None:
    days = (date(2025, 11, 24), date(2025, 12, 2))  # with a holiday and a half day
    bring(["AAA", "CCC"], *days)
    ingest(SyntheticMarket(), ["BTX/USD"], *days)
    asked = data.bars(["AAA", "BTX/USD", "CCC"], "1m", *days, resample_to=coarser)
    start, end = datetime(2025, 11, 24, tzinfo=UTC), datetime(2025, 12, 3, tzinfo=UTC)
    told = SyntheticMarket().history(["AAA", "BTX/USD", "CCC"], start, end, coarser)
    assert asked.equals(told.sort("symbol", "ts_utc"))
    lazily = data.scan(["AAA", "BTX/USD", "CCC"], "1m", *days, resample_to=coarser)
    assert lazily.collect().equals(asked)


def test_the_last_hour_of_a_session_is_as_short_as_the_session_makes_it() -> None:
    half_day = sessions(date(2025, 11, 28), date(2025, 11, 28))
    minutes = SyntheticMarket().history(["AAA"], half_day[0].open_utc, half_day[0].close_utc, "1m")
    hours = resample(minutes, half_day, "1m", "1h")
    assert [moment.strftime("%H:%M") for moment in hours["ts_utc"]] == ["14:30", "15:30", "16:30", "17:30"]
    assert hours["volume"].sum() == minutes["volume"].sum()
    assert hours["close"][-1] == minutes["close"][-1]
    assert hours["high"][-1] == minutes["high"][180:].max()


@pytest.mark.full
def test_prices_before_a_split_are_adjusted_when_asked() -> None:
    bring(["DDD"], date(2021, 6, 1), date(2021, 6, 30))
    raw, adjusted = data.bars("DDD"), data.bars("DDD", adjusted="splits")
    before = raw["ts_utc"].dt.date() < SPLIT
    assert (raw.filter(before)["close"] / adjusted.filter(before)["close"]).unique().to_list() == [2.0]
    assert (adjusted.filter(before)["volume"] / raw.filter(before)["volume"]).unique().to_list() == [2.0]
    assert raw.filter(~before).equals(adjusted.filter(~before))
    assert data.scan("DDD", adjusted="splits").collect().equals(adjusted)
    daily = data.bars("DDD", resample_to="1d", adjusted="splits")
    jumps = (daily["open"][1:] / daily["close"][:-1] - 1).abs()
    assert jumps.max() < 0.1  # type: ignore[operator]


@pytest.mark.full
def test_dividends_are_adjusted_by_their_share_of_the_price_before_them() -> None:
    """By hand: 0.40 paid on the first session from the 15th of June 2026 on, against the close before it."""
    bring(["FFF"], date(2026, 6, 10), date(2026, 6, 19))
    raw, adjusted = data.bars("FFF", resample_to="1d"), data.bars("FFF", resample_to="1d", adjusted="all")
    ex = date(2026, 6, 15)
    close_before = raw.filter(pl.col("ts_utc").dt.date() < ex)["close"][-1]
    for told, taken in zip(raw.iter_rows(named=True), adjusted.iter_rows(named=True), strict=True):
        factor = 1 - 0.40 / close_before if told["ts_utc"].date() < ex else 1.0
        assert taken["close"] == pytest.approx(told["close"] * factor, rel=1e-12)
        assert taken["volume"] == told["volume"]
    assert data.bars("FFF", adjusted="splits").equals(data.bars("FFF"))


def test_sessions_are_summed_up_one_a_row() -> None:
    bring(["AAA"])
    found = session_bars("AAA")
    assert found["session"].to_list() == [FIRST, date(2026, 9, 29), LAST]
    assert found["bars"].to_list() == [390] * 3
    minutes = data.bars("AAA", start=LAST, end=LAST)
    assert found.row(2, named=True)["high"] == minutes["high"].max()
    assert found.row(2, named=True)["open"] == minutes["open"][0]


@pytest.mark.full
def test_sql_reads_the_lake_and_the_ledger_in_one_question() -> None:
    bring(["AAA", "BBB"], date(2026, 7, 1), LAST)
    ingest(correcting(LAST), ["AAA"], LAST, LAST)
    answer = data.sql(
        """
        select b.symbol, count(*) as bars, max(c.revision) as revision
        from bars b join ledger.catalog c on c.symbol = b.symbol and c.session = cast(b.ts_utc as date)
        where c.until is null and c.session >= date '2026-09-29' group by b.symbol order by b.symbol
        """,
        start=date(2026, 9, 29),
    )
    assert answer.rows() == [("AAA", 780, 2), ("BBB", 780, 1)]
    minutes = data.bars(["AAA", "BBB"])
    summed = data.sql("select symbol, sum(volume) as volume from bars group by symbol order by symbol")
    assert summed.equals(minutes.group_by("symbol").agg(pl.col("volume").sum()).sort("symbol"))


def test_sql_sees_types_as_they_are() -> None:
    bring(["AAA"])
    row = data.sql("select * from ledger.catalog where session = date '2026-09-30'").row(0, named=True)
    assert row["session"] == LAST
    assert row["min_ts_utc"] == datetime(2026, 9, 30, 13, 30, tzinfo=UTC)
    assert (row["until"], row["rows"], row["findings"]) == (None, 390, "[]")
    assert data.sql("select count(*) as n from ledger.fills").item() == 0


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("selec 1", "syntax error"),
        ("select * from nowhere", "nowhere"),
        ("select * from ledger.nowhere", "no table 'nowhere'"),
        ("select 1; select 2", "there are 2 statements"),
        ("insert into bars values (1)", "Only SELECT"),
        ("", "statements"),
        ("select nothing from bars", "nothing"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_sentence(question: str, said: str) -> None:
    bring(["AAA"])
    with pytest.raises(UsageError, match=said):
        data.sql(question)
