"""Pairs: two symbols that belong together, one bought and one sold when they drift apart.

Bets that the ratio of two prices comes back to its mean, whatever the market does.  The stretch is how far the
logarithm of the price ratio is from its own mean over `period` bars: 0.02 is one of them two percent too dear.  It is
measured in percent and not in standard deviations: features are of one symbol each, and two symbols' means make the
mean of their ratio, while their deviations do not make its deviation.  Beyond `enter` it sells the dear one and buys
the cheap one with half the account each, within `leave` it is flat, and beyond `stop` it is flat too, for then they no
longer belong together.  It pays on noise between two of a kind and bleeds when one of them has news.  Where one
symbol has no bar, its leg waits for the next one.
"""

import math
from typing import Any

import numpy as np

from execution.strategy import Feature, Portfolio, constant, log_deviation, param


class Pairs(Portfolio):
    """The cheap one against the dear one, of exactly two."""

    period = param(390, low=10, high=20_000, log=True)
    enter = param(0.01, low=0.001, high=0.3, log=True)
    leave = param(0.002, low=0.0, high=0.2)
    stop = param(0.05, low=0.002, high=1.0, log=True)

    def refused(self) -> str | None:
        if self.leave >= self.enter:
            return "leave is not below enter"
        return None if self.enter < self.stop else "enter is not below stop"

    def features(self) -> dict[str, Feature]:
        return {
            "deviation": log_deviation("close", self.period),
            "enter": constant(self.enter),
            "leave": constant(self.leave),
            "stop": constant(self.stop),
        }

    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        if x.deviation.size != 2:
            raise ValueError("pairs are of two symbols")
        weights = np.full(2, math.nan)
        stretch = x.deviation[0] - x.deviation[1]
        if math.isnan(stretch):
            return weights
        if abs(stretch) < x.leave[0] or abs(stretch) > x.stop[0]:
            weights[:] = 0.0
        elif stretch > x.enter[0]:
            weights[0], weights[1] = -0.5, 0.5
        elif stretch < -x.enter[0]:
            weights[0], weights[1] = 0.5, -0.5
        return weights
