"""Partitions are sessions of the exchange, and the night asks for what the lake lacks."""

from datetime import UTC, date, datetime

import pytest
from dagster import DagsterInstance, RunRequest, SkipReason, build_schedule_context

from data.ingest import ingest
from data.sources import source
from orchestration.partitions import session_partitions
from orchestration.schedules import first_due, nightly_bars
from orchestration.study import Study


def test_weekends_and_holidays_are_no_partitions() -> None:
    partitions = session_partitions(date(2026, 9, 1), date(2026, 12, 31))

    known = partitions.get_partition_keys(current_time=datetime(2026, 12, 1, tzinfo=UTC))

    assert {"2026-09-04", "2026-09-08", "2026-11-27"} <= set(known)  # the last is a half day
    assert not {"2026-09-05", "2026-09-06", "2026-09-07", "2026-11-26"} & set(known)


@pytest.mark.full
@pytest.mark.parametrize(
    ("utc", "closed"),
    [
        (datetime(2026, 9, 8, 0, 5, tzinfo=UTC), "Monday, 2026-09-07"),  # Labor Day
        (datetime(2026, 9, 6, 0, 5, tzinfo=UTC), "Saturday, 2026-09-05"),
    ],
)
def test_nothing_is_asked_for_after_a_day_on_which_the_exchange_was_closed(
    utc: datetime, closed: str
) -> None:
    answer = evaluated(Study(), utc)

    assert isinstance(answer, SkipReason)
    assert closed in str(answer.skip_message)


@pytest.mark.full
def test_the_night_after_a_session_asks_for_that_session(study: Study) -> None:
    ingest(source(study.source), list(study.symbols), date(2026, 9, 3), date(2026, 9, 3))

    assert asked(study, datetime(2026, 9, 5, 0, 5, tzinfo=UTC)) == ("2026-09-04", "2026-09-04")


def test_an_empty_lake_starts_with_the_session_of_that_night(study: Study) -> None:
    assert asked(study, datetime(2026, 9, 5, 0, 5, tzinfo=UTC)) == ("2026-09-04", "2026-09-04")


@pytest.mark.full
def test_sessions_that_the_lake_missed_are_made_up_for(study: Study) -> None:
    ingest(source(study.source), ["AAA"], date(2026, 9, 3), date(2026, 9, 9))
    ingest(source(study.source), ["BBB"], date(2026, 9, 3), date(2026, 9, 4))

    assert asked(study, datetime(2026, 9, 11, 0, 5, tzinfo=UTC)) == ("2026-09-08", "2026-09-10")


def test_a_night_that_is_repeated_asks_again_for_its_own_session_only() -> None:
    assert first_due(date(2026, 9, 4), date(2026, 9, 4)) == date(2026, 9, 4)


def evaluated(study: Study, utc: datetime) -> object:
    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(instance, scheduled_execution_time=utc, resources={"study": study})
        with context:
            return nightly_bars(context)


def asked(study: Study, utc: datetime) -> tuple[str, str]:
    request = evaluated(study, utc)
    assert isinstance(request, RunRequest)
    tags = request.tags
    return tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]
