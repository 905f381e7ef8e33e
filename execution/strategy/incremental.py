"""The strategy one bar at a time: what a running engine calls for each book."""

import math
from collections.abc import Sequence

import polars as pl

from data.calendars import NEW_YORK
from execution.strategy.arrays import BarArrays, Ohlcv, no_bars
from execution.strategy.contract import Strategy
from execution.strategy.features import Feature
from execution.strategy.position import FLAT, Position


class FeatureStreams:
    """A rule's features on one symbol, carried forward together: what several of them come from runs once."""

    def __init__(self, features: Sequence[Feature], history: BarArrays) -> None:
        distinct = list(dict.fromkeys(feature.computation for feature in features))
        self._updates = [each.incremental(history).update for each in distinct]
        self._picks = [(distinct.index(feature.computation), feature.output) for feature in features]

    def update(self, bar: Ohlcv) -> list[float]:
        """Each feature's value at this bar, NaN while it warms up."""
        made = [update(bar) for update in self._updates]
        return [made[place][output] for place, output in self._picks]


class Decider:
    """One strategy on one symbol.  Its decisions equal the backtest's, bit for bit, from the same first bar.

    Restart is `warm(history)` again, with the same first bar: nothing else is kept between bars.
    """

    def __init__(self, strategy: Strategy, calendar: str = NEW_YORK) -> None:
        self.strategy = strategy
        self._calendar = calendar
        self._names = tuple(strategy.feature_specs())
        self._features = tuple(strategy.feature_specs().values())
        self._decide = strategy.compiled()
        self._inputs = strategy.inputs()
        self.warm(no_bars(calendar))

    def warm(self, history: pl.DataFrame | BarArrays) -> None:
        """Start over on finished bars of one symbol, oldest first; no decision is taken on them."""
        bars = history if isinstance(history, BarArrays) else BarArrays.of(history, self._calendar)
        self._streams = FeatureStreams(self._features, bars)
        self._values: list[float] = []

    def on_bar(
        self,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        position: Position = FLAT,
        ts_us: int = 0,
    ) -> float:
        """The target after this finished bar; NaN where nothing is decided (warm-up or its own NaN).

        `position` is the book's position at this close (position_at_close); `ts_us` is when the bar opened, which
        only features of the session ask.
        """
        self._values = values = self._streams.update(Ohlcv(open, high, low, close, volume, ts_us))
        for value in values:
            if value != value:
                return math.nan
        return float(self._decide(self._inputs(*values), position))

    def features(self) -> dict[str, float]:
        """The feature values behind the last `on_bar`, for journals."""
        return dict(zip(self._names, self._values, strict=False))
