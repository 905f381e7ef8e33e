"""What trading costs: the one cost model of sweep, backtest, simulation and parity.

The functions are plain Python that numba compiles as it stands (compiled.py), so both give the same bits.
"""

from dataclasses import dataclass

from data.errors import UsageError


@dataclass(frozen=True, slots=True)
class CostModel:
    """Slippage moves the fill against the order; commission is charged per order."""

    slippage_bps: float = 1.0
    commission_bps: float = 0.0
    commission_min: float = 0.0

    def __post_init__(self) -> None:
        for name in ("slippage_bps", "commission_bps", "commission_min"):
            value = getattr(self, name)
            if not 0.0 <= value < float("inf"):
                raise UsageError(
                    f"the cost model's {name} is {value}",
                    "Give a number of zero or more.",
                )


def fill_price(open_price: float, qty: float, slippage_bps: float) -> float:
    """The price an order of signed `qty` gets at this open: worse by the slippage."""
    slip = slippage_bps / 1e4
    if qty > 0.0:
        return open_price * (1.0 + slip)
    return open_price * (1.0 - slip)


def commission(qty: float, price: float, commission_bps: float, commission_min: float) -> float:
    """What the broker takes for one order; no rate and no minimum means nothing at all."""
    if commission_bps == 0.0 and commission_min == 0.0:
        return 0.0
    return max(commission_min, abs(qty) * price * commission_bps / 1e4)
