"""The relative strength index with a dead band: buy below `oversold`, sell above `overbought`, else stay.

Bets that a market that only fell will rest.  Between the thresholds it returns NaN, which leaves the target standing,
so that it does not trade to and fro at a threshold.  It pays in ranges and bleeds in long declines, which stay
oversold.  An index of exactly 0 is a market that has not risen once in the data (or not moved at all); that is not
taken for a bargain.
"""

import math
from typing import Any

from execution.strategy import Feature, Strategy, constant, param, rsi


class Rsi(Strategy):
    """Long from oversold to overbought."""

    period = param(14, low=2, high=200)
    oversold = param(30.0, low=1.0, high=99.0)
    overbought = param(60.0, low=1.0, high=99.0)

    def refused(self) -> str | None:
        return None if self.oversold < self.overbought else "oversold is not below overbought"

    def features(self) -> dict[str, Feature]:
        return {
            "strength": rsi("close", self.period),
            "oversold": constant(self.oversold),
            "overbought": constant(self.overbought),
        }

    @staticmethod
    def decide(x: Any) -> float:
        if 0.0 < x.strength < x.oversold:
            return 1.0
        return 0.0 if x.strength > x.overbought else math.nan
