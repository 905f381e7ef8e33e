"""Where bars begin and end on exchange time: sessions, half days and nights of DST included."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from data.bar import DAY, step
from data.calendars import next_session, session_at

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Slot(NamedTuple):
    """The time of one bar: from its open until before its end."""

    opens_us: int
    ends_us: int


class Grid:
    """The bars of one calendar and timeframe; the last of a session may be short."""

    def __init__(self, calendar: str, timeframe: str) -> None:
        self.calendar = calendar
        self.timeframe = timeframe
        self._step_us = None if timeframe == DAY else step(timeframe) // _MICROSECOND
        self._session = Slot(0, 0)  # the one asked for last

    def session(self, ts_us: int) -> Slot | None:
        """The session that is on."""
        if not self._session.opens_us <= ts_us < self._session.ends_us:
            found = session_at(moment(ts_us), self.calendar)
            if found is None:
                return None
            self._session = Slot(micros(found.open_utc), micros(found.close_utc))
        return self._session

    def slot(self, ts_us: int) -> Slot | None:
        """The bar to which this instant belongs; None outside every session."""
        on = self.session(ts_us)
        if on is None or self._step_us is None:
            return on
        opens_us = ts_us - (ts_us - on.opens_us) % self._step_us
        return Slot(opens_us, min(opens_us + self._step_us, on.ends_us))

    def first_from(self, ts_us: int) -> Slot:
        """The first bar that opens at this instant or later."""
        slot = self.slot(ts_us)
        if slot is not None and slot.opens_us < ts_us:
            slot = self.slot(slot.ends_us)
        if slot is None:
            slot = self.slot(micros(next_session(moment(ts_us), self.calendar).open_utc))
        assert slot is not None, "a session has a first bar"
        return slot


def moment(ts_us: int) -> datetime:
    return _EPOCH + ts_us * _MICROSECOND


def micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
