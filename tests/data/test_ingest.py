"""Write → audit → publish, on a real Postgres and a real folder."""

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from crowd import at_once
from vendors import Changed, correcting, half_empty, without_a_bar

import data
from data import candles, catalog
from data.calendars import sessions
from data.errors import Corrupt, UsageError
from data.ingest import Ingested, ingest
from data.postgres import connect
from data.settings import DataSettings
from data.sources import Source
from data.sources.synthetic import SyntheticMarket

FIRST, LAST = date(2026, 9, 28), date(2026, 9, 30)
DATASET = "bars/synthetic/1m"

pytestmark = pytest.mark.usefixtures("database_url")


def bring(first: date = FIRST, last: date = LAST, market: Source | None = None, **how: bool) -> Ingested:
    return ingest(market or SyntheticMarket(), ["AAA", "BBB"], first, last, **how)


def shown(symbol: str, session: date) -> catalog.Partition:
    with connect() as connection:
        (partition,) = catalog.partitions(connection, DATASET, [symbol], session, session)
    return partition


@pytest.mark.full
def test_bars_come_back_exactly_as_the_source_told_them() -> None:
    done = bring()
    assert (done.published, done.rows, done.failed) == (6, 6 * 390, ())
    read = data.bars(["BBB", "AAA"], start=FIRST, end=LAST)
    told = SyntheticMarket().history(
        ["AAA", "BBB"], datetime(2026, 9, 28, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), "1m"
    )
    assert read.equals(told.sort("symbol", "ts_utc"))
    part = data.bars("AAA", start=datetime(2026, 9, 30, 14, tzinfo=UTC), end=LAST)
    assert part["ts_utc"][0] == datetime(2026, 9, 30, 14, tzinfo=UTC)


@pytest.mark.full
def test_a_second_ingest_changes_nothing() -> None:
    first = bring()
    second = bring()
    assert (second.published, second.unchanged, second.snapshot) == (0, 6, first.snapshot)


@pytest.mark.full
def test_an_interrupted_ingest_goes_on_where_it_stopped() -> None:
    bring(FIRST, date(2026, 9, 29))
    rest = bring()
    assert (rest.published, rest.unchanged) == (2, 4)


@pytest.mark.full
def test_recent_sessions_are_dated_files_and_a_backfill_is_one_file_a_year(state_dir: Path) -> None:
    bring()
    assert shown("AAA", LAST).path == f"{DATASET}/AAA/2026/09/30-1.parquet"
    done = bring(date(2025, 6, 2), LAST)
    count = len(sessions(date(2025, 6, 2), LAST))
    assert (done.published, done.unchanged) == (2 * count - 6, 6)
    assert shown("AAA", date(2025, 6, 2)).path == f"{DATASET}/AAA/2025-1.parquet"
    assert shown("AAA", date(2026, 9, 1)).path == f"{DATASET}/AAA/2026-1.parquet"
    assert shown("AAA", LAST).path == f"{DATASET}/AAA/2026/09/30-1.parquet"
    again = bring(date(2025, 6, 2), LAST)
    assert (again.published, again.unchanged) == (0, 2 * count)
    half_days = 3 * 180  # minutes short
    assert data.bars("AAA", start=date(2025, 6, 2), end=LAST).height == count * 390 - half_days


@pytest.mark.full
def test_one_corrected_session_of_a_backfilled_year_is_one_dated_file() -> None:
    before = bring(date(2026, 3, 2), date(2026, 6, 30))
    day = date(2026, 5, 5)
    after = bring(date(2026, 3, 2), date(2026, 6, 30), correcting(day))
    assert (after.published, after.rows) == (1, 390)
    assert shown("AAA", day).path == f"{DATASET}/AAA/2026/05/05-1.parquet"
    assert shown("AAA", day).revision == 2
    new, old = data.bars("AAA"), data.bars("AAA", as_of=before.snapshot)
    assert new.height == old.height
    assert (new["close"] != old["close"]).sum() == 1
    assert new.drop("close").equals(old.drop("close"))


@pytest.mark.full
def test_a_correction_is_a_new_revision_and_the_old_one_stays_readable() -> None:
    before = bring()
    after = bring(market=correcting(LAST))
    assert (after.published, after.unchanged) == (1, 5)
    old = data.bars("AAA", start=LAST, as_of=before.snapshot)
    new = data.bars("AAA", start=LAST)
    assert old["close"][5] != new["close"][5]
    assert new["close"][5] == new["high"][5]
    assert old.drop("close").equals(new.drop("close"))
    assert shown("AAA", LAST).revision == 2
    with connect() as connection:
        charted = candles.query(connection, "synthetic", "1m", "AAA", new["ts_utc"][5], new["ts_utc"][6])
    assert [row["close"] for row in charted] == [new["close"][5]]


