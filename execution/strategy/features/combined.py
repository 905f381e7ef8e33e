"""Features worked out from other features by a line of arithmetic, the same one for columns and for a bar."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from execution.strategy.arrays import BarArrays, FloatArray, Ohlcv
from execution.strategy.features.columns import checked_period, checked_price, lag, price
from execution.strategy.features.feature import Exact, Feature, Running, Stream, feature_columns
from execution.strategy.features.indicators import Indicator, indicator, sma, std


def zscore(column: str, period: int) -> Feature:
    """How many of the last `period` bars' standard deviations the value is from their mean.

    NaN, undecided, where they are all equal.
    """
    period = checked_period("zscore", period, 2)
    return Feature(Ratio((price(column), sma(column, period)), std(column, period)))


def log_return(column: str, period: int = 1) -> Feature:
    """Logarithmic return over `period` bars."""
    period = checked_period("log_return", period, 1)
    logarithm = _logarithm(column)
    return Feature(Difference(logarithm, lag(logarithm, period)))


def volatility(column: str, period: int) -> Feature:
    """Standard deviation of the last `period` one-bar logarithmic returns; what moves less than 1e-7 a bar reads 0."""
    period = checked_period("volatility", period, 2)
    return indicator("STDDEV", (log_return(column),), period)


def log_deviation(column: str, period: int) -> Feature:
    """How far the logarithm is from its own mean over `period` bars: 0.02 is two percent above.

    The difference of two symbols' is how far the logarithm of their price ratio is from its mean.
    """
    period = checked_period("log_deviation", period, 2)
    logarithm = _logarithm(column)
    return Feature(Difference(logarithm, indicator("SMA", (logarithm,), period)))


def rolling_vwap(period: int) -> Feature:
    """Average typical price of the last `period` bars, weighted by volume.

    NaN, undecided, where none of them had any.
    """
    period = checked_period("rolling_vwap", period, 2)
    traded, volume = indicator("SUM", (_turnover(),), period), indicator("SUM", ("volume",), period)
    return Feature(WhereTraded(traded, volume, indicator("MAX", ("volume",), period)))


def _logarithm(column: str) -> Feature:
    # TA-Lib's, because numpy's logarithm of an array may differ in the last bit from that of a number.
    return Feature(Indicator("LN", (price(checked_price(column)),), ()))


def _turnover() -> Feature:
    return Feature(Turnover())


class Combined(Exact, ABC):
    """A computation over other features."""

    __slots__ = ()

    @abstractmethod
    def parts(self) -> tuple[Feature, ...]:
        """What it is worked out from."""

    @abstractmethod
    def whole(self, *columns: FloatArray) -> FloatArray:
        """From the parts over all bars."""

    @abstractmethod
    def one(self, *values: float) -> float:
        """From the parts at one bar: the operations of `whole`, in their order."""

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        columns = feature_columns(self.parts(), bars)
        return (self.whole(*(columns[part] for part in self.parts())),)

    def incremental(self, history: BarArrays) -> Running:
        return _CombinedRunning(self, [part.incremental(history) for part in self.parts()])


class _CombinedRunning:
    __slots__ = ("_one", "_updates")

    def __init__(self, combined: Combined, streams: list[Stream]) -> None:
        self._one = combined.one
        self._updates = [stream.update for stream in streams]

    def update(self, bar: Ohlcv) -> tuple[float]:
        return (self._one(*[update(bar) for update in self._updates]),)


@dataclass(frozen=True, slots=True)
class Difference(Combined):
    """One less the other."""

    left: Feature
    right: Feature

    def parts(self) -> tuple[Feature, ...]:
        return (self.left, self.right)

    def whole(self, *columns: FloatArray) -> FloatArray:
        left, right = columns
        return left - right

    def one(self, *values: float) -> float:
        left, right = values
        return left - right


@dataclass(frozen=True, slots=True)
class Ratio(Combined):
    """(first - second) / divisor; NaN where the divisor is not above zero."""

    terms: tuple[Feature, Feature]
    divisor: Feature

    def parts(self) -> tuple[Feature, ...]:
        return (*self.terms, self.divisor)

    def whole(self, *columns: FloatArray) -> FloatArray:
        first, second, divisor = columns
        return divided(first - second, divisor, divisor > 0.0)

    def one(self, *values: float) -> float:
        first, second, divisor = values
        return (first - second) / divisor if divisor > 0.0 else math.nan


@dataclass(frozen=True, slots=True)
class Turnover(Combined):
    """Typical price times volume."""

    def parts(self) -> tuple[Feature, ...]:
        return tuple(map(price, ("high", "low", "close", "volume")))

    def whole(self, *columns: FloatArray) -> FloatArray:
        high, low, close, volume = columns
        return (high + low + close) / 3.0 * volume

    def one(self, *values: float) -> float:
        high, low, close, volume = values
        return (high + low + close) / 3.0 * volume


@dataclass(frozen=True, slots=True)
class WhereTraded(Combined):
    """Turnover / volume; NaN where the greatest volume is zero: a running sum may not quite come back to it."""

    turnover: Feature
    volume: Feature
    greatest: Feature

    def parts(self) -> tuple[Feature, ...]:
        return (self.turnover, self.volume, self.greatest)

    def whole(self, *columns: FloatArray) -> FloatArray:
        turnover, volume, greatest = columns
        return divided(turnover, volume, (greatest > 0.0) & (volume > 0.0))

    def one(self, *values: float) -> float:
        turnover, volume, greatest = values
        return turnover / volume if greatest > 0.0 and volume > 0.0 else math.nan


def divided(left: FloatArray, right: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    """left / right, NaN elsewhere."""
    made = np.full(len(left), np.nan)
    np.divide(left, right, out=made, where=where)
    return made
