"""Buy and hold, the baseline: what is not better than this is not worth its effort.

Bets that the market rises in the long run.  It pays one order's costs and takes every fall in full.
"""

from typing import Any

from execution.strategy import Feature, Strategy, constant, param, price


class BuyAndHold(Strategy):
    """The same weight from the first bar on."""

    weight = param(1.0, low=0.1, high=1.0, step=0.1)

    def features(self) -> dict[str, Feature]:
        return {"close": price("close"), "weight": constant(self.weight)}

    @staticmethod
    def decide(x: Any) -> float:
        return float(x.weight)
