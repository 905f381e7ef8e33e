"""Features that are there already: the bar's own prices, constants, and any feature some bars ago."""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any, Final, cast

import numpy as np

from data.errors import UsageError
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray, Ohlcv
from execution.strategy.features.feature import Exact, Feature, Running, Stream

PERIOD_MAX: Final = 100_000
"""TA-Lib's own limit."""

FEATURES_KEPT: Final = 10_000
"""A sweep asks for the same few features in every set."""


@lru_cache(maxsize=FEATURES_KEPT, typed=True)
def price(column: str) -> Feature:
    """The bar's own open, high, low, close or volume."""
    return Feature(Column(checked_column(column)))


@lru_cache(maxsize=FEATURES_KEPT, typed=True)
def constant(value: float) -> Feature:
    """A number that the rule reads, such as a threshold parameter."""
    return Feature(Constant(float(value)))


def lag(feature: Feature, bars: int) -> Feature:
    """What a feature was so many bars ago."""
    return Feature(Lag(feature, checked_period("lag", bars, 1)))


def checked_column(name: str) -> str:
    """The name itself, or a sentence that lists what bars have."""
    if name not in COLUMNS:
        raise UsageError(
            f"a feature reads the column {name!r}, which bars do not have",
            f"Use one of: {', '.join(COLUMNS)}.",
        )
    return name


def checked_price(name: str) -> str:
    """A column that is above zero on every bar, so that it has a logarithm."""
    if checked_column(name) == "volume":
        raise UsageError(
            "a feature takes the logarithm of the volume, which may be zero", "Use open, high, low or close."
        )
    return name


def checked_period(feature: str, period: Any, shortest: int) -> int:
    """The period as an int, or a sentence that says which there are."""
    whole = not isinstance(period, bool) and isinstance(period, Real) and float(period).is_integer()
    if not whole or not shortest <= period <= PERIOD_MAX:
        raise UsageError(
            f"{feature} was given the period {period!r}",
            f"Use a whole number from {shortest} to {PERIOD_MAX}.",
        )
    return int(period)


@dataclass(frozen=True, slots=True)
class Column(Exact):
    """A price or the volume of the bar itself."""

    column: str

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        return (cast(FloatArray, getattr(bars, self.column)),)

    def incremental(self, history: BarArrays) -> Running:
        return _ColumnRunning(COLUMNS.index(self.column))


@dataclass(frozen=True, slots=True)
class _ColumnRunning:
    place: int

    def update(self, bar: Ohlcv) -> tuple[float]:
        return (bar[self.place],)


@dataclass(frozen=True, slots=True)
class Constant(Exact):
    """The same number on every bar."""

    value: float

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        return (np.full(len(bars), self.value),)

    def incremental(self, history: BarArrays) -> Running:
        return self

    def update(self, bar: Ohlcv) -> tuple[float]:
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Lag:
    """A feature, late."""

    feature: Feature
    bars: int

    @property
    def exact(self) -> bool:
        return self.feature.exact

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        now = self.feature.batch(bars)
        late = np.full(len(now), np.nan)
        late[self.bars :] = now[: max(len(now) - self.bars, 0)]
        return (late,)

    def incremental(self, history: BarArrays) -> Running:
        seen = self.feature.batch(history)[-self.bars :].tolist()
        waiting = deque([float("nan")] * (self.bars - len(seen)) + seen, maxlen=self.bars)
        return _LagRunning(self.feature.incremental(history), waiting)


class _LagRunning:
    __slots__ = ("_stream", "_waiting")

    def __init__(self, stream: Stream, waiting: deque[float]) -> None:
        self._stream, self._waiting = stream, waiting

    def update(self, bar: Ohlcv) -> tuple[float]:
        late = self._waiting[0]
        self._waiting.append(self._stream.update(bar))
        return (late,)
