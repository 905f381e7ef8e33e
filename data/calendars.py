"""Trading sessions: when an exchange is open, holidays and half days included."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from data.errors import UsageError

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

NEW_YORK = "XNYS"


@dataclass(frozen=True, slots=True)
class Session:
    """One trading date with the instants between which its bars open."""

    day: date
    open_utc: datetime
    close_utc: datetime


@lru_cache(maxsize=4)
def _calendar(name: str) -> "ExchangeCalendar":
    import exchange_calendars  # brings pandas along: only who asks for sessions pays for it

    return exchange_calendars.get_calendar(name, start="2014-12-31")


def sessions(first: date, last: date, calendar: str = NEW_YORK) -> list[Session]:
    """The sessions from `first` to `last`, both included."""
    if last < first:
        raise UsageError(f"the range ends ({last}) before it starts ({first})", "Swap the two dates.")
    known = _calendar(calendar)
    _must_cover(calendar, first, last)
    rows = known.schedule.loc[str(first) : str(last), ["open", "close"]]
    return [
        Session(day.date(), opened.to_pydatetime(), closed.to_pydatetime())
        for day, opened, closed in rows.itertuples()
    ]


def last_sessions(until: date, count: int, calendar: str = NEW_YORK) -> list[Session]:
    """The newest `count` sessions that are not after `until`."""
    known = _calendar(calendar)
    _must_cover(calendar, until, until)
    newest = known.date_to_session(str(until), direction="previous")
    window = known.sessions_window(newest, -min(count, sessions_before(newest.date(), calendar) + 1))
    return sessions(window[0].date(), window[-1].date(), calendar)


def sessions_before(day: date, calendar: str = NEW_YORK) -> int:
    """How many sessions of the calendar lie before `day`."""
    return bisect_left(_days(calendar), day)


@lru_cache(maxsize=4)
def _days(calendar: str) -> list[date]:
    return [day.date() for day in _calendar(calendar).sessions]


def _must_cover(calendar: str, first: date, last: date) -> None:
    known = _calendar(calendar)
    floor, ceiling = known.first_session.date(), known.last_session.date()
    if first < floor or last > ceiling:
        asked = f"{first} to {last}" if last > first else f"{first}"
        raise UsageError(
            f"the calendar {calendar} covers {floor} to {ceiling}, not {asked}",
            "Ask for dates inside that range.",
        )
