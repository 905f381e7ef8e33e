"""Mean reversion with a stop: buy what has just fallen unusually far, sell what has just risen so.

Bets that a sudden move was liquidity, not news.  It enters on the bar on which the z-score leaves the band, and leaves
when the score comes back to `leave`, when the loss reaches `stop`, or after `patience` bars, whichever is first.  It
pays in quiet, sideways markets, little and often, and bleeds when a trend begins: the stop bounds each loss, but not
how many there are.  After a stop it waits for the score to leave the band anew.
"""

import math
from typing import Any

from execution.strategy import Feature, Strategy, constant, lag, param, zscore


class MeanReversion(Strategy):
    """Against moves beyond `enter` standard deviations, back to the mean."""

    period = param(60, low=5, high=400)
    enter = param(2.0, low=0.5, high=5.0)
    leave = param(0.5, low=0.0, high=4.0)
    stop = param(0.02, low=0.001, high=0.5, log=True)
    patience = param(120, low=1, high=2000, log=True)
    side = param("both", choices=("long", "both"))

    def refused(self) -> str | None:
        return None if self.leave < self.enter else "leave is not below enter"

    def features(self) -> dict[str, Feature]:
        score = zscore("close", self.period)
        return {
            "score": score,
            "before": lag(score, 1),
            "enter": constant(self.enter),
            "leave": constant(self.leave),
            "stop": constant(self.stop),
            "patience": constant(self.patience),
            "short": constant(-1.0 if self.side == "both" else 0.0),
        }

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        if position.size == 0.0:
            if x.score < -x.enter <= x.before:
                return 1.0
            return float(x.short) if x.score > x.enter >= x.before else 0.0
        if position.open_profit <= -x.stop or position.bars_held >= x.patience:
            return 0.0
        # Signed so that it is negative while the bet has not come home.
        distance = x.score if position.size > 0.0 else -x.score
        return 0.0 if distance > -x.leave else math.nan
