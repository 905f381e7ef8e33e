"""Sessions counted, and ranges that no calendar covers."""

from datetime import date

import pytest

from data.calendars import last_sessions, sessions, sessions_before
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
    found = last_sessions(date(2015, 1, 5), 20)
    assert [each.day for each in found] == [date(2014, 12, 31), date(2015, 1, 2), date(2015, 1, 5)]
