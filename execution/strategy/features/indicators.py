"""TA-Lib's indicators, wrapped once.

Its stream handles give, bar by bar, the bits of its batch functions.  Where nothing moves, TA-Lib divides by zero
nowhere: rsi, adx and stochastic are 0 there, not NaN; a rule that buys what has fallen should not take a market that
stands still for one (`0.0 < x.strength < 30.0`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol, cast

import numpy as np

from data.errors import UsageError
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray, Ohlcv
from execution.strategy.features.columns import FEATURES_KEPT, Column, checked_period, price
from execution.strategy.features.feature import Exact, Feature, Running
from execution.strategy.talib_extension import ta_lib, write

# The shortest period where it is not 1: TA-Lib answers "Bad Parameter" below these.
SHORTEST: Final = {
    "RSI": 2,
    "STDDEV": 2,
    "MAX": 2,
    "MIN": 2,
    "SUM": 2,
    "ADX": 2,
    "BBANDS": 2,
    "LINEARREG_SLOPE": 2,
}

# Functions of whole columns and one period, with one output.
PERIODIC: Final = frozenset(
    {"SMA", "EMA", "WMA", "RSI", "ROCP", "MAX", "MIN", "LINEARREG_SLOPE", "ATR", "ADX"}
)


class Macd(NamedTuple):
    """The three lines of a MACD."""

    macd: Feature
    signal: Feature
    histogram: Feature


class Bollinger(NamedTuple):
    """The three bands."""

    upper: Feature
    middle: Feature
    lower: Feature


class Stochastic(NamedTuple):
    """The slow oscillator's two lines."""

    k: Feature
    d: Feature


def sma(column: str, period: int) -> Feature:
    """Simple moving average."""
    return indicator("SMA", (column,), period)


def ema(column: str, period: int) -> Feature:
    """Exponential moving average, seeded with the simple average of its first `period` bars."""
    return indicator("EMA", (column,), period)


def wma(column: str, period: int) -> Feature:
    """Linearly weighted moving average."""
    return indicator("WMA", (column,), period)


def rsi(column: str, period: int) -> Feature:
    """Relative strength index, 0 to 100; 0 as well where the price has never moved."""
    return indicator("RSI", (column,), period)


def atr(period: int) -> Feature:
    """Average true range."""
    return indicator("ATR", ("high", "low", "close"), period)


def adx(period: int) -> Feature:
    """Average directional index, 0 to 100: how strong a trend is, up or down; 0 where nothing moves."""
    return indicator("ADX", ("high", "low", "close"), period)


def std(column: str, period: int) -> Feature:
    """Rolling standard deviation (of the population: divided by `period`)."""
    return indicator("STDDEV", (column,), period)


def roc(column: str, period: int) -> Feature:
    """Return over `period` bars: 0.01 is one percent up; 0 where it started from zero."""
    return indicator("ROCP", (column,), period)


def highest(column: str, period: int) -> Feature:
    """Highest value of the last `period` bars, this one included."""
    return indicator("MAX", (column,), period)


def lowest(column: str, period: int) -> Feature:
    """Lowest value of the last `period` bars, this one included."""
    return indicator("MIN", (column,), period)


def linreg_slope(column: str, period: int) -> Feature:
    """Slope of the straight line through the last `period` bars, per bar."""
    return indicator("LINEARREG_SLOPE", (column,), period)


def obv() -> Feature:
    """On-balance volume: volume added on rises and taken away on falls, from the first bar of the data on.

    Its level depends on where the data begins; only its changes mean something.
    """
    return Feature(Indicator("OBV", (price("close"), price("volume")), ()))


