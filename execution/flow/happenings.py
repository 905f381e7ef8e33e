"""What order flow tells whoever watches it: logs, metrics, traces, alerts.

Who watches is a function of one argument.  The default looks at nothing, so the simulation pays nothing for it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from data.orders import OrderState
from execution.core.intents import Intent

Step = Literal["tick", "decide", "intent", "claim", "send", "ack", "fill"]


class OrderName(msgspec.Struct, frozen=True, gc=False):
    """Which order; the account is the process's own."""

    coid: str
    symbol: str
    strategy: str


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The books have decided on the bars of an instant, just now."""

    tick_s: (
        float | None
    )  # from the feed's publishing of the bar until the engine heard it; not of one waited for
    took_s: float
    intents: tuple[Intent, ...]
    symbols: tuple[str, ...]


class Took(msgspec.Struct, frozen=True):
    """A step of an order has ended just now."""

    order: OrderName
    step: Step
    seconds: float
    detail: str = ""  # what came of it, where several things can
    part: str = ""  # which of several equal steps: the attempt, the execution


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An order is in this state; possibly it was before."""

    order: OrderName
    state: OrderState
    reason: str
    decided_at: datetime


class Refused(msgspec.Struct, frozen=True):
    """A limit said no before anything was sent."""

    order: OrderName
    limit: str
    why: str


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """An execution was entered, for the first time."""

    order: OrderName
    execution_id: str
    qty: str
    price: str
    heard_by: str


class StreamOpened(msgspec.Struct, frozen=True):
    """The broker's stream is connected, for the first time or again."""


class BrokerSilent(msgspec.Struct, frozen=True):
    """The broker did not answer a question, or ended its stream."""

    why: str


class Reconciled(msgspec.Struct, frozen=True):
    """The ledger was made equal to the broker's books; what stays different."""

    differences: tuple[str, ...]


class Halted(msgspec.Struct, frozen=True):
    """Nothing may be opened on the symbol any more."""

    symbol: str
    reason: str


class Unexplained(msgspec.Struct, frozen=True):
    """The broker said something that makes no sense, or has what is not ours."""

    problem: str


class ModeSeen(msgspec.Struct, frozen=True):
    """What people told the account to do, as of now."""

    mode: str
    revision: int
    flat_is_proved: bool


class Violated(msgspec.Struct, frozen=True):
    """An invariant of the protocol does not hold; the account was paused."""

    invariant: str
    subject: str
    facts: Mapping[str, Any]


Happening = (
    Decided
    | Took
    | Moved
    | Refused
    | Filled
    | StreamOpened
    | BrokerSilent
    | Reconciled
    | Halted
    | Unexplained
    | ModeSeen
    | Violated
)
Watcher = Callable[[Happening], None]


def nobody(_: Happening) -> None:
    """Watches nothing."""


def name_of(order: Mapping[str, Any]) -> OrderName:
    """The name of the order in a row."""
    return OrderName(order["coid"], order["symbol"], order["strategy"])


def named(intent: Intent) -> OrderName:
    return OrderName(intent.coid, intent.symbol, intent.strategy)


def moved(row: Mapping[str, Any], state: OrderState | None = None, reason: str | None = None) -> Moved:
    """Where the order of a row is; or where it went since the row was read."""
    return Moved(
        order=name_of(row),
        state=OrderState(row["state"]) if state is None else state,
        reason=row["reason"] if reason is None else reason,
        decided_at=row["decided_at"],
    )
