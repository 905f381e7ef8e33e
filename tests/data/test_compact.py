"""Many small files become one, and no answer changes."""

from datetime import date
from pathlib import Path

import pytest
from crowd import at_once
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vendors import correcting, half_empty, without_a_bar

import data
from data import catalog
from data.compact import compact
from data.ingest import ingest
from data.inspection import inspect
from data.postgres import connect
from data.sources import Source
from data.sources.synthetic import SyntheticMarket

DATASET = "bars/synthetic/1h"
DAYS = [date(2025, 12, 29), date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 5)]

pytestmark = pytest.mark.usefixtures("database_url")


def bring(first: date = DAYS[0], last: date = DAYS[-1], market: Source | None = None) -> int:
    return ingest(market or SyntheticMarket(), ["AAA", "BBB"], first, last, "1h").snapshot


@pytest.mark.full
def test_a_year_of_dated_files_becomes_one_and_the_answer_stays(state_dir: Path) -> None:
    bring()
    bring(market=correcting(DAYS[1]))
    before, then = data.bars(["AAA", "BBB"], "1h"), newest()
    done = compact(DATASET)
    assert [(each.symbol, each.year, each.sessions, each.files_before) for each in done] == [
        ("AAA", 2025, 3, 3), ("AAA", 2026, 2, 2), ("BBB", 2025, 3, 3), ("BBB", 2026, 2, 2),
    ]  # fmt: skip
    assert data.bars(["AAA", "BBB"], "1h").equals(before)
    assert data.bars(["AAA", "BBB"], "1h", as_of=then).equals(before)
    assert {partition.revision for partition in shown() if partition.session == DAYS[1]} == {1, 2}
    assert {partition.path for partition in shown()} == {each.path for each in done}
    assert compact(DATASET) == []
    assert inspect(deep=True) == []
    assert ingest(correcting(DAYS[1]), ["AAA", "BBB"], DAYS[0], DAYS[-1], "1h").published == 0


@pytest.mark.full
def test_a_session_that_failed_its_checks_stays_where_it_is() -> None:
    bring(market=half_empty(DAYS[2]))
    compact(DATASET)
    failed = [partition for partition in shown() if partition.quality == "failed"]
    assert [(each.symbol, each.session) for each in failed] == [("AAA", DAYS[2])]
    assert data.bars("AAA", "1h", start=DAYS[0], end=DAYS[2]).height == 14


@pytest.mark.full
def test_a_correction_behind_a_compaction_is_served_and_folded_by_the_next() -> None:
    bring()
    compact(DATASET)
    bring(market=correcting(DAYS[0]))
    before = data.bars(["AAA", "BBB"], "1h")
    assert before["close"][5] == before["high"][5]
    assert [(each.symbol, each.year, each.files_before) for each in compact(DATASET)] == [("AAA", 2025, 2)]
    assert data.bars(["AAA", "BBB"], "1h").equals(before)


@pytest.mark.full
def test_compactions_and_writers_at_once_lose_nothing() -> None:
    bring()

    def correct() -> None:
        for _ in range(3):
            bring(market=correcting(DAYS[1]))

    def fold() -> None:
        for _ in range(3):
            compact(DATASET)

    assert at_once(fold, fold, correct, correct) == []
    compact(DATASET)
    with connect() as connection:
        assert {row["files"] for row in catalog.summary(connection)} == {2}
    again = ingest(correcting(DAYS[1]), ["AAA", "BBB"], DAYS[0], DAYS[-1], "1h")
    assert (again.published, again.unchanged) == (0, 10)


STEP = st.one_of(
    st.just("compact"),
    st.tuples(
        st.sampled_from(["tell", "correct", "take a bar", "lose half"]), st.integers(0, 4), st.integers(0, 4)
    ),
)


@pytest.mark.full
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=6))
def test_whatever_happens_the_catalog_tells_what_a_dictionary_would(steps: list[object]) -> None:
    """A model of the rules: a healthy telling replaces what is shown, a failed one only what is not healthy."""
    with connect() as connection:
        connection.execute("truncate catalog, lake_files, candles, snapshots cascade")
    model: dict[date, object] = {}
    pinned: list[tuple[int, dict[date, object]]] = []
    for step in steps:
        if step == "compact":
            compact(DATASET)
        else:
            kind, first, last = step  # type: ignore[misc]
            first, last = sorted((first, last))
            spoiled = DAYS[last]
            market = {
                "tell": SyntheticMarket(),
                "correct": correcting(spoiled, place=2),
                "take a bar": without_a_bar(spoiled, place=2),  # one hour of seven: too much, it fails
                "lose half": half_empty(spoiled),
            }[kind]
            ingest(market, ["AAA"], DAYS[first], spoiled, "1h")
            for day in DAYS[first : last + 1]:
                told = kind if day == spoiled else "tell"
                if told in ("take a bar", "lose half"):
                    model.setdefault(day, "nothing")
                else:
                    model[day] = told
        pinned.append((newest(), dict(model)))
    for snapshot, expected in pinned:
        assert served(snapshot) == {day: told for day, told in expected.items() if told != "nothing"}
    assert [each for each in inspect(deep=True) if each.kind in ("missing", "damaged")] == []


def served(as_of: int) -> dict[date, object]:
    """Which telling of each session a reader gets."""
    with connect() as connection:
        days = {
            partition.session
            for partition in catalog.partitions(connection, DATASET, ["AAA"], as_of=as_of)
            if partition.quality != "failed"
        }
    if not days:
        return {}
    bars = data.bars("AAA", "1h", as_of=as_of)
    found: dict[date, object] = {}
    for (day,), rows in bars.group_by(bars["ts_utc"].dt.date()):
        found[day] = "correct" if rows["close"][2] == rows["high"][2] else "tell"  # type: ignore[index]
    assert set(found) == days
    return found


def newest() -> int:
    with connect() as connection:
        return catalog.newest_snapshot(connection)


def shown() -> list[catalog.Partition]:
    with connect() as connection:
        return catalog.partitions(connection, DATASET)
