"""Bars of one symbol as numpy columns: what features and kernels read."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.calendars import NEW_YORK
from data.errors import UsageError
from data.instruments import usual_calendar

FloatArray = NDArray[np.float64]

COLUMNS: Final = ("open", "high", "low", "close", "volume")

_UNTIMED: Final[NDArray[np.int64]] = np.empty(0, dtype=np.int64)


class Ohlcv(NamedTuple):
    """One finished bar; `ts_us` is when it opened, in microseconds UTC."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    ts_us: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BarArrays:
    """Columns of equal length, oldest bar first, and the calendar by which the symbol trades."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    ts_us: NDArray[np.int64] = field(default_factory=lambda: _UNTIMED)
    """when each bar opened; empty where nobody knows, and then no feature may ask for the session"""
    calendar: str = NEW_YORK

    @classmethod
    def of(cls, frame: pl.DataFrame, calendar: str | None = None) -> "BarArrays":
        """The columns of a frame that holds one symbol's bars in order of time.

        The calendar is the symbol's usual one where none is given.
        """
        symbol = _only_symbol(frame)
        if calendar is None:
            calendar = NEW_YORK if symbol is None else usual_calendar(symbol)
        if "ts_utc" in frame.columns:
            ts_us = _shared(frame["ts_utc"].dt.epoch("us"))
        else:
            ts_us = np.zeros(frame.height, dtype=np.int64)
        open, high, low, close, volume = (_shared(frame[name].cast(pl.Float64)) for name in COLUMNS)
        return cls(open, high, low, close, volume, ts_us, calendar)

    def part(self, first: int, last: int) -> "BarArrays":
        """The bars from `first` to before `last`; they share the memory of these."""
        open, high, low, close, volume = (getattr(self, name)[first:last] for name in COLUMNS)
        return BarArrays(open, high, low, close, volume, self.ts_us[first:last], self.calendar)

    def bar(self, at: int) -> Ohlcv:
        """One bar by itself."""
        open, high, low, close, volume = (float(getattr(self, name)[at]) for name in COLUMNS)
        return Ohlcv(open, high, low, close, volume, int(self.ts_us[at]) if len(self.ts_us) else 0)

    def __len__(self) -> int:
        return len(self.close)


_NOTHING: Final[FloatArray] = np.empty(0)


def no_bars(calendar: str = NEW_YORK) -> BarArrays:
    """What a stream has seen that starts with its market."""
    return BarArrays(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _UNTIMED, calendar)


class _Shared:
    """A column's memory, lent as numpy's own: numba would compile every kernel twice, once for read-only arrays.

    Nobody writes to bars; what a person's function may write to is a copy.
    """

    def __init__(self, locked: NDArray[Any]) -> None:
        self._locked = locked
        self.__array_interface__ = locked.__array_interface__ | {
            "data": (locked.__array_interface__["data"][0], False)
        }


def _shared(column: pl.Series) -> NDArray[Any]:
    """A column as an array, without a copy where there is one chunk and nothing is missing."""
    array = column.to_numpy()
    return array if array.flags.writeable or not len(array) else np.asarray(_Shared(array))


def _only_symbol(frame: pl.DataFrame) -> str | None:
    if "symbol" not in frame.columns or frame.is_empty():
        return None
    symbol = frame["symbol"][0]
    if frame["symbol"].n_unique() > 1:
        raise UsageError(
            "the frame holds several symbols where one is needed",
            "Filter it first: bars.filter(pl.col('symbol') == …).",
        )
    return str(symbol)
