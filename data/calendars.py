"""Trading sessions: when a market is open, holidays and half days included."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from data.errors import UsageError

NEW_YORK: Final = "XNYS"
ROUND_THE_CLOCK: Final = "24/7"  # a session is a day of UTC

_FIRST_DAY: Final = date(1990, 1, 2)  # of exchanges; later bars of a shorter calendar are what sources have
_ROUND_THE_CLOCK_FIRST: Final = date(2009, 1, 3)  # nothing traded round the clock before the first bitcoin
_ROUND_THE_CLOCK_LAST: Final = date(2100, 1, 1)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading date with the instants between which its bars open."""

    day: date
    open_utc: datetime
    close_utc: datetime


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Every session of a market, in order; three lists, so that a range is two bisections."""

    days: list[date]
    opens: list[datetime]
    closes: list[datetime]


@lru_cache(maxsize=8)
def _calendar(name: str) -> _Calendar:
    if name == ROUND_THE_CLOCK:
        count = (_ROUND_THE_CLOCK_LAST - _ROUND_THE_CLOCK_FIRST).days + 1
        days = [_ROUND_THE_CLOCK_FIRST + timedelta(days=number) for number in range(count)]
        midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
        return _Calendar(days, midnights, [moment + timedelta(days=1) for moment in midnights])
    import exchange_calendars  # brings pandas along: only who asks for an exchange's sessions pays for it
    from exchange_calendars.errors import InvalidCalendarName

    try:
        schedule = exchange_calendars.get_calendar(name, start=str(_FIRST_DAY)).schedule
    except InvalidCalendarName:
        raise UsageError(
            f"there is no calendar {name!r}", f"Use {ROUND_THE_CLOCK} or an exchange's code like {NEW_YORK}."
        ) from None
    return _Calendar(
        [day.date() for day in schedule.index],
        [moment.to_pydatetime() for moment in schedule["open"]],
        [moment.to_pydatetime() for moment in schedule["close"]],
    )


def sessions(first: date, last: date, calendar: str = NEW_YORK) -> list[Session]:
    """The sessions from `first` to `last`, both included."""
    if last < first:
        raise UsageError(f"the range ends ({last}) before it starts ({first})", "Swap the two dates.")
    known = _calendar(calendar)
    _must_cover(calendar, first, last)
    places = range(bisect_left(known.days, first), bisect_right(known.days, last))
    return [Session(known.days[at], known.opens[at], known.closes[at]) for at in places]


def last_sessions(until: date, count: int, calendar: str = NEW_YORK) -> list[Session]:
    """The newest `count` sessions that are not after `until`."""
    known = _calendar(calendar)
    _must_cover(calendar, until, until)
    end = bisect_right(known.days, until)
    first = known.days[max(0, end - count)]
    return sessions(first, known.days[end - 1], calendar)


def last_closed(moment: datetime, calendar: str = NEW_YORK) -> Session:
    """The newest session that was over at `moment`."""
    known = _calendar(calendar)
    over = bisect_right(known.closes, moment)
    if not over:
        raise UsageError(f"no session of {calendar} was over at {moment}", "Ask for a later moment.")
    return Session(known.days[over - 1], known.opens[over - 1], known.closes[over - 1])


def session_at(moment: datetime, calendar: str = NEW_YORK) -> Session | None:
    """The session that is on at `moment`; None while the market is closed."""
    known = _calendar(calendar)
    at = bisect_right(known.opens, moment) - 1
    if at < 0 or moment >= known.closes[at]:
        return None
    return Session(known.days[at], known.opens[at], known.closes[at])


def next_session(moment: datetime, calendar: str = NEW_YORK) -> Session:
    """The first session that opens at `moment` or later."""
    known = _calendar(calendar)
    at = bisect_left(known.opens, moment)
    if at == len(known.opens):
        raise UsageError(f"no session of {calendar} is known after {moment}", "Ask for an earlier moment.")
    return Session(known.days[at], known.opens[at], known.closes[at])


def session_from(day: date, calendar: str = NEW_YORK) -> Session:
    """The session of `day`, or the next one when the market is closed on it."""
    known = _calendar(calendar)
    _must_cover(calendar, day, day)
    at = bisect_left(known.days, day)
    return Session(known.days[at], known.opens[at], known.closes[at])


def sessions_before(day: date, calendar: str = NEW_YORK) -> int:
    """How many sessions of the calendar lie before `day`."""
    return bisect_left(_calendar(calendar).days, day)


def _must_cover(calendar: str, first: date, last: date) -> None:
    known = _calendar(calendar)
    floor, ceiling = known.days[0], known.days[-1]
    if first < floor or last > ceiling:
        asked = f"{first} to {last}" if last > first else f"{first}"
        raise UsageError(
            f"the calendar {calendar} covers {floor} to {ceiling}, not {asked}",
            "Ask for dates inside that range.",
        )