@pytest.mark.full
def test_a_bar_that_the_vendor_took_back_leaves_the_charts_too() -> None:
    bring()
    bring(market=without_a_bar(LAST))
    with connect() as connection:
        charted = candles.query(
            connection,
            "synthetic",
            "1m",
            "AAA",
            datetime(2026, 9, 30, tzinfo=UTC),
            datetime(2026, 10, 1, tzinfo=UTC),
        )
    assert len(charted) == data.bars("AAA", start=LAST).height == 389


@pytest.mark.full
def test_a_correction_that_is_taken_back_is_a_third_revision() -> None:
    bring()
    bring(market=correcting(LAST))
    bring()
    assert (shown("AAA", LAST).revision, shown("AAA", LAST).path[-12:]) == (3, "30-3.parquet")


@pytest.mark.full
def test_a_session_that_fails_its_checks_is_catalogued_and_not_served() -> None:
    done = bring(market=half_empty(LAST))
    assert [text[:14] for text in done.failed] == ["AAA 2026-09-30"]
    assert data.bars("AAA")["ts_utc"].max() < datetime(2026, 9, 30, tzinfo=UTC)  # type: ignore[operator]
    assert shown("AAA", LAST).quality == "failed"
    assert bring(market=half_empty(LAST)).published == 0
    bring()  # the vendor sends all of it
    assert data.bars("AAA", start=LAST).height == 390


@pytest.mark.full
def test_what_fails_its_checks_never_replaces_what_is_healthy() -> None:
    bring()
    refused = bring(market=half_empty(LAST))
    assert [text[:14] for text in refused.failed] == ["AAA 2026-09-30"]
    assert (shown("AAA", LAST).quality, shown("AAA", LAST).revision) == ("passed", 1)
    assert data.bars("AAA", start=LAST).height == 390
    with connect() as connection:
        on_record = catalog.refused(connection, DATASET, ["AAA"], LAST, LAST)
    assert on_record[("AAA", LAST)][0] == "195 of 390 bars are missing"
    again = bring(market=half_empty(LAST))
    assert (again.published, again.unchanged, len(again.failed)) == (0, 6, 1)


@pytest.mark.full
def test_bad_rows_are_in_quarantine_with_their_reason(state_dir: Path) -> None:
    done = bring(market=SyntheticMarket(faults=frozenset({"not-positive"})))
    assert done.quarantined == 12
    partition = shown("AAA", LAST)
    assert (partition.quality, partition.quarantined) == ("warned", 2)
    assert partition.findings == ("2 rows: price is not positive", "2 of 390 bars are missing")
    aside = pl.read_parquet(state_dir / "lake" / str(partition.quarantine_path))
    assert set(aside["reason"]) == {"price is not positive"}
    assert aside.height == 6  # three sessions came in together


@pytest.mark.full
def test_only_what_is_missing_is_asked_for() -> None:
    asked: list[tuple[list[str], datetime, datetime]] = []

    class Watched(SyntheticMarket):
        def history(self, symbols, start, end, timeframe):  # type: ignore[no-untyped-def]
            asked.append((list(symbols), start, end))
            return super().history(symbols, start, end, timeframe)

    bring(FIRST, date(2026, 9, 29))
    ingest(SyntheticMarket(), ["AAA"], LAST, LAST)
    done = bring(market=Watched(), only_missing=True)
    assert (done.published, done.unchanged) == (1, 5)
    assert [(symbols, start.date()) for symbols, start, _ in asked] == [(["BBB"], LAST)]
    assert bring(market=Watched(), only_missing=True).published == 0
    assert len(asked) == 1


@pytest.mark.full
def test_coins_and_shares_come_in_together_each_by_its_calendar() -> None:
    done = ingest(SyntheticMarket(), ["AAA", "BTX/USD"], date(2026, 9, 25), date(2026, 9, 28))
    assert (done.published, done.failed) == (2 + 4, ())
    assert data.bars("BTX/USD").height == 4 * 1440
    assert data.bars("AAA").height == 2 * 390


