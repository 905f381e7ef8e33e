"""The last look at an order before it becomes durable: pure checks, each of which names its limit and its numbers.

Unknown orders count as filled.
Start reading at situation.py (what is known), then checks.py (what is refused), then day.py (what a day has lost).
"""

from execution.core.risk.checks import Refusal, reduces, refusal, take_turn
from execution.core.risk.situation import Conditions, Exposure, Scope, Situation

__all__ = ["Conditions", "Exposure", "Refusal", "Scope", "Situation", "reduces", "refusal", "take_turn"]
