"""Named numbers a decision reads: TA-Lib's indicators, prices and constants.

Each feature has two forms that agree bit for bit from the first bar of the data on: `batch` over arrays for
research and `incremental` one bar at a time for a running engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, cast

import numpy as np

from data.errors import UsageError
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray, Ohlcv
from execution.strategy.talib_extension import ta_lib


class Stream(Protocol):
    """A feature carried forward one bar at a time."""

    def update(self, bar: Ohlcv) -> float:
        """The feature's value at this bar, NaN while it warms up."""


class Feature(Protocol):
    """What `features()` returns under each name; hashable, so that a sweep computes equal ones once."""

    def batch(self, bars: BarArrays) -> FloatArray:
        """One value per bar, NaN while it warms up."""

    def incremental(self, history: BarArrays) -> Stream:
        """A stream that has already seen `history`."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A single-output TA-Lib function of some columns."""

    function: str
    columns: tuple[str, ...]
    options: tuple[tuple[str, int], ...]

    def batch(self, bars: BarArrays) -> FloatArray:
        function = cast(Callable[..., FloatArray], getattr(ta_lib(), self.function))
        return function(*(getattr(bars, name) for name in self.columns), **dict(self.options))

    def incremental(self, history: BarArrays) -> Stream:
        return _IndicatorStream(self, history)


class _Handle(Protocol):
    value: float

    def update(self, *values: float) -> float: ...


class _IndicatorStream:
    """Collects bars until TA-Lib can open its handle, then only feeds the handle."""

    def __init__(self, indicator: Indicator, history: BarArrays) -> None:
        self._indicator = indicator
        self._places = [COLUMNS.index(name) for name in indicator.columns]
        columns = [getattr(history, name) for name in indicator.columns]
        self._handle = self._open(columns)
        self._seen = [] if self._handle is not None else [column.tolist() for column in columns]

    def update(self, bar: Ohlcv) -> float:
        if self._handle is not None:
            return self._handle.update(*[bar[place] for place in self._places])
        for seen, place in zip(self._seen, self._places, strict=True):
            seen.append(bar[place])
        self._handle = self._open([np.array(seen, dtype=np.float64) for seen in self._seen])
        return float("nan") if self._handle is None else self._handle.value

    def _open(self, columns: list[FloatArray]) -> _Handle | None:
        make = cast(
            Callable[..., _Handle],
            getattr(ta_lib(), f"{self._indicator.function}_Stream"),
        )
        try:
            return make(*columns, **dict(self._indicator.options))
        except ta_lib().InsufficientHistory:
            return None


@dataclass(frozen=True, slots=True)
class Column:
    """A price or the volume of the bar itself."""

    column: str

    def batch(self, bars: BarArrays) -> FloatArray:
        return cast(FloatArray, getattr(bars, self.column))

    def incremental(self, history: BarArrays) -> Stream:
        return _ColumnStream(COLUMNS.index(self.column))


@dataclass(frozen=True, slots=True)
class _ColumnStream:
    place: int

    def update(self, bar: Ohlcv) -> float:
        return bar[self.place]


@dataclass(frozen=True, slots=True)
class Constant:
    """A parameter that `decide` reads, such as a threshold: `decide` sees features only."""

    value: float

    def batch(self, bars: BarArrays) -> FloatArray:
        return np.full(len(bars), self.value)

    def incremental(self, history: BarArrays) -> Stream:
        return self

    def update(self, bar: Ohlcv) -> float:
        return self.value


# The shortest period where it is not 1: TA-Lib answers "Bad Parameter" below these.
_SHORTEST: Final = {"RSI": 2, "STDDEV": 2, "MAX": 2, "MIN": 2}


def _indicator(function: str, columns: tuple[str, ...], period: int) -> Indicator:
    for name in columns:
        _checked_column(name)
    shortest = _SHORTEST.get(function, 1)
    if isinstance(period, bool) or period != int(period) or not shortest <= period <= 100_000:
        raise UsageError(
            f"{function.lower()} was given the period {period!r}",
            f"Use a whole number from {shortest} to 100000.",
        )
    return Indicator(function, columns, (("timeperiod", int(period)),))


def _checked_column(name: str) -> str:
    if name not in COLUMNS:
        raise UsageError(
            f"a feature reads the column {name!r}, which bars do not have",
            f"Use one of: {', '.join(COLUMNS)}.",
        )
    return name


def sma(column: str, period: int) -> Feature:
    """Simple moving average."""
    return _indicator("SMA", (column,), period)


def ema(column: str, period: int) -> Feature:
    """Exponential moving average, seeded with the simple average of its first `period` bars."""
    return _indicator("EMA", (column,), period)


def wma(column: str, period: int) -> Feature:
    """Linearly weighted moving average."""
    return _indicator("WMA", (column,), period)


def rsi(column: str, period: int) -> Feature:
    """Relative strength index, 0 to 100."""
    return _indicator("RSI", (column,), period)


def atr(period: int) -> Feature:
    """Average true range."""
    return _indicator("ATR", ("high", "low", "close"), period)


def std(column: str, period: int) -> Feature:
    """Rolling standard deviation (of the population: divided by `period`)."""
    return _indicator("STDDEV", (column,), period)


def roc(column: str, period: int) -> Feature:
    """Return over `period` bars: 0.01 is one percent up."""
    return _indicator("ROCP", (column,), period)


def highest(column: str, period: int) -> Feature:
    """Highest value of the last `period` bars, this one included."""
    return _indicator("MAX", (column,), period)


def lowest(column: str, period: int) -> Feature:
    """Lowest value of the last `period` bars, this one included."""
    return _indicator("MIN", (column,), period)


def price(column: str) -> Feature:
    """The bar's own open, high, low, close or volume."""
    return Column(_checked_column(column))


def constant(value: float) -> Feature:
    """A number that `decide` reads, such as a threshold parameter."""
    return Constant(float(value))
