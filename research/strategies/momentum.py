"""Cross-sectional momentum: hold the symbols that rose most, in equal parts.

Bets that winners of the last weeks go on winning, whatever the market does as a whole.  Every `hold` sessions, at its
first bar of the session, each symbol gets 1 / top of the account when it is among the `top` by return over `lookback`
bars, and nothing otherwise; in between nothing changes.  Which sessions these are comes from the calendar's own count,
so it does not depend on where the data begins.  It pays while leadership lasts and bleeds, suddenly, when it turns
around: the losers of a crash rise first.
"""

import math
from typing import Any

import numpy as np

from execution.strategy import Feature, Portfolio, constant, param, roc, session_bar, session_number


class Momentum(Portfolio):
    """Equal parts in the strongest, rebalanced every few sessions."""

    lookback = param(1950, low=1, high=50_000, log=True)
    top = param(1, low=1, high=50)
    hold = param(5, low=1, high=60)

    def features(self) -> dict[str, Feature]:
        return {
            "rise": roc("close", self.lookback),
            "session": session_number(),
            "bar": session_bar(),
            "top": constant(self.top),
            "hold": constant(self.hold),
        }

    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        weights = np.full(x.rise.size, math.nan)
        for symbol in range(x.rise.size):
            if (
                x.bar[symbol] != 1.0
                or x.session[symbol] % x.hold[symbol] != 0.0
                or math.isnan(x.rise[symbol])
            ):
                continue
            ahead = 0
            for other in range(x.rise.size):
                stronger = x.rise[other] > x.rise[symbol]
                if stronger or (other < symbol and x.rise[other] == x.rise[symbol]):
                    ahead += 1
            weights[symbol] = 1.0 / x.top[symbol] if ahead < x.top[symbol] else 0.0
        return weights
