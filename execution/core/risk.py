"""Pre-trade checks: the last look at an order before it becomes durable.  Unknown orders count as filled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from execution.core.intents import Intent

if TYPE_CHECKING:  # the type only: its module speaks to Postgres and Redis, and this one to nobody
    from data.control import Mode


@dataclass(frozen=True, slots=True)
class Limits:
    """Per account, in money and shares."""

    order_notional_max: float
    position_notional_max: float
    gross_exposure_max: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account holds and has in flight, as the worst case counts it."""

    position: float  # signed shares of the intent's symbol
    open_buys: float  # shares of the symbol that open orders may still buy
    open_sells: float
    gross_elsewhere: float  # worst-case market value of every other symbol
    halted: str | None = None  # why nothing may be opened on the symbol


def reduces(intent: Intent, exposure: Exposure) -> bool:
    """Whether the order can only bring the position nearer to zero, however the open orders fill.

    What an operator's command closes is what the broker shows, whether or not we know where that came from.
    """
    if intent.occasion:
        return True
    closing = exposure.open_sells if exposure.position > 0 else exposure.open_buys
    opposite = exposure.position * intent.signed_qty < 0
    return opposite and intent.qty + closing <= abs(exposure.position)


def refusal(intent: Intent, exposure: Exposure, limits: Limits, mode: "Mode") -> str | None:
    """The limit that says no, with its numbers; None when the order may go."""
    if reduces(intent, exposure):
        return None  # whatever else is wrong, getting smaller is always allowed
    if mode != "running":
        return f"the account is {mode}"
    if exposure.halted is not None:
        return f"{intent.symbol} is halted: {exposure.halted}"
    notional = intent.qty * intent.reference_price
    position = _worst(exposure, intent.signed_qty) * intent.reference_price
    checks = {
        "order notional": (notional, limits.order_notional_max),
        "position notional": (position, limits.position_notional_max),
        "gross exposure": (position + exposure.gross_elsewhere, limits.gross_exposure_max),
    }
    for name, (value, limit) in checks.items():
        if value > limit:
            return f"{name} {value:,.2f} is above the limit {limit:,.2f}"
    return None


def _worst(exposure: Exposure, signed_qty: float) -> float:
    """The largest position, either way, over every way the open orders may fill."""
    longest = exposure.position + exposure.open_buys + max(signed_qty, 0.0)
    shortest = exposure.position - exposure.open_sells + min(signed_qty, 0.0)
    return max(abs(longest), abs(shortest))
