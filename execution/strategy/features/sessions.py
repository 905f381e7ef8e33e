"""Which session a bar belongs to.

A bar belongs to the session with the latest open that is not after it, so pre-market and overnight bars belong to
the session before them; the minutes to the close are negative once it has closed.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.calendars import last_sessions, sessions, sessions_before
from data.errors import UsageError
from execution.strategy.arrays import BarArrays

_DAY: Final = timedelta(days=1)
# A session may open on the evening before its date, seen from Greenwich.
_AHEAD: Final = 2 * _DAY
# Where no bar says when: an instant that every calendar knows.
_ANY_US: Final = 1_262_304_000_000_000  # the first of January 2010


@dataclass(frozen=True, slots=True)
class SessionTable:
    """Consecutive sessions of a calendar; times in microseconds UTC."""

    calendar: str
    opens_us: NDArray[np.int64]
    closes_us: NDArray[np.int64]
    first_number: int
    """how many sessions of the calendar lie before the first of these"""

    def places(self, ts_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """The session of each of these instants."""
        at = np.searchsorted(self.opens_us, ts_us, side="right") - 1
        if at.size and at.min() < 0:
            raise UsageError(
                f"a bar at {_instant(int(ts_us[at.argmin()]))} is before the first session of {self.calendar}",
                "Start the bars later.",
            )
        return at


def sessions_around(calendar: str, first_us: int, last_us: int) -> SessionTable:
    """The sessions of all instants from `first_us` to `last_us`, and the one after."""
    first, last = _instant(first_us).date(), _instant(last_us).date()
    found = sessions(first, last + _AHEAD, calendar)
    number = sessions_before(first, calendar)
    if number:
        found = last_sessions(first - _DAY, 1, calendar) + found
        number -= 1
    following = last + _AHEAD + _DAY
    while found[-1].open_utc <= _instant(last_us):  # a holiday
        found += sessions(following, following, calendar)
        following += _DAY
    return SessionTable(
        calendar,
        np.array([_us(each.open_utc) for each in found], dtype=np.int64),
        np.array([_us(each.close_utc) for each in found], dtype=np.int64),
        number,
    )


class Sittings:
    """A symbol's bars told apart by session."""

    def __init__(self, bars: BarArrays) -> None:
        if len(bars.ts_us) != len(bars):
            raise UsageError(
                "a feature asks for the session of bars that have no times",
                "Make them with BarArrays.of(frame) from a frame with ts_utc.",
            )
        first_us, last_us = (int(bars.ts_us[0]), int(bars.ts_us[-1])) if len(bars) else (_ANY_US, _ANY_US)
        self.table = sessions_around(bars.calendar, first_us, last_us)
        self.place = self.table.places(bars.ts_us)
        begins = np.ones(len(bars), dtype=np.bool_)
        begins[1:] = self.place[1:] != self.place[:-1]
        self.starts = np.flatnonzero(begins)
        """the first bar of each session that has bars"""
        self.of_bar = np.cumsum(begins) - 1
        """for each bar, which of them it is in"""


class SessionWatch:
    """Told each bar's time, says when a session begins; asks the calendar only then."""

    __slots__ = ("_calendar", "_until_us", "close_us", "number", "open_us")

    def __init__(self, calendar: str) -> None:
        self._calendar = calendar
        self._until_us: float = -math.inf
        self.open_us = self.close_us = self.number = 0

    def begins(self, ts_us: int) -> bool:
        """Whether this bar is the first of its session."""
        if ts_us < self._until_us:
            return False
        table = sessions_around(self._calendar, ts_us, ts_us)
        at = int(table.places(np.array([ts_us]))[0])
        self.open_us, self.close_us = int(table.opens_us[at]), int(table.closes_us[at])
        self.number = table.first_number + at
        self._until_us = int(table.opens_us[at + 1])
        return True


def since_last_session(history: BarArrays) -> BarArrays:
    """The newest session's bars and the one before them: all that a session's features remember."""
    sittings = Sittings(history)
    if not len(sittings.starts):
        return history
    return history.part(max(int(sittings.starts[-1]) - 1, 0), len(history))


def _us(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _instant(ts_us: int) -> datetime:
    return datetime.fromtimestamp(ts_us // 1_000_000, UTC)
