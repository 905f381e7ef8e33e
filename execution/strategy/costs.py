"""What trading costs: the one cost model of sweep, backtest, simulation and parity.

The functions are plain Python that numba compiles as it stands (compiled.py), so both give the same bits.
"""

from dataclasses import dataclass, fields
from typing import Final

from data.errors import UsageError

WHOLE_PRICE_BPS: Final = 10_000.0
DAYS_PER_YEAR: Final = 365.0  # of what is charged by the night


@dataclass(frozen=True, slots=True)
class CostModel:
    """Slippage moves the fill against the order; commission is charged per order.

    Borrowing is charged for every night: shares sold short at `borrow_bps`, cash below zero at `interest_bps`, both
    per year.
    """

    slippage_bps: float = 1.0
    commission_bps: float = 0.0
    commission_min: float = 0.0
    borrow_bps: float = 0.0
    interest_bps: float = 0.0

    def __post_init__(self) -> None:
        for name, value in self.items():
            if not 0.0 <= value < float("inf"):
                raise UsageError(
                    f"the cost model's {name} is {value}",
                    "Give a number of zero or more.",
                )
        if self.slippage_bps > WHOLE_PRICE_BPS:
            raise UsageError(
                f"the cost model's slippage_bps is {self.slippage_bps:g}, so that selling would cost money",
                f"Give a number from 0 to {WHOLE_PRICE_BPS:g}.",
            )

    def items(self) -> list[tuple[str, float]]:
        """Every cost by its name."""
        return [(each.name, float(getattr(self, each.name))) for each in fields(self)]

    def times(self, factor: float) -> "CostModel":
        """Everything `factor` times as dear."""
        return CostModel(**{name: value * factor for name, value in self.items()})


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


def borrow_fee(shares: float, close: float, nights: float, borrow_bps: float) -> float:
    """What the lender of shares sold short takes for these nights, on their value at the last close."""
    if shares >= 0.0 or borrow_bps == 0.0:
        return 0.0
    return -shares * close * borrow_bps / 1e4 * nights / DAYS_PER_YEAR


def debit_interest(cash: float, nights: float, interest_bps: float) -> float:
    """What the broker takes for these nights on cash below zero."""
    if cash >= 0.0 or interest_bps == 0.0:
        return 0.0
    return -cash * interest_bps / 1e4 * nights / DAYS_PER_YEAR
