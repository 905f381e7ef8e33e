"""The strategy one bar at a time: what a running engine calls for each book."""

import math

import polars as pl

from execution.strategy.arrays import BarArrays, Ohlcv
from execution.strategy.contract import Strategy
from execution.strategy.features import Stream
from execution.strategy.position import FLAT, Position

_NO_BARS = pl.DataFrame(
    {name: [] for name in Ohlcv._fields},
    schema=dict.fromkeys(Ohlcv._fields, pl.Float64),
)


class Decider:
    """One strategy on one symbol.  Its decisions equal the backtest's, bit for bit, from the same first bar.

    Restart is `warm(history)` again, with the same first bar: nothing else is kept between bars.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self._decide = strategy.compiled()
        self._inputs = strategy.inputs()
        self.warm(_NO_BARS)

    def warm(self, history: pl.DataFrame | BarArrays) -> None:
        """Start over on finished bars of one symbol, oldest first; no decision is taken on them."""
        bars = history if isinstance(history, BarArrays) else BarArrays.of(history)
        specs = self.strategy.feature_specs()
        distinct = list(dict.fromkeys(specs.values()))
        self._streams: list[Stream] = [spec.incremental(bars) for spec in distinct]
        self._places = [distinct.index(spec) for spec in specs.values()]
        self._values: list[float] = []

    def on_bar(
        self,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        position: Position = FLAT,
    ) -> float:
        """The target after this finished bar; NaN where nothing is decided (warm-up or its own NaN).

        `position` is the book's position at this close (position_at_close).
        """
        bar = Ohlcv(open, high, low, close, volume)
        fresh = [stream.update(bar) for stream in self._streams]
        self._values = [fresh[place] for place in self._places]
        if any(map(math.isnan, fresh)):
            return math.nan
        return float(self._decide(self._inputs(*self._values), position))

    def features(self) -> dict[str, float]:
        """The feature values behind the last `on_bar`, for journals."""
        return dict(zip(self.strategy.feature_specs(), self._values, strict=False))
