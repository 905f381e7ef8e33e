"""Cross-sectional momentum: hold the symbols that rose most, in equal parts.

Bets that winners of the last weeks go on winning, whatever the market does as a whole.  Every `hold` sessions each
symbol gets, at its first bar, 1 / top of the account when it was among the `top` by return over `lookback` bars at
the end of the session before, and nothing otherwise; in between nothing changes.  Which sessions these are comes from
the calendar's own count, so it does not depend on where the data begins.  It pays while leadership lasts and bleeds,
suddenly, when it turns around: the losers of a crash rise first.  A symbol that does not trade on such a session
keeps its weight until the next.
"""

import math
from typing import Any

import numpy as np

from execution.strategy import (
    Feature,
    Portfolio,
    constant,
    param,
    previous_session,
    roc,
    session_bar,
    session_number,
)


class Momentum(Portfolio):
    """Equal parts in the strongest, rebalanced every few sessions."""

    lookback = param(1950, low=1, high=50_000, log=True)
    top = param(1, low=1, high=50)
    hold = param(5, low=1, high=60)

    def features(self) -> dict[str, Feature]:
        rise = roc("close", self.lookback)
        return {
            "rise": rise,
            "before": previous_session(rise),
            "session": session_number(),
            "bar": session_bar(),
            "top": constant(self.top),
            "hold": constant(self.hold),
        }

    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        count = x.rise.size
        weights = np.full(count, math.nan)
        today = -1.0
        for symbol in range(count):
            if x.session[symbol] > today:
                today = x.session[symbol]
        strength = np.empty(count)
        for symbol in range(count):
            # Who has not traded today still stands at the end of the session before.
            strength[symbol] = x.before[symbol] if x.session[symbol] == today else x.rise[symbol]
        for symbol in range(count):
            due = x.session[symbol] == today and x.bar[symbol] == 1.0 and today % x.hold[symbol] == 0.0
            if not due or math.isnan(strength[symbol]):
                continue
            ahead = 0
            for other in range(count):
                equal = strength[other] == strength[symbol] and other < symbol
                if equal or strength[other] > strength[symbol]:
                    ahead += 1
            weights[symbol] = 1.0 / x.top[symbol] if ahead < x.top[symbol] else 0.0
        return weights
