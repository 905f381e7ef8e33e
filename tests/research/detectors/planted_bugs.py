"""Features that know what comes later, each by a mistake that people make."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from execution.strategy import BarArrays, Feature, Ohlcv, vectorised
from execution.strategy.arrays import FloatArray
from execution.strategy.features.feature import Exact

DAY_US = 86_400_000_000
HALF_HOUR_US = 1_800_000_000


def normalised(close: FloatArray) -> FloatArray:
    return (close - close.mean()) / close.std()


def centred(close: FloatArray) -> Any:
    return pl.Series(close).rolling_mean(21, center=True)


def shifted(close: FloatArray, bars: int) -> Any:
    return pl.Series(close).shift(-bars)


def ranked(close: FloatArray) -> Any:
    return pl.Series(close).rank()


def fitted(close: FloatArray) -> FloatArray:
    number = np.arange(len(close))
    return np.polyval(np.polyfit(number, close, 1 if len(close) > 1 else 0), number)


def filled_backwards(close: FloatArray, volume: FloatArray) -> Any:
    """Where nothing traded, the price of the next trade."""
    return pl.Series(np.where(volume > 0.0, close, np.nan)).fill_nan(None).fill_null(strategy="backward")


def warmed_backwards(close: FloatArray) -> Any:
    return pl.Series(close).rolling_mean(20).fill_null(strategy="backward")


def out_before_the_crash(close: FloatArray) -> FloatArray:
    """Which does not come in these data."""
    following = np.append(close[1:], close[-1])
    return np.where(following < 0.8 * close, 0.0, 1.0)


@dataclass(frozen=True)
class PeriodClose(Exact):
    """A longer bar's close on each of its minutes, from the first one on: its label is its begin.

    Of a day it is "today's close, known at today's open".
    """

    length_us: int

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        period = bars.ts_us // self.length_us
        last = np.searchsorted(period, period, side="right") - 1
        return (bars.close[last],)

    def incremental(self, history: BarArrays) -> "PeriodClose":
        return self

    def update(self, bar: Ohlcv) -> tuple[float]:
        return (bar.close,)  # live, the longer bar's close is the newest minute's


def of_close(function: Any, **numbers: Any) -> Feature:
    return vectorised(function, "close", lookback=120, **numbers)


TO_THE_END: dict[str, Feature] = {
    "normalised": of_close(normalised),
    "ranked": of_close(ranked),
    "fitted": of_close(fitted),
}
SOME_BARS: dict[str, tuple[Feature, str]] = {
    "centred": (of_close(centred), "it looks 10 bars ahead"),
    "next_close": (of_close(shifted, bars=1), "it looks 1 bar ahead"),
    "crash": (of_close(out_before_the_crash), "it looks 1 bar ahead"),
    "todays_close": (Feature(PeriodClose(DAY_US)), "it looks up to 3"),
    "half_hours": (Feature(PeriodClose(HALF_HOUR_US)), "it looks up to 2"),
    "filled": (vectorised(filled_backwards, "close", "volume", lookback=60), "it looks up to "),
    "warmed": (of_close(warmed_backwards), "it looks up to 19 bars ahead"),
}
BUGS = TO_THE_END | {name: feature for name, (feature, _) in SOME_BARS.items()}
