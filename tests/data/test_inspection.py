"""`data check`: whatever is missing, damaged or unnamed is named, and nothing else."""

import os
import time
from datetime import date
from pathlib import Path

import pytest
from vendors import half_empty

from data.ingest import ingest
from data.inspection import inspect, remove_orphans
from data.sources.synthetic import SyntheticMarket
from data.storage import STAGED_PREFIX

FIRST, LAST = date(2026, 9, 28), date(2026, 9, 30)
DAY_FILE = "bars/synthetic/1m/AAA/2026/09/30-1.parquet"

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def lake(state_dir: Path, database_url: str) -> Path:
    ingest(SyntheticMarket(), ["AAA"], FIRST, LAST)
    return state_dir / "lake"


def kinds(*, deep: bool = False) -> list[tuple[str, str]]:
    return [(trouble.kind, trouble.what) for trouble in inspect(deep=deep)]


def test_a_whole_lake_has_no_troubles(lake: Path) -> None:
    assert kinds(deep=True) == []


def test_a_missing_file_is_named(lake: Path) -> None:
    (lake / DAY_FILE).unlink()
    assert kinds(deep=True) == [("missing", DAY_FILE)]


def test_a_single_flipped_bit_is_found_by_a_deep_look(lake: Path) -> None:
    content = bytearray((lake / DAY_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (lake / DAY_FILE).write_bytes(content)
    assert kinds() == []
    assert kinds(deep=True) == [("damaged", DAY_FILE)]


def test_what_no_row_names_is_an_orphan_and_may_be_removed_when_it_is_old(lake: Path) -> None:
    orphan = lake / "bars/synthetic/1m/AAA/2026/09/29-7.parquet"
    torn = lake / f"quarantine/bars/x/{STAGED_PREFIX}abc"
    for path in (orphan, torn):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert [kind for kind, _ in kinds()] == ["orphan", "half-written"]
    assert remove_orphans() == []  # so young that a running ingest may be about to publish it
    for path in (orphan, torn):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    assert len(remove_orphans()) == 2
    assert kinds() == []
    assert not orphan.exists()
    assert (lake / DAY_FILE).exists()


def test_sessions_that_failed_their_checks_are_listed_with_the_reason(lake: Path) -> None:
    ingest(half_empty(LAST, "BBB"), ["BBB"], LAST, LAST)
    (trouble,) = inspect()
    assert (trouble.kind, trouble.what) == ("failed checks", "bars/synthetic/1m BBB 2026-09-30")
    assert "195 of 390 bars are missing" in trouble.found
    assert trouble.is_serious
