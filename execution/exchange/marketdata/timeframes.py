"""Alpaca's timeframes (5Min, 1Hour, 1Day, 3Month): when a bar begins, and longer bars put together from shorter.

Minutes and hours are counted by the clock; days, weeks and months begin at midnight where the market is: New York
for shares, Greenwich for crypto.  (Slipway's own hours begin at a session's open: data/resample.py.)
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from data.bar import Bar, step

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US
_WRITTEN = re.compile(r"([1-9][0-9]?)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
_AMOUNTS = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": (1,),
    "Week": (1,),
    "Month": (1, 2, 3, 4, 6, 12),
}
# The shortest that one of them can last, to tell which posted bars are short enough to build it from.
_LEAST = {
    "Min": timedelta(minutes=1),
    "Hour": timedelta(hours=1),
    "Day": timedelta(days=1),
    "Week": timedelta(days=7),
    "Month": timedelta(days=28),
}


class Timeframe(msgspec.Struct, frozen=True):
    amount: int
    unit: str

    def can_be_made_of(self, posted: str) -> bool:
        return step(posted) <= self.amount * _LEAST[self.unit]

    def span_us(self, ts_us: int, zone: tzinfo) -> tuple[int, int]:
        """Beginning and end of the bar that an instant falls in."""
        if self.unit == "Min":
            length = self.amount * _MINUTE_US
            return ts_us - ts_us % length, ts_us - ts_us % length + length
        day = (_EPOCH + timedelta(microseconds=ts_us)).astimezone(zone).date()
        if self.unit == "Hour":
            midnight, length = _midnight_us(day, zone), self.amount * _HOUR_US
            begin = ts_us - (ts_us - midnight) % length
            return begin, min(begin + length, _midnight_us(day + timedelta(days=1), zone))
        first, after = self._days(day)
        return _midnight_us(first, zone), _midnight_us(after, zone)

    def _days(self, day: date) -> tuple[date, date]:
        """The first day of the bar, and the first after it."""
        if self.unit == "Day":
            return day, day + timedelta(days=1)
        if self.unit == "Week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        month = day.year * 12 + day.month - 1
        first = month - month % self.amount
        return _first_of(first), _first_of(first + self.amount)


DAILY = Timeframe(1, "Day")


def timeframe(text: str) -> Timeframe | None:
    """What a client means by 5Min or 1D; None when Alpaca has no such bars."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    amount, unit = int(found[1]), _UNITS.get(found[2], found[2])
    return Timeframe(amount, unit) if amount in _AMOUNTS[unit] else None


def zone_of(symbol: str) -> tzinfo:
    return UTC if "/" in symbol else ZoneInfo("America/New_York")


def put_together(bars: Iterable[Bar], into: Timeframe, zone: tzinfo) -> Iterator[Bar]:
    """One symbol's bars as longer ones, in the order they come in: oldest or newest first."""
    made: Bar | None = None
    begin = end = 0
    for bar in bars:
        if made is not None and begin <= bar.ts_us < end:
            made = _joined(made, bar)
            continue
        if made is not None:
            yield msgspec.structs.replace(made, ts_us=begin)
        begin, end = into.span_us(bar.ts_us, zone)
        made = bar
    if made is not None:
        yield msgspec.structs.replace(made, ts_us=begin)


def _joined(made: Bar, bar: Bar) -> Bar:
    """`made` keeps the instant of its last bar, so that the next one is known to be before or after."""
    earlier, later = (made, bar) if made.ts_us < bar.ts_us else (bar, made)
    return msgspec.structs.replace(
        bar,
        open=earlier.open,
        high=max(made.high, bar.high),
        low=min(made.low, bar.low),
        close=later.close,
        volume=made.volume + bar.volume,
    )


def _midnight_us(day: date, zone: tzinfo) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MICROSECOND


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
