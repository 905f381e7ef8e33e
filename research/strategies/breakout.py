"""Breakout of a Donchian channel with a trailing exit, as the turtles traded it.

Bets that a price no one has seen for `period` bars is the start of something.  It enters when the close leaves the
range of the bars before, and leaves when the price has come back from its best close by `trail` average true ranges.
It pays rarely and then a lot, in long, strong moves, and bleeds on false breakouts, most of the time; it never picks
the top.
"""

import math
from typing import Any

from execution.strategy import Feature, Strategy, atr, constant, highest, lag, lowest, param, price


class Breakout(Strategy):
    """With a close beyond the channel, until it falls back from its best by a multiple of its range."""

    period = param(100, low=10, high=1000, log=True)
    span = param(30, low=2, high=200)
    trail = param(3.0, low=0.5, high=20.0)
    side = param("both", choices=("long", "both"))

    def features(self) -> dict[str, Feature]:
        return {
            "close": price("close"),
            "upper": lag(highest("high", self.period), 1),
            "lower": lag(lowest("low", self.period), 1),
            "range": atr(self.span),
            "trail": constant(self.trail),
            "short": constant(-1.0 if self.side == "both" else 0.0),
        }

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        if position.size > 0.0:
            return 0.0 if x.close < position.peak - x.trail * x.range else math.nan
        if position.size < 0.0:
            return 0.0 if x.close > position.peak + x.trail * x.range else math.nan
        if x.close > x.upper:
            return 1.0
        return float(x.short) if x.close < x.lower else 0.0
