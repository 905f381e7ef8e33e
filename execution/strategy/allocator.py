"""A portfolio one instant at a time: what a running engine calls for an account."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from data.errors import UsageError
from data.instruments import usual_calendar
from execution.strategy.arrays import BarArrays, Ohlcv, no_bars
from execution.strategy.contract import Portfolio, Positions
from execution.strategy.incremental import FeatureStreams
from execution.strategy.position import FLAT, Position


class Allocator:
    """One portfolio on its universe.  Its weights equal the backtest's, bit for bit, from the same first bars.

    Restart is `warm(history)` again, with the same first bars: nothing else is kept between instants.
    """

    def __init__(self, portfolio: Portfolio, symbols: Iterable[str]) -> None:
        self.portfolio = portfolio
        self.symbols = tuple(sorted(set(symbols)))
        if not self.symbols:
            raise UsageError("a portfolio has no symbols", "Name at least one.")
        self._place = {symbol: place for place, symbol in enumerate(self.symbols)}
        self._names = tuple(portfolio.feature_specs())
        self._features = tuple(portfolio.feature_specs().values())
        self._allocate = portfolio.compiled()
        self._inputs = portfolio.inputs()
        self.warm({})

    def warm(self, history: pl.DataFrame | Mapping[str, BarArrays]) -> None:
        """Start over on finished bars, oldest first; no decision is taken on them."""
        bars = history if isinstance(history, Mapping) else _by_symbol(history)
        self._refuse_strangers(bars)
        self._known = np.full((len(self._features), len(self.symbols)), math.nan)
        self._streams = []
        for place, symbol in enumerate(self.symbols):
            seen = bars.get(symbol, no_bars(usual_calendar(symbol)))
            before = max(len(seen) - 1, 0)
            streams = FeatureStreams(self._features, seen.part(0, before))
            if len(seen):  # the newest values stand until the symbol's next bar
                self._known[:, place] = streams.update(seen.bar(before))
            self._streams.append(streams)

    def on_bars(self, bars: Mapping[str, Ohlcv], positions: Mapping[str, Position]) -> dict[str, float]:
        """The weights of the symbols that have a finished bar at this instant; NaN leaves one as it is.

        `positions` are those of the account at these closes (position_at_close); who is missing holds nothing.
        """
        self._refuse_strangers(bars)
        for symbol, bar in bars.items():
            place = self._place[symbol]
            self._known[:, place] = self._streams[place].update(bar)
        held = np.array([positions.get(symbol, FLAT) for symbol in self.symbols]).T.copy()
        weights = self._allocate(self._inputs(*self._known.copy()), Positions(*held))
        if len(weights) != len(self.symbols):
            raise UsageError(
                f"{type(self.portfolio).__name__}.allocate gave {len(weights)} weights for {len(self.symbols)} symbols",
                "Return one weight for each symbol.",
            )
        return {symbol: float(weights[self._place[symbol]]) for symbol in bars}

    def features(self) -> dict[str, dict[str, float]]:
        """The feature values behind the last `on_bars`, by symbol, for journals."""
        return {
            symbol: dict(zip(self._names, self._known[:, place].tolist(), strict=True))
            for symbol, place in self._place.items()
        }

    def _refuse_strangers(self, symbols: Iterable[str]) -> None:
        strangers = sorted(set(symbols) - set(self.symbols))
        if strangers:
            raise UsageError(
                f"bars of {strangers[0]} came to a portfolio of {', '.join(self.symbols)}",
                "Name every symbol when the allocator is made.",
            )


def _by_symbol(frame: pl.DataFrame) -> dict[str, BarArrays]:
    parts = frame.partition_by("symbol", as_dict=True, maintain_order=True)
    return {str(symbol): BarArrays.of(part.sort("ts_utc")) for (symbol,), part in parts.items()}