@pytest.mark.full
def test_a_damaged_file_is_refused_on_read(state_dir: Path) -> None:
    bring()
    path = state_dir / "lake" / DATASET / "AAA/2026/09/30-1.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Corrupt, match="checksum"):
        data.bars("AAA", start=LAST)
    with pytest.raises(Corrupt, match="checksum"):
        data.sql("select count(*) from bars", "AAA")
    with pytest.raises(Exception, match="checksum"):
        data.scan("AAA").collect()


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (LAST, FIRST, "ends .* before it starts"),
        (date(2026, 10, 3), date(2026, 10, 4), "no trading session"),
        (date(2010, 1, 4), date(2010, 1, 5), "no bars before"),
        (date(1900, 1, 4), date(2026, 1, 5), "no bars before"),
    ],
)
def test_a_range_that_makes_no_sense_is_an_error(first: date, last: date, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bring(first, last)


@pytest.mark.parametrize(
    ("symbols", "timeframe", "said"),
    [
        (["ZZZ"], "1m", "AAA"),
        (["aaa"], "1m", "not a symbol"),
        (["../../etc"], "1m", "not a symbol"),
        (["AAA"], "7m", "no timeframe '7m'"),
    ],
)
def test_an_unknown_symbol_or_timeframe_is_named_before_anything_is_written(
    symbols: list[str], timeframe: str, said: str, state_dir: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        ingest(SyntheticMarket(), symbols, FIRST, LAST, timeframe)
    assert not (state_dir / "lake").exists()


def test_a_session_that_still_trades_is_not_taken_for_a_whole_one() -> None:
    noon = datetime(2026, 9, 30, 16, tzinfo=UTC)
    with pytest.raises(UsageError, match=r"2026-09-30 is not over, it closes at 2026-09-30 20:00 UTC"):
        ingest(SyntheticMarket(), ["AAA"], FIRST, LAST, now=noon)
    with connect() as connection:
        assert catalog.newest_snapshot(connection) == 0
    assert ingest(SyntheticMarket(), ["AAA"], FIRST, date(2026, 9, 29), now=noon).published == 2


@pytest.mark.parametrize("as_of", [-1, 0, 99])
def test_a_snapshot_that_never_was_is_an_error(as_of: int) -> None:
    bring()
    with pytest.raises(UsageError, match=f"there is no snapshot {as_of}. Use one from 1 to 1"):
        data.bars("AAA", as_of=as_of)


def test_snapshots_rise_in_the_order_in_which_they_became_visible() -> None:
    first = bring(FIRST, FIRST)
    bring()
    with connect() as connection:
        rows = connection.execute("select id, created_at from snapshots order by id").fetchall()
        parts = catalog.partitions(connection, DATASET, ["AAA"], as_of=first.snapshot)
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
    assert [part.session for part in parts] == [FIRST]


def test_a_source_that_answers_with_something_else_is_not_believed() -> None:
    with pytest.raises(Corrupt, match="columns"):
        bring(market=Changed(change=lambda bars: bars.drop("vwap")))
    other = pl.lit("CCC").alias("symbol")
    with pytest.raises(Corrupt, match="'CCC', which nobody asked for"):
        bring(market=Changed(change=lambda bars: bars.with_columns(other)))


@pytest.mark.full
def test_many_writers_of_the_same_sessions_leave_what_one_would_have_left() -> None:
    """Some bring the first telling, some the corrected one: each session ends as one of the two, whole."""
    markets = [SyntheticMarket(), correcting(LAST)] * 3
    assert at_once(*(partial(bring, market=market) for market in markets)) == []
    found = data.bars(["AAA", "BBB"], start=FIRST, end=LAST)
    start, end = datetime(2026, 9, 28, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    told = [market.history(["AAA", "BBB"], start, end, "1m") for market in markets[:2]]
    assert any(found.equals(each.sort("symbol", "ts_utc")) for each in told)
    with connect() as connection:
        double = connection.execute(
            "select symbol, session from catalog where until is null group by 1, 2 having count(*) > 1"
        ).fetchall()
        revisions = connection.execute(
            "select revision from catalog where symbol = 'AAA' and session = %s order by id", [LAST]
        ).fetchall()
    assert double == []
    assert [row["revision"] for row in revisions] == list(range(1, len(revisions) + 1))


@pytest.mark.full
def test_writers_of_different_symbols_do_not_wait_for_each_other_in_vain() -> None:
    symbols = ("AAA", "BBB", "CCC", "DDD")
    assert at_once(*(partial(ingest, SyntheticMarket(), [symbol], FIRST, LAST) for symbol in symbols)) == []
    assert data.bars(["AAA", "BBB", "CCC", "DDD"]).height == 4 * 3 * 390


@pytest.mark.full
def test_years_ago_is_in_the_lake_and_not_in_the_charts() -> None:
    ingest(
        SyntheticMarket(), ["AAA"], date(2025, 1, 2), LAST, "1h", settings=DataSettings(candles_keep_days=30)
    )
    with connect() as connection:
        oldest = connection.execute("select min(ts_utc) as at from candles").fetchone()
    assert oldest is not None
    assert oldest["at"].date() == date(2026, 8, 31)
    assert data.bars("AAA", "1h")["ts_utc"][0].date() == date(2025, 1, 2)
