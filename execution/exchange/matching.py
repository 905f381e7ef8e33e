"""The matching engine: one account, its orders, and the tape of bars that moves its market.

Pure: no clock, no randomness, no I/O; `now_us` comes in with every call.  The server calls it over HTTP and
the parity gate calls it in-process under virtual time.  A market order accepted after bar t fills at the open
of its symbol's next bar, under the one cost model (execution/strategy/costs.py).
"""

from collections.abc import Sequence
from datetime import datetime
from math import floor, inf, isfinite
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from data.bar import Bar
from execution.exchange.holdings import Holdings
from execution.exchange.orders import (
    QTY_DECIMALS,
    Event,
    EventKind,
    Fill,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Reason,
    Reject,
    Side,
    Terms,
    TimeInForce,
)
from execution.strategy.costs import commission, fill_price

_EXCHANGE_ZONE = ZoneInfo("America/New_York")


class Changes(msgspec.Struct, frozen=True):
    """What happened to an account since its books were last written."""

    events: list[Event]
    orders: dict[str, Order]  # as they are now, by id
    symbols: set[str]  # whose position changed


class Account:
    """The books of one account.  A command either returns a Reject and changes nothing, or takes effect."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.id = terms.account_id
        self.holdings = Holdings(terms)
        self.seq = 0  # of the last event
        self.clock_us: int | None = None  # open time of the last bar processed
        self.stamp_us = 0  # last stamp given out; stamps only rise, so paging by time loses nothing
        self.orders: dict[str, Order] = {}  # every order ever accepted, oldest first
        self.by_client_id: dict[str, str] = {}
        self.fills: list[Fill] = []
        self._open: dict[str, dict[str, None]] = {}  # symbol -> ids of its open orders, oldest first
        self._listed = set(terms.symbols)
        self._changes = Changes([], {}, set())

    @classmethod
    def restored(
        cls, terms: Terms, holdings: Holdings, orders: Sequence[Order], fills: Sequence[Fill]
    ) -> "Account":
        """The account as its books describe it; the caller sets seq, clock_us and stamp_us."""
        account = cls(terms)
        account.holdings = holdings
        account.fills = list(fills)
        for order in orders:
            account._enter(order)
        return account

    # -- questions

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        order_id = self.by_client_id.get(client_order_id)
        return None if order_id is None else self.orders[order_id]

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        symbols = list(self._open) if symbol is None else [symbol]
        return [self.orders[order_id] for name in symbols for order_id in self._open.get(name, ())]

    def is_listed(self, symbol: str) -> bool:
        return not self._listed or symbol in self._listed or symbol in self.holdings.marks

    def take_changes(self) -> Changes:
        """What happened since the last call; the caller writes it down or publishes it."""
        changes, self._changes = self._changes, Changes([], {}, set())
        return changes

    # -- commands

    def submit(self, request: OrderRequest, now_us: int) -> Order | Reject:
        """Accepts an order as `new`, or says why not."""
        refused = self._refusal(request)
        if refused is not None:
            return refused
        now_us = self._stamp(now_us)
        order = Order(
            # Derived, not drawn: the same requests give the same books, and client_order_ids are unique.
            id=str(uuid5(UUID(self.id), request.client_order_id)),
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            qty=request.qty,
            type=request.type,
            time_in_force=request.time_in_force,
            limit_price=request.limit_price,
            extended_hours=request.extended_hours,
            submitted_at_us=now_us,
            updated_at_us=now_us,
            priced=request.symbol in self.holdings.marks,
        )
        self._enter(order)
        self._emit(EventKind.NEW, order)
        return order

    def cancel(self, order_id: str, now_us: int) -> Event | Reject:
        """Takes an open order off the market; what already filled stays filled."""
        order = self.orders.get(order_id)
        if order is None:
            return Reject(Reason.NO_SUCH_ORDER, f"order not found for {order_id}")
        if not order.status.is_open:
            return Reject(Reason.NOT_CANCELABLE, f'order is already in "{order.status}" state')
        at_us = self._stamp(now_us)
        ended = msgspec.structs.replace(order, status=OrderStatus.CANCELED, canceled_at_us=at_us)
        return self._end(ended, EventKind.CANCELED, at_us)

    def on_bar(self, bars: Sequence[Bar], now_us: int) -> list[Event]:
        """Moves the market to these bars, all of one instant; bars the tape has already passed do nothing."""
        if not bars or (self.clock_us is not None and bars[0].ts_us <= self.clock_us):
            return []
        events: list[Event] = []
        for bar in bars:
            waiting = self._open.get(bar.symbol)
            if waiting:
                share = self.terms.participation
                left = inf if share is None else float(floor(bar.volume * share))
                for order_id in list(waiting):
                    event = self._match(self.orders[order_id], bar, left, now_us)
                    if event is not None:
                        events.append(event)
                        left -= event.fill.qty if event.fill else 0.0
            self.holdings.marks[bar.symbol] = bar.close
        self.clock_us = bars[0].ts_us
        return events

    # -- matching

    def _match(self, order: Order, bar: Bar, left: float, now_us: int) -> Event | None:
        """One order against one bar, of whose volume `left` shares are still to be had."""
        if order.first_bar_us is None:
            order = self._store(msgspec.structs.replace(order, first_bar_us=bar.ts_us))
        elif order.time_in_force is TimeInForce.DAY and not _same_session(order.first_bar_us, bar.ts_us):
            at_us = self._stamp(now_us)
            ended = msgspec.structs.replace(order, status=OrderStatus.EXPIRED, expired_at_us=at_us)
            return self._end(ended, EventKind.EXPIRED, at_us)
        if not order.priced:
            self.holdings.marks.setdefault(order.symbol, bar.open)
            if self.holdings.exposure > self.holdings.exposure_limit:
                at_us = self._stamp(now_us)
                ended = msgspec.structs.replace(order, status=OrderStatus.REJECTED, failed_at_us=at_us)
                return self._end(ended, EventKind.REJECTED, at_us)
            order = self._store(msgspec.structs.replace(order, priced=True))
        price = price_on(bar, order, self.terms.slippage_bps)
        qty = min(order.leaves_qty, left)
        if price is None or qty <= 0.0:
            return None
        return self._execute(order, qty, price, bar.ts_us, self._stamp(now_us))

    def _execute(self, order: Order, qty: float, price: float, bar_us: int, at_us: int) -> Event:
        terms = self.terms
        filled_qty = round(order.filled_qty + qty, QTY_DECIMALS)
        average = price
        if order.filled_avg_price is not None:
            average = (order.filled_qty * order.filled_avg_price + qty * price) / filled_qty
        # charged per order, so a further fill pays only what it adds
        charged = commission(filled_qty, average, terms.commission_bps, terms.commission_min)
        complete = filled_qty >= order.qty
        filled = msgspec.structs.replace(
            order,
            status=OrderStatus.FILLED if complete else OrderStatus.PARTIALLY_FILLED,
            filled_qty=filled_qty,
            filled_avg_price=average,
            commission=charged,
            filled_at_us=at_us if complete else None,
            updated_at_us=at_us,
        )
        fill = Fill(
            execution_id=str(uuid5(UUID(order.id), repr(filled_qty))),  # cumulative: one per execution
            order_id=order.id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            commission=charged - order.commission,
            cum_qty=filled_qty,
            leaves_qty=filled.leaves_qty,
            bar_us=bar_us,
            at_us=at_us,
            seq=self.seq + 1,
        )
        self.holdings.reserve(order.symbol, order.side, -qty)
        self.holdings.settle(order.symbol, order.side.sign * qty, price, fill.commission)
        self._changes.symbols.add(order.symbol)
        self.fills.append(fill)
        if complete:
            self._leave(order)
        return self._emit(EventKind.FILL if complete else EventKind.PARTIAL_FILL, filled, fill)

    def _end(self, order: Order, kind: EventKind, at_us: int) -> Event:
        """An open order leaves the market with shares unfilled."""
        self.holdings.reserve(order.symbol, order.side, -order.leaves_qty)
        self._leave(order)
        return self._emit(kind, msgspec.structs.replace(order, updated_at_us=at_us))

    # -- checks

    def _refusal(self, request: OrderRequest) -> Reject | None:
        if request.client_order_id in self.by_client_id:
            return Reject(Reason.DUPLICATE_ID, "client_order_id must be unique")
        if not isfinite(request.qty) or request.qty <= 0 or request.qty != round(request.qty, QTY_DECIMALS):
            return Reject(Reason.INVALID, "qty must be > 0 with at most 9 decimals")
        limit = request.limit_price
        if request.type is OrderType.LIMIT and (limit is None or not isfinite(limit) or limit <= 0):
            return Reject(Reason.INVALID, "limit orders require a limit price > 0")
        if request.type is OrderType.MARKET and limit is not None:
            return Reject(Reason.INVALID, "market orders require no limit price")
        if not self.is_listed(request.symbol):
            return Reject(Reason.UNKNOWN_SYMBOL, f'asset "{request.symbol}" not found')
        return self._unaffordable(request)

    def _unaffordable(self, request: OrderRequest) -> Reject | None:
        """Orders that cannot raise the exposure always pass; without a price yet, the first bar decides."""
        mark = self.holdings.marks.get(request.symbol)
        if mark is None:
            return None
        with_order = self.holdings.exposure_to(request.symbol, request.side.sign * request.qty)
        added = with_order - self.holdings.exposure_to(request.symbol)
        power = self.holdings.buying_power
        if added <= 0.0 or added <= power:
            return None
        details = {"buying_power": f"{power:.2f}", "cost_basis": f"{request.qty * mark:.2f}"}
        return Reject(Reason.BUYING_POWER, "insufficient buying power", details)

    # -- bookkeeping

    def _enter(self, order: Order) -> None:
        self.orders[order.id] = order
        self.by_client_id[order.client_order_id] = order.id
        if order.status.is_open:
            self._open.setdefault(order.symbol, {})[order.id] = None
            self.holdings.reserve(order.symbol, order.side, order.leaves_qty)

    def _leave(self, order: Order) -> None:
        waiting = self._open[order.symbol]
        del waiting[order.id]
        if not waiting:
            del self._open[order.symbol]

    def _stamp(self, now_us: int) -> int:
        self.stamp_us = max(now_us, self.stamp_us + 1)
        return self.stamp_us

    def _store(self, order: Order) -> Order:
        self.orders[order.id] = order
        self._changes.orders[order.id] = order
        return order

    def _emit(self, kind: EventKind, order: Order, fill: Fill | None = None) -> Event:
        self._store(order)
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


def price_on(bar: Bar, order: Order, slippage_bps: float) -> float | None:
    """What one share costs the order on this bar; None while its limit is not reached."""
    price = fill_price(bar.open, order.side.sign, slippage_bps)
    limit = order.limit_price
    if limit is None:
        return price
    if order.side is Side.BUY:
        return min(price, limit) if bar.open <= limit else limit if bar.low <= limit else None
    return max(price, limit) if bar.open >= limit else limit if bar.high >= limit else None


def _same_session(first_us: int, second_us: int) -> bool:
    """Both instants fall on one New York date, which for regular sessions means one trading session."""
    first, second = (datetime.fromtimestamp(us / 1e6, _EXCHANGE_ZONE).date() for us in (first_us, second_us))
    return first == second
