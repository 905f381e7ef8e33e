"""Write → audit → publish, on a real Postgres and a real folder."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

import data
from data import candles, catalog
from data.calendars import Session
from data.errors import Corrupt, UsageError
from data.ingest import Ingested, ingest
from data.postgres import connect
from data.sources import Source, source
from data.sources.synthetic import SyntheticMarket

FIRST, LAST = date(2026, 9, 28), date(2026, 9, 30)
DATASET = "bars/synthetic/1m"

pytestmark = pytest.mark.usefixtures("database_url")


def bring(first: date = FIRST, last: date = LAST, market: Source | None = None) -> Ingested:
    return ingest(market or source("synthetic"), ["AAA", "BBB"], first, last)


@dataclass(frozen=True)
class Correcting(SyntheticMarket):
    """The same market after the vendor corrected one close."""

    def history(self, symbols: list[str], session: Session, timeframe: str) -> pl.DataFrame:
        bars = super().history(symbols, session, timeframe)
        wrong = (pl.col("symbol") == "AAA") & (pl.int_range(pl.len()) == 5) & (session.day == LAST)
        return bars.with_columns(pl.when(wrong).then("high").otherwise("close").alias("close"))


@dataclass(frozen=True)
class HalfEmpty(SyntheticMarket):
    """A market whose vendor lost half of one session of AAA."""

    def history(self, symbols: list[str], session: Session, timeframe: str) -> pl.DataFrame:
        bars = super().history(symbols, session, timeframe)
        lost = (pl.col("symbol") == "AAA") & (pl.int_range(pl.len()) % 2 == 0) & (session.day == LAST)
        return bars.filter(~lost)


def test_bars_come_back_exactly_as_the_source_told_them() -> None:
    done = bring()
    assert (done.published, done.rows, done.failed) == (6, 6 * 390, ())
    read = data.bars(["BBB", "AAA"], start=FIRST, end=LAST)
    assert read.height == 6 * 390
    assert read.equals(read.sort("symbol", "ts_utc"))
    assert data.bars("AAA", start=datetime(2026, 9, 30, 14, tzinfo=UTC), end=LAST)["ts_utc"][0] == datetime(
        2026, 9, 30, 14, tzinfo=UTC
    )


def test_a_second_ingest_changes_nothing() -> None:
    first = bring()
    second = bring()
    assert (second.published, second.unchanged, second.snapshot) == (0, 6, first.snapshot)


def test_an_interrupted_ingest_goes_on_where_it_stopped() -> None:
    bring(FIRST, date(2026, 9, 29))
    rest = bring()
    assert (rest.published, rest.unchanged) == (2, 4)


def test_a_correction_is_a_new_revision_and_the_old_one_stays_readable() -> None:
    before = bring()
    after = bring(market=Correcting())
    assert (after.published, after.unchanged) == (1, 5)
    old = data.bars("AAA", start=LAST, as_of=before.snapshot)
    new = data.bars("AAA", start=LAST)
    assert old["close"][5] != new["close"][5]
    assert new["close"][5] == new["high"][5]
    assert old.drop("close").equals(new.drop("close"))
    with connect() as connection:
        newest = catalog.newest_revision(connection, DATASET, "AAA", LAST)
        charted = candles.query(connection, "synthetic", "1m", "AAA", new["ts_utc"][5], new["ts_utc"][6])
    assert newest is not None
    assert newest.revision == 2
    assert [row["close"] for row in charted] == [new["close"][5]]


def test_a_partition_that_fails_its_checks_is_catalogued_and_not_served() -> None:
    done = bring(market=HalfEmpty())
    assert [text[:14] for text in done.failed] == ["AAA 2026-09-30"]
    assert data.bars("AAA")["ts_utc"].max() < datetime(2026, 9, 30, tzinfo=UTC)  # type: ignore[operator]
    with connect() as connection:
        listed = {row["symbol"]: row["flagged"] for row in catalog.summary(connection)}
    assert listed == {"AAA": 1, "BBB": 0}
    bring()  # the vendor sends all of it
    assert data.bars("AAA", start=LAST).height == 390


def test_a_damaged_file_is_refused_on_read(state_dir: Path) -> None:
    bring()
    path = state_dir / "lake" / DATASET / "AAA/2026/09/30-1.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Corrupt, match="checksum"):
        data.bars("AAA", start=LAST)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (LAST, FIRST, "ends .* before it starts"),
        (date(2026, 10, 3), date(2026, 10, 4), "no trading session"),
        (date(2010, 1, 4), date(2010, 1, 5), "no bars before"),
    ],
)
def test_a_range_that_makes_no_sense_is_an_error(first: date, last: date, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bring(first, last)


def test_a_session_that_still_trades_is_not_taken_for_a_whole_one() -> None:
    noon = datetime(2026, 9, 30, 16, tzinfo=UTC)
    with pytest.raises(UsageError, match=r"2026-09-30 is not over, it closes at 2026-09-30 20:00 UTC"):
        ingest(source("synthetic"), ["AAA"], FIRST, LAST, now=noon)
    with connect() as connection:
        assert catalog.newest_snapshot(connection) == 0
    assert ingest(source("synthetic"), ["AAA"], FIRST, date(2026, 9, 29), now=noon).published == 2


@pytest.mark.parametrize("as_of", [-1, 0, 99])
def test_a_snapshot_that_never_was_is_an_error(as_of: int) -> None:
    bring()
    with pytest.raises(UsageError, match=f"there is no snapshot {as_of}. Use one from 1 to 3"):
        data.bars("AAA", as_of=as_of)


def test_asking_for_what_is_not_there_names_what_is() -> None:
    bring()
    with pytest.raises(UsageError, match=r"no bars of 'ZZZ'.*AAA, BBB"):
        data.bars("ZZZ")
    with pytest.raises(UsageError, match="has no time zone"):
        data.bars("AAA", start=datetime(2026, 9, 30))
    with pytest.raises(UsageError, match="no timeframe '7m'"):
        data.bars("AAA", "7m")


def test_snapshots_rise_in_the_order_in_which_they_became_visible() -> None:
    bring()
    with connect() as connection:
        rows = connection.execute("select id, created_at from snapshots order by id").fetchall()
        parts = catalog.partitions(connection, DATASET, ["AAA"], as_of=rows[0]["id"])
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
    assert [part.session for part in parts] == [FIRST]
