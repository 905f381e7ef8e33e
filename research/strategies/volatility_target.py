"""Volatility targeting: always long, the more the calmer the market.

Bets that volatility persists while returns do not follow it.  The weight is the wanted volatility over the measured
one, at most `cap`, rounded down to a multiple of `grain` so that it does not trade on every bar.  It pays when falls
are announced by rough markets, as they often are, and bleeds when a calm market breaks at once, or when a rough one
recovers at once.  Finer grains track better and cost more.
"""

import math
from typing import Any

from execution.strategy import Feature, Strategy, constant, param, volatility


class VolatilityTarget(Strategy):
    """Long with target / measured volatility, in steps."""

    period = param(390, low=10, high=5000, log=True)
    target = param(0.15, low=0.01, high=1.0, log=True)
    cap = param(1.0, low=0.25, high=2.0)
    grain = param(0.25, low=0.05, high=0.5)
    bars_per_year = param(98_280, low=50, high=600_000)  # minutes of 252 sessions; 252 for daily bars

    def features(self) -> dict[str, Feature]:
        return {
            "measured": volatility("close", self.period),
            "wanted": constant(self.target / math.sqrt(self.bars_per_year)),
            "cap": constant(self.cap),
            "grain": constant(self.grain),
        }

    @staticmethod
    def decide(x: Any) -> float:
        if x.measured == 0.0:  # nothing moved: nothing is known of its risk
            return math.nan
        return float(math.floor(min(x.wanted / x.measured, x.cap) / x.grain) * x.grain)
