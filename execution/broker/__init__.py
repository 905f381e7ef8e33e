"""Brokers: what every one must be able to do, and what they tell us, in our own words.

May import execution.core and data.
Start reading here, then venue.py (which one is it?), credentials.py and alpaca/.
"""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from data.orders import OrderState, Side
from execution.core.intents import Intent
from execution.core.lifecycle import Outcome


class BrokerFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, as the broker told it.  Prices and quantities keep the broker's own digits."""

    execution_id: str
    coid: str
    symbol: str
    side: Side
    qty: str
    price: str
    commission: str
    filled_at: str
    bar_ts_us: int | None
    seq: int | None


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker sees it; `state` is None for a status that we do not know.

    `qty` is None for an order that spends an amount of money.
    """

    broker_id: str
    coid: str
    symbol: str
    side: Side
    qty: str | None
    filled_qty: str
    status: str
    state: OrderState | None
    parent: str | None = None  # the coid of the order whose exit this one is
    replaces: str | None = None  # and these two by the broker's ids
    replaced_by: str | None = None


class BrokerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the broker's stream.  `kind` is its own word for what happened."""

    kind: str
    order: BrokerOrder
    fill: BrokerFill | None
    seq: int | None


class Connected(msgspec.Struct, frozen=True):
    """The stream is open from here on; what happened before must be asked for."""


class Unreadable(msgspec.Struct, frozen=True):
    """A message that made no sense: kept word for word, alarmed, never dropped."""

    payload: str
    problem: str


class BrokerPosition(msgspec.Struct, frozen=True):
    symbol: str
    qty: str


class Watermark(msgspec.Struct, frozen=True):
    """Up to where books were read: by the broker's own clock, and what was open then with how much of its fills.

    Only the broker that made it reads it.
    """

    at_us: int
    open: dict[str, str]


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker holds of an account, for reconciliation: all of it, or what changed after a watermark.

    Positions and open orders are always complete.  They were asked for after the orders, so that what fills in between
    is seen twice and not missed.  `seq` is what all of it includes.
    """

    orders: list[BrokerOrder]
    fills: list[BrokerFill]
    positions: list[BrokerPosition]
    odd: list[Unreadable]
    watermark: Watermark | None
    """for the next time, once everything above is entered"""
    seq: int | None


class BrokerDown(Exception):
    """The broker did not answer a question; ask again later."""


class Broker(Protocol):
    """A venue.  Sending never repeats by itself; questions may be asked as often as one likes."""

    async def submit(self, intent: Intent) -> Outcome: ...

    async def replace(self, broker_id: str, by: Intent) -> Outcome:
        """Ask for `by` in place of an order.  Accepted is not replaced: the old one may still fill first."""
        ...

    async def find(self, coid: str) -> BrokerOrder | None: ...

    async def cancel(self, broker_id: str) -> None: ...

    async def cancel_all(self) -> None: ...

    async def books(self, since: Watermark | None = None) -> Books: ...

    def events(self) -> AsyncIterator[Connected | BrokerEvent | Unreadable]: ...

    async def close(self) -> None: ...