def macd(column: str, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Difference of two exponential averages, its own average, and the difference of these two."""
    fast, slow = checked_period("macd", fast, 2), checked_period("macd", slow, 2)
    if fast >= slow:
        raise UsageError(
            f"macd was given the fast period {fast} and the slow one {slow}", "Make fast the shorter."
        )
    options = (
        ("fastperiod", fast),
        ("slowperiod", slow),
        ("signalperiod", checked_period("macd", signal, 1)),
    )
    return Macd(*_outputs(Indicator("MACD", (price(column),), options, 3)))


def bollinger(column: str, period: int = 20, width: float = 2.0) -> Bollinger:
    """A simple average, and bands `width` standard deviations above and below it."""
    if not (math.isfinite(width) and width > 0.0):
        raise UsageError(f"bollinger was given the width {width!r}", "Give a number above zero.")
    options = (
        ("timeperiod", checked_period("bollinger", period, SHORTEST["BBANDS"])),
        ("nbdevup", float(width)),
        ("nbdevdn", float(width)),
    )
    return Bollinger(*_outputs(Indicator("BBANDS", (price(column),), options, 3)))


def stochastic(period: int = 14, smooth: int = 3, signal: int = 3) -> Stochastic:
    """Where the close lies in the range of the last `period` bars, 0 to 100, averaged over `smooth` bars (k) and
    again over `signal` bars (d); a window whose highs equal its lows counts as 0."""
    options = (
        ("fastk_period", checked_period("stochastic", period, 1)),
        ("slowk_period", checked_period("stochastic", smooth, 1)),
        ("slowd_period", checked_period("stochastic", signal, 1)),
    )
    return Stochastic(*_outputs(Indicator("STOCH", tuple(map(price, ("high", "low", "close"))), options, 2)))


@lru_cache(maxsize=FEATURES_KEPT, typed=True)
def indicator(function: str, columns: tuple[str | Feature, ...], period: int) -> Feature:
    """A TA-Lib function of one period; over another feature it begins when that has warmed up."""
    sources = tuple(each if isinstance(each, Feature) else price(each) for each in columns)
    timeperiod = checked_period(_SAID.get(function, function.lower()), period, SHORTEST.get(function, 1))
    made = Periodic if function in PERIODIC else Indicator
    return Feature(made(function, sources, (("timeperiod", timeperiod),)))


_SAID: Final = {
    "STDDEV": "std",
    "ROCP": "roc",
    "MAX": "highest",
    "MIN": "lowest",
    "LINEARREG_SLOPE": "linreg_slope",
}


def _outputs(computation: "Indicator") -> list[Feature]:
    return [Feature(computation, output) for output in range(computation.outputs)]


@dataclass(frozen=True, slots=True)
class Indicator(Exact):
    """A TA-Lib function of some features, which may be NaN at their start but nowhere else."""

    function: str
    sources: tuple[Feature, ...]
    options: tuple[tuple[str, float], ...]
    outputs: int = 1

    def batch(self, bars: BarArrays) -> tuple[FloatArray, ...]:
        function = cast(Callable[..., Any], getattr(ta_lib(), self.function))
        made = function(*(source.batch(bars) for source in self.sources), **dict(self.options))
        return cast(tuple[FloatArray, ...], made if self.outputs > 1 else (made,))

    def incremental(self, history: BarArrays) -> Running:
        return _IndicatorRunning(self, history)


@dataclass(frozen=True, slots=True)
class Periodic(Indicator):
    """One of a single period and a single output, which is written where it is wanted."""

    def batch(self, bars: BarArrays) -> tuple[FloatArray, ...]:
        out = np.empty(len(bars))
        self.write(bars, out)
        return (out,)

    def write(self, bars: BarArrays, out: FloatArray) -> None:
        write(self.function, [source.batch(bars) for source in self.sources], int(self.options[0][1]), out)


class _Handle(Protocol):
    value: Any

    def update(self, *values: float) -> Any: ...


class _IndicatorRunning:
    """Collects bars until TA-Lib can open its handle, then only feeds the handle."""

    def __init__(self, indicator: Indicator, history: BarArrays) -> None:
        self._indicator = indicator
        self._read = _reader(indicator.sources, history)
        self._single = indicator.outputs == 1
        self._undecided = (math.nan,) * indicator.outputs
        columns = [source.batch(history) for source in indicator.sources]
        ready = ~np.isnan(columns).any(axis=0)
        first = int(np.argmax(ready)) if ready.any() else len(history)
        columns = [column[first:].copy() for column in columns]
        self._handle = self._open(columns)
        self._seen = [] if self._handle is not None else [column.tolist() for column in columns]

    def update(self, bar: Ohlcv) -> tuple[float, ...]:
        values = self._read(bar)
        if self._handle is not None:
            return self._told(self._handle.update(*values))
        if not self._seen[0] and any(map(math.isnan, values)):
            return self._undecided
        for seen, value in zip(self._seen, values, strict=True):
            seen.append(value)
        self._handle = self._open([np.array(seen, dtype=np.float64) for seen in self._seen])
        return self._undecided if self._handle is None else self._told(self._handle.value)

    def _told(self, value: Any) -> tuple[float, ...]:
        return (value,) if self._single else value

    def _open(self, columns: list[FloatArray]) -> _Handle | None:
        if not len(columns[0]):
            return None
        make = cast(Callable[..., _Handle], getattr(ta_lib(), f"{self._indicator.function}_Stream"))
        try:
            return make(*columns, **dict(self._indicator.options))
        except ta_lib().InsufficientHistory:
            return None


def _reader(sources: tuple[Feature, ...], history: BarArrays) -> Callable[[Ohlcv], tuple[float, ...]]:
    """What takes the sources' values out of a bar; columns of the bar, the usual case, in one go."""
    places = [
        COLUMNS.index(source.computation.column)
        for source in sources
        if isinstance(source.computation, Column)
    ]
    if len(places) == len(sources) > 1:
        return cast(Callable[[Ohlcv], tuple[float, ...]], itemgetter(*places))
    if len(places) == len(sources):
        place = places[0]
        return lambda bar: (bar[place],)
    updates = [source.incremental(history).update for source in sources]
    return lambda bar: tuple(update(bar) for update in updates)
