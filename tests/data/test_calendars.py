"""Sessions counted, and ranges that no calendar covers."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from data.calendars import (
    ROUND_THE_CLOCK,
    last_closed,
    last_sessions,
    next_session,
    session_at,
    session_from,
    sessions,
    sessions_before,
)
from data.errors import UsageError

FIRST = date(2015, 1, 2)


@pytest.mark.parametrize("day", [FIRST, date(2020, 3, 16), date(2026, 11, 27)])
def test_sessions_are_counted_without_listing_them(day: date) -> None:
    assert sessions_before(day) - sessions_before(FIRST) == len(sessions(FIRST, day)) - 1


def test_a_weekend_counts_as_the_monday_behind_it() -> None:
    assert sessions_before(date(2026, 10, 3)) == sessions_before(date(2026, 10, 5))


@pytest.mark.parametrize("until", [date(1900, 1, 1), date(2099, 1, 1)])
def test_a_day_beyond_the_calendar_is_a_mistake_of_use(until: date) -> None:
    with pytest.raises(UsageError, match=f"covers .* not {until}"):
        last_sessions(until, 20)


def test_the_newest_sessions_end_where_the_calendar_begins() -> None:
    found = last_sessions(date(1990, 1, 4), 20)
    assert [each.day for each in found] == [date(1990, 1, 2), date(1990, 1, 3), date(1990, 1, 4)]


def test_round_the_clock_every_day_is_a_session_from_midnight_to_midnight() -> None:
    found = sessions(date(2026, 9, 26), date(2026, 9, 28), ROUND_THE_CLOCK)
    assert [each.day.day for each in found] == [26, 27, 28]
    assert all(one.close_utc == after.open_utc for one, after in pairwise(found))


def test_a_session_is_over_when_it_has_closed() -> None:
    close = datetime(2026, 9, 30, 20, tzinfo=UTC)
    assert last_closed(close).day == date(2026, 9, 30)
    assert last_closed(close - timedelta(seconds=1)).day == date(2026, 9, 29)
    assert last_closed(datetime(2026, 10, 1, tzinfo=UTC), ROUND_THE_CLOCK).day == date(2026, 9, 30)


def test_a_day_without_a_session_leads_to_the_next_one() -> None:
    assert session_from(date(2026, 10, 3)).day == date(2026, 10, 5)
    assert session_from(date(2026, 10, 3), ROUND_THE_CLOCK).day == date(2026, 10, 3)


def test_an_unknown_calendar_is_named() -> None:
    with pytest.raises(UsageError, match="no calendar 'XMARS'"):
        sessions(FIRST, FIRST, "XMARS")


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 27, 14, 29, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 27, 14, 30, tzinfo=UTC), date(2026, 11, 27)),
        (datetime(2026, 11, 27, 17, 59, 59, tzinfo=UTC), date(2026, 11, 27)),
        (datetime(2026, 11, 27, 18, 0, tzinfo=UTC), None),  # the day after Thanksgiving ends early
        (datetime(1980, 1, 1, tzinfo=UTC), None),
        (datetime(2200, 1, 1, tzinfo=UTC), None),
    ],
)
def test_the_session_that_is_on(moment: datetime, day: date | None) -> None:
    found = session_at(moment)
    assert (found.day if found else None) == day


def test_the_next_session_is_the_one_that_opens_at_the_moment_or_later() -> None:
    opened = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    assert next_session(opened).day == date(2026, 11, 27)
    assert next_session(opened + timedelta(microseconds=1)).day == date(2026, 11, 30)
    midnight = datetime(2026, 3, 8, tzinfo=UTC)
    assert next_session(midnight, ROUND_THE_CLOCK).day == date(2026, 3, 8)
    with pytest.raises(UsageError, match="no session of 24/7 is known after"):
        next_session(datetime(2200, 1, 1, tzinfo=UTC), ROUND_THE_CLOCK)
