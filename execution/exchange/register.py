"""The register of one account: its orders, who waits for which market, and what there is to announce.

Every change of an order goes through `_put`, which keeps the indexes and the reserved shares true to it.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from execution.exchange.holdings import Holdings
from execution.exchange.orders import QTY_DECIMALS, Event, EventKind, Fill, Order, OrderStatus
from execution.exchange.state import Activity, DayClose, State
from execution.exchange.terms import Terms


class Changes(msgspec.Struct):
    """What happened to an account since its books were last written."""

    events: list[Event] = []
    orders: dict[str, Order] = {}  # as they are now, by id
    symbols: set[str] = set()  # whose position changed
    activities: list[Activity] = []
    days: list[DayClose] = []
    moved: bool = False  # the market or a setting, if nothing else

    def __bool__(self) -> bool:
        return bool(self.moved or self.events or self.orders)


class Register:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.id = terms.account_id
        self._uuid = UUID(self.id)  # the namespace of what it names
        self.holdings = Holdings(terms)
        self.state = State()
        self.seq = 0  # of the last event
        self.clock_us: int | None = None  # open time of the last bar processed
        self.stamp_us = 0  # last stamp given out; stamps only rise, so paging by time loses nothing
        self.orders: dict[str, Order] = {}  # every order ever accepted, oldest first
        self.by_client_id: dict[str, str] = {}
        self.fills: list[Fill] = []
        self.activities: list[Activity] = []
        self.days: list[DayClose] = []
        self._open: dict[str, dict[str, None]] = {}  # symbol -> ids of its open orders, oldest first
        self._groups: dict[str, list[str]] = {}  # the orders of each bracket, oco and oto
        self._due: dict[str, int] = {}  # order -> market time at which something on its way arrives
        self._listed = set(terms.symbols)
        self._changes = Changes()

    # -- questions

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        order_id = self.by_client_id.get(client_order_id)
        return None if order_id is None else self.orders[order_id]

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        symbols = list(self._open) if symbol is None else [symbol]
        return [self.orders[order_id] for name in symbols for order_id in self._open.get(name, ())]

    def group_of(self, order: Order) -> list[Order]:
        """The orders of its bracket, oco or oto, itself included; of a simple order, none."""
        return [self.orders[order_id] for order_id in self._groups.get(order.group, ())]

    def legs_of(self, order: Order) -> list[Order]:
        """What belongs to an order that begins a group, without what was replaced."""
        if order.is_leg:
            return []
        members = self.group_of(order)
        return [leg for leg in members if leg.is_leg and leg.status is not OrderStatus.REPLACED]

    def is_listed(self, symbol: str) -> bool:
        return not self._listed or symbol in self._listed or symbol in self.holdings.marks

    def take_changes(self) -> Changes:
        """What happened since the last call; the caller writes it down or publishes it."""
        changes, self._changes = self._changes, Changes()
        return changes

    # -- bookkeeping

    def _restore(self, orders: Sequence[Order], fills: Sequence[Fill]) -> None:
        self.fills = list(fills)
        for order in orders:
            self._put(order)
        self._changes = Changes()

    def _put(self, order: Order) -> Order:
        """Makes this what the account knows of the order."""
        before = self.orders.get(order.id)
        if before is None:
            self.by_client_id[order.client_order_id] = order.id
            if order.group:
                self._groups.setdefault(order.group, []).append(order.id)
        self.orders[order.id] = order
        self._changes.orders[order.id] = order
        reserved = _reserved(order) - (0.0 if before is None else _reserved(before))
        if reserved != 0.0:
            self.holdings.reserve(order.symbol, order.side, round(reserved, QTY_DECIMALS))
        if order.status.is_open:
            if before is None:
                self._open.setdefault(order.symbol, {})[order.id] = None
        elif before is not None and before.status.is_open:
            waiting = self._open[order.symbol]
            del waiting[order.id]
            if not waiting:
                del self._open[order.symbol]
        if self.terms.latency_us:  # else nothing is ever on its way
            due_us = _due_us(order)
            if due_us is not None:
                self._due[order.id] = due_us
            else:
                self._due.pop(order.id, None)
        return order

    def _emit(self, kind: EventKind, order: Order, fill: Fill | None = None) -> Event:
        self._put(order)
        self.seq += 1
        event = Event(
            seq=self.seq,
            kind=kind,
            at_us=order.updated_at_us,
            order=order,
            position_qty=self.holdings.qty(order.symbol),
            fill=fill,
        )
        self._changes.events.append(event)
        return event

    def _stamp(self, now_us: int) -> int:
        """The time of a change: now, or a microsecond after the last one if the clock did not move on."""
        self.stamp_us = max(now_us, self.stamp_us + 1)
        return self.stamp_us


def _reserved(order: Order) -> float:
    """The shares that an order may still move, where nobody else of its group stands for them."""
    if not order.reserves or not order.status.is_open or order.status is OrderStatus.HELD:
        return 0.0
    return order.leaves_qty


def _due_us(order: Order) -> int | None:
    """When the next thing arrives that is on its way to the market."""
    if not order.status.is_open:
        return None
    if order.pending is not None:
        return order.pending.due_us
    return order.live_at_us if order.status is OrderStatus.PENDING_NEW and not order.is_coming else None
