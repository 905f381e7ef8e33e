"""The one state machine of an order: what each thing the broker says makes of it.

States form a lattice: the filled quantity only rises, a fill after "canceled" is legal, and whatever the
broker holds overrules what we believed.
"""

from typing import Final

import msgspec

from data.orders import TERMINAL, OrderState

# Alpaca's 18 statuses; one it invents tomorrow is not in here, is stored word for word, and changes nothing.
BROKER_STATES: Final[dict[str, OrderState]] = {
    "new": OrderState.ACKED,
    "accepted": OrderState.ACKED,
    "pending_new": OrderState.ACKED,
    "accepted_for_bidding": OrderState.ACKED,
    "pending_cancel": OrderState.ACKED,
    "pending_replace": OrderState.ACKED,
    "pending_review": OrderState.ACKED,
    "stopped": OrderState.ACKED,
    "suspended": OrderState.ACKED,
    "calculated": OrderState.ACKED,
    "held": OrderState.ACKED,
    "done_for_day": OrderState.ACKED,
    "partially_filled": OrderState.PARTIAL,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "replaced": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}

_RANK: Final = {
    OrderState.INTENT: 0,
    OrderState.SENDING: 1,
    OrderState.ACKED: 2,
    OrderState.PARTIAL: 3,
    OrderState.CANCELED: 4,
    OrderState.EXPIRED: 4,
    OrderState.REJECTED: 4,
    OrderState.FILLED: 5,
}


class Accepted(msgspec.Struct, frozen=True):
    """2xx: the broker has the order."""

    broker_id: str


class Rejected(msgspec.Struct, frozen=True):
    """A definite no.  Only the first attempt may believe it: a second one may collide with the first."""

    reason: str


class Duplicate(msgspec.Struct, frozen=True):
    """The broker knows this coid already: look it up."""


class Unknown(msgspec.Struct, frozen=True):
    """Timeout, reset, 429, 5xx: the order may or may not be there.  It holds risk until we know."""

    reason: str


Outcome = Accepted | Rejected | Duplicate | Unknown


def after_outcome(outcome: Outcome, attempts: int) -> OrderState:
    """Where a SENDING order goes after one attempt to send it."""
    match outcome:
        case Accepted():
            return OrderState.ACKED
        case Rejected() if attempts == 1:
            return OrderState.REJECTED
        case _:
            return OrderState.SENDING


def after_report(
    state: OrderState, told: OrderState, filled_qty: float, qty: float, *, known: bool = False
) -> OrderState:
    """Where an order goes when the broker tells `told` and has filled `filled_qty` of it in all.

    `known`: the broker has named the order before.  Then REJECTED is its own word, and an older message that comes
    late does not bring the order back; else it was our conclusion, and the broker overrules it.
    """
    if filled_qty >= qty:
        return OrderState.FILLED
    if filled_qty > 0 and told is OrderState.ACKED:
        told = OrderState.PARTIAL
    if state is OrderState.ABANDONED or (state is OrderState.REJECTED and not known):
        return told  # the broker has what we had given up: it decides
    if state in TERMINAL:
        return state
    return told if _RANK[told] >= _RANK[state] else state
