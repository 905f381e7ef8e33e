"""kill -9 at every step, a full disk, a lost database: the old state or the new one, and the next run goes on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from ingest_child import FIRST, LAST, STEPS, SYMBOLS

import data
from data import catalog
from data.errors import Unavailable
from data.ingest import ingest
from data.inspection import inspect, remove_orphans
from data.postgres import connect
from data.settings import ROOT, get_settings
from data.sources.synthetic import SyntheticMarket
from infra.local.embedded import embedded_postgres
from infra.local.processes import wait_for

CHILD = str(Path(__file__).with_name("ingest_child.py"))
SESSIONS = 4
TIMEOUT_S = 60


def run(accident: str, *before: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*before, sys.executable, CHILD, accident],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def told() -> pl.DataFrame:
    start, end = datetime(2025, 12, 30, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    return SyntheticMarket().history(SYMBOLS, start, end, "1m").sort("symbol", "ts_utc")


def shown_now(database_url: str) -> int:
    with connect(database_url) as connection:
        return len(catalog.partitions(connection, "bars/synthetic/1m"))


def assert_only_whole_batches_are_visible() -> int:
    with connect() as connection:
        shown = catalog.partitions(connection, "bars/synthetic/1m")
        charted = connection.execute("select count(*) as rows from candles").fetchone()
    years = {year: sum(each.session.year == year for each in shown) for year in (2025, 2026)}
    assert set(years.values()) <= {0, 4}
    assert charted == {"rows": 390 * len(shown)}
    if shown:
        bars = data.bars(SYMBOLS, start=min(each.session for each in shown), end=LAST)
        assert bars.equals(
            told().filter(pl.col("ts_utc").dt.year().is_in([y for y, n in years.items() if n]))
        )
    return len(shown)


def assert_the_next_run_finishes() -> None:
    assert {trouble.kind for trouble in inspect(deep=True)} <= {"orphan", "half-written"}
    done = ingest(SyntheticMarket(), SYMBOLS, FIRST, LAST)
    assert done.failed == ()
    assert data.bars(SYMBOLS).equals(told())
    remove_orphans(older_than_s=0)
    assert inspect(deep=True) == []
    assert data.bars(SYMBOLS).equals(told())
    assert ingest(SyntheticMarket(), SYMBOLS, FIRST, LAST).published == 0


# Files are written side by side, transactions one after the other: of those the second is another case.
PER_BATCH = (
    "files are there and nothing is published",
    "sessions are entered, not committed",
    "a batch is committed",
)
ACCIDENTS = [(step, 1) for step in STEPS] + [(step, 2 if step in PER_BATCH else 5) for step in STEPS]


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize(("step", "passing"), ACCIDENTS)
def test_an_ingest_that_is_killed_leaves_whole_batches_and_the_next_run_finishes(
    step: str, passing: int
) -> None:
    assert run(f"{step}:{passing}").returncode == -9, f"it ended before {step} was reached"
    visible = assert_only_whole_batches_are_visible()
    if step in PER_BATCH:
        assert visible == SESSIONS * (passing - (step != "a batch is committed"))
    assert_the_next_run_finishes()


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
def test_a_disk_that_fills_up_is_a_sentence_and_nothing_is_half_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unshare = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces on this machine; the test below limits the size of a file instead")
    lake = tmp_path / "small"
    lake.mkdir()
    monkeypatch.setenv("SLIPWAY_LAKE_URL", lake.as_uri())
    get_settings.cache_clear()
    mounted = f"mount -t tmpfs -o size=40k tmpfs '{lake}' && exec \"$@\""
    done = run("none:0", *unshare, mounted, "sh")
    assert (done.returncode, done.stderr) == (1, "")
    assert "could not write" in done.stdout
    assert "No space left on device. Check free space" in done.stdout
    with connect() as connection:
        assert catalog.partitions(connection, "bars/synthetic/1m") == []
    assert_the_next_run_finishes()


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
def test_a_file_that_cannot_be_finished_is_a_sentence_and_leaves_nothing_behind(state_dir: Path) -> None:
    done = run("limit:4000")
    assert (done.returncode, done.stderr) == (1, "")
    assert "could not write" in done.stdout
    assert inspect() == []
    assert assert_only_whole_batches_are_visible() == 0
    assert_the_next_run_finishes()


@pytest.mark.full
def test_a_database_that_goes_away_in_the_middle_is_a_sentence_and_the_next_run_goes_on(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data.migrations import upgrade

    class Pulling(SyntheticMarket):
        """Pulls the plug of the database when it is asked for its second year."""

        def history(
            self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str
        ) -> pl.DataFrame:
            if start.year == LAST.year:
                assert wait_for(
                    lambda: shown_now(cluster.url()) == SESSIONS, TIMEOUT_S
                )  # the first is committed
                plug.__exit__(None, None, None)
            return super().history(symbols, start, end, timeframe)

    plug = embedded_postgres(tmp_path / "postgres")
    cluster = plug.__enter__()
    upgrade(cluster.url())
    with pytest.raises(Unavailable, match=r"Postgres does not answer.*`./slipway up`"):
        ingest(Pulling(), SYMBOLS, FIRST, LAST, database_url=cluster.url())
    with embedded_postgres(tmp_path / "postgres") as again:
        monkeypatch.setenv("SLIPWAY_DATABASE_URL", again.url())
        get_settings.cache_clear()
        assert assert_only_whole_batches_are_visible() == SESSIONS
        assert_the_next_run_finishes()
    shutil.rmtree(tmp_path / "postgres", ignore_errors=True)
