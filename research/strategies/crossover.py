"""The dual moving average, the "hello world" of trend following.

Bets that a trend goes on.  Long while the fast average is above the slow one, flat otherwise.  It pays in long trends
and bleeds in sideways markets, one crossing at a time; costs matter more the shorter the averages are.
"""

from typing import Any

from execution.strategy import Feature, Strategy, param, sma


class Crossover(Strategy):
    """Long while the fast average is above the slow one."""

    fast = param(10, low=2, high=60)
    slow = param(50, low=20, high=240)

    def refused(self) -> str | None:
        return None if self.fast < self.slow else "fast is not below slow"

    def features(self) -> dict[str, Feature]:
        return {"fast": sma("close", self.fast), "slow": sma("close", self.slow)}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.0 if x.fast > x.slow else 0.0
