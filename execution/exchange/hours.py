"""Days and sessions of the market, by the time of the tape: a table, not a clock.

New York's days need no calendar.  Sessions come from data/calendars.py, which is loaded when the first one is
asked for: accounts that trade whenever their tape moves never pay for it.
"""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from data.bar import DAY, TIMEFRAMES
from data.calendars import Session, session_from

NEW_YORK = ZoneInfo("America/New_York")
PRE_MARKET = time(4)
AFTER_HOURS_END = time(20)

# How long a bar lasts.  One of a day starts at the open and lasts for a regular session.
BAR_US = {
    name: 23_400_000_000 if name == DAY else length // timedelta(microseconds=1)
    for name, length in TIMEFRAMES.items()
}


class Phase(StrEnum):
    REGULAR = "regular"
    EXTENDED = "extended"
    CLOSED = "closed"


class Toll(StrEnum):
    OPEN = "open"
    CLOSE = "close"
    EXTENDED_END = "extended_end"


class Bell(NamedTuple):
    """A moment at which a session changes."""

    at_us: int
    toll: Toll


_loaded: set[str] = set()


def is_loaded(calendar: str) -> bool:
    return calendar in _loaded


def load(calendar: str) -> None:
    """Takes a second or more, the first time."""
    _session(date(2025, 1, 2), calendar)
    _loaded.add(calendar)


def day_of(at_us: int) -> date:
    return datetime.fromtimestamp(at_us / 1e6, NEW_YORK).date()


def day_end_us(at_us: int) -> int:
    """The midnight in New York that ends the day of an instant."""
    return _us(datetime.combine(day_of(at_us) + timedelta(days=1), time(0), NEW_YORK))


def phase(at_us: int, calendar: str) -> Phase:
    session = _session(day_of(at_us), calendar)
    if session.day != day_of(at_us):
        return Phase.CLOSED
    if _us(session.open_utc) <= at_us < _us(session.close_utc):
        return Phase.REGULAR
    return (
        Phase.EXTENDED if _at(session, PRE_MARKET) <= at_us < _at(session, AFTER_HOURS_END) else Phase.CLOSED
    )


def clock_of(at_us: int) -> time:
    """The time of day in New York."""
    return datetime.fromtimestamp(at_us / 1e6, NEW_YORK).time()


def next_open_us(from_us: int, calendar: str) -> int:
    """The first open that is not before an instant."""
    return _next(from_us - 1, calendar, Toll.OPEN)


def next_close_us(after_us: int, calendar: str) -> int:
    return _next(after_us, calendar, Toll.CLOSE)


def next_bell(after_us: int, calendar: str) -> Bell:
    session = _session(day_of(after_us), calendar)
    for _ in range(2):  # at the latest, the next session's open
        for bell in _bells(session):
            if bell.at_us > after_us:
                return bell
        session = _session(session.day + timedelta(days=1), calendar)
    raise AssertionError("a session without an open")


def _next(after_us: int, calendar: str, toll: Toll) -> int:
    bell = next_bell(after_us, calendar)
    while bell.toll is not toll:
        bell = next_bell(bell.at_us, calendar)
    return bell.at_us


def _bells(session: Session) -> list[Bell]:
    return [
        Bell(_us(session.open_utc), Toll.OPEN),
        Bell(_us(session.close_utc), Toll.CLOSE),
        Bell(_at(session, AFTER_HOURS_END), Toll.EXTENDED_END),
    ]


@lru_cache(maxsize=4_096)
def _session(day: date, calendar: str) -> Session:
    """The session of a day, or the next one."""
    return session_from(day, calendar)


def _at(session: Session, clock: time) -> int:
    return _us(datetime.combine(session.day, clock, NEW_YORK))


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000
