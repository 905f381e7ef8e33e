"""The chosen set under worse terms: dearer trading, and orders that come late."""

from dataclasses import dataclass
from typing import Any, Final

from research.validation.case import Case

COST_FACTORS: Final = (0.0, 1.0, 2.0, 4.0)
DELAYS_BARS: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class Stress:
    """What one set would have done under other terms."""

    name: str
    cost_factor: float
    delay_bars: int
    sharpe: float | None
    total_return: float | None


def stresses(case: Case, chosen: Any) -> tuple[Stress, ...]:
    """Costs times each factor, then each delay at the case's own costs."""
    asked = [(f"costs × {factor:g}", factor, 0) for factor in COST_FACTORS]
    asked += [(f"{delay} bar{'s' if delay > 1 else ''} late", 1.0, delay) for delay in DELAYS_BARS]
    return tuple(_stressed(case, chosen, *each) for each in asked)


def _stressed(case: Case, chosen: Any, name: str, factor: float, delay_bars: int) -> Stress:
    prepared = case.prepared([chosen], costs=case.costs.times(factor), delay_bars=delay_bars)
    row = prepared.frame(prepared.run(slice(None))).row(0, named=True)
    return Stress(name, factor, delay_bars, row["sharpe"], row["total_return"])
