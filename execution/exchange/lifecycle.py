"""How an order lives on after it was accepted: it arrives, fills, ends, is replaced, and draws its group along.

    pending_new ▸ new ▸ partially_filled ▸ filled
                   ├─ pending_cancel ▸ canceled        (or it fills first: order_cancel_rejected)
                   ├─ pending_replace ▸ replaced       (or it fills first: order_replace_rejected)
                   ├─ done_for_day ▸ new
                   └─ expired, rejected

The exits of a group stand for the same shares: a fill of one takes them from the other, the end of one ends all.
"""

from math import floor, inf
from uuid import UUID, uuid5

import msgspec

from execution.exchange.orders import (
    QTY_DECIMALS,
    Event,
    EventKind,
    Fill,
    Order,
    OrderStatus,
    Pending,
    Role,
    Side,
)
from execution.exchange.register import Register
from execution.strategy.costs import commission

_STAMP_OF = {
    OrderStatus.CANCELED: "canceled_at_us",
    OrderStatus.EXPIRED: "expired_at_us",
    OrderStatus.REJECTED: "failed_at_us",
    OrderStatus.REPLACED: "replaced_at_us",
}


class Lifecycle(Register):
    def _execute(self, order: Order, qty: float, price: float, at_market_us: int, now_us: int) -> Order:
        """Trades shares of an order at a price; returns the order as it is afterwards."""
        at_us = self._stamp(now_us)
        terms = self.terms
        filled_qty = round(order.filled_qty + qty, QTY_DECIMALS)
        average = price
        if order.filled_avg_price is not None:
            average = (order.filled_qty * order.filled_avg_price + qty * price) / filled_qty
        # charged per order, so a further fill pays only what it adds
        charged = commission(filled_qty, average, terms.commission_bps, terms.commission_min)
        complete = filled_qty >= order.qty
        status = OrderStatus.FILLED if complete else order.status
        if status is OrderStatus.NEW:
            status = OrderStatus.PARTIALLY_FILLED
        filled = msgspec.structs.replace(
            order,
            status=status,
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
            bar_us=at_market_us,
            at_us=at_us,
            seq=self.seq + 1,
        )
        self.holdings.settle(order.symbol, order.side.sign * qty, price, fill.commission)
        if order.side is Side.SELL:
            self.state.accrued_fees += qty * price * terms.sale_fee_bps / 1e4 + qty * terms.sale_fee_per_share
        self._changes.symbols.add(order.symbol)
        self.fills.append(fill)
        self._emit(EventKind.FILL if complete else EventKind.PARTIAL_FILL, filled, fill)
        if complete and filled.pending is not None:
            filled = self._too_late(filled, filled.pending, now_us)
        if filled.group:
            self._fill_moves_group(filled, qty, now_us)
        return filled

    def fill_whole(self, order: Order, price: float, now_us: int) -> Order:
        """Trades all that is left of an order whatever the market does: a fault that was asked for."""
        qty = order.leaves_qty if order.notional is None else inf
        return self._execute(order, qty, price, self.clock_us or now_us, now_us)

    def _end(self, order: Order, status: OrderStatus, now_us: int, replaced_by: str | None = None) -> Event:
        """An open order leaves the market with shares unfilled."""
        at_us = self._stamp(now_us)
        ended = msgspec.structs.replace(
            order, status=status, pending=None, replaced_by=replaced_by, updated_at_us=at_us,
            **{_STAMP_OF[status]: at_us},
        )  # fmt: skip
        event = self._emit(EventKind(status), ended)
        if status is not OrderStatus.REPLACED:
            if order.pending is not None and order.pending.replacement is not None:
                self._too_late(ended, order.pending, now_us)
            for other_id in [other.id for other in self.group_of(ended)]:
                other = self.orders[other_id]  # as it is by now
                if other.status.is_open and not other.is_coming:  # what is coming ends with what it replaces
                    self._end(other, OrderStatus.CANCELED, now_us)
        return event

    def _arrive(self, order: Order, now_us: int) -> None:
        """An order that was on its way, or held back, is in the market."""
        at_us = self._stamp(now_us)
        self._emit(EventKind.NEW, msgspec.structs.replace(order, status=OrderStatus.NEW, updated_at_us=at_us))

    def _take_over(self, order: Order, pending: Pending, now_us: int) -> None:
        """The replacement that was on its way to an order stands in its place."""
        assert pending.replacement is not None
        coming = self.orders[pending.replacement]
        qty = round(coming.qty - (order.filled_qty - pending.filled_qty), QTY_DECIMALS)
        if qty <= 0.0:
            self._too_late(order, pending, now_us)
            return
        self._end(order, OrderStatus.REPLACED, now_us, replaced_by=coming.id)
        standing = msgspec.structs.replace(
            coming,
            qty=qty,
            status=OrderStatus.HELD if order.status is OrderStatus.HELD else OrderStatus.NEW,
            reserves=order.reserves,
            priced=order.priced,
            updated_at_us=self._stamp(now_us),
        )
        if standing.status is OrderStatus.HELD:
            self._put(standing)
        else:
            self._emit(EventKind.NEW, standing)

    def _too_late(self, order: Order, pending: Pending, now_us: int) -> Order:
        """What was on its way to an order finds it filled, or gone."""
        status = order.status
        if status.is_open:
            status = OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.NEW
        at_us = self._stamp(now_us)
        left = msgspec.structs.replace(order, status=status, pending=None, updated_at_us=at_us)
        if pending.replacement is None:
            self._emit(EventKind.CANCEL_REJECTED, left)
            return left
        self._emit(EventKind.REPLACE_REJECTED, left)
        at_us = self._stamp(now_us)
        rejected = msgspec.structs.replace(
            self.orders[pending.replacement],
            status=OrderStatus.REJECTED,
            failed_at_us=at_us,
            updated_at_us=at_us,
        )
        self._emit(EventKind.REJECTED, rejected)
        return left

    def _advance(self, until_us: int, now_us: int) -> None:
        """Lets everything arrive that was due in the market until now, in the order of its time."""
        while self._due:
            order_id = min(self._due, key=self._due.__getitem__)  # of those at once, the one sent first
            if self._due[order_id] > until_us:
                return
            order = self.orders[order_id]
            if order.pending is None:
                self._arrive(order, now_us)
            elif order.pending.replacement is None:
                self._end(order, OrderStatus.CANCELED, now_us)
            else:
                self._take_over(order, order.pending, now_us)

    def _ask(self, order: Order, pending: Pending, now_us: int) -> Event:
        """Something is on its way to an order that is in the market."""
        is_cancel = pending.replacement is None
        waiting = msgspec.structs.replace(
            order,
            status=OrderStatus.PENDING_CANCEL if is_cancel else OrderStatus.PENDING_REPLACE,
            pending=pending,
            updated_at_us=self._stamp(now_us),
        )
        return self._emit(EventKind.PENDING_CANCEL if is_cancel else EventKind.PENDING_REPLACE, waiting)

    def _fill_moves_group(self, order: Order, qty: float, now_us: int) -> None:
        complete = order.status is OrderStatus.FILLED
        for other_id in [other.id for other in self.group_of(order) if other.id != order.id]:
            other = self.orders[other_id]
            if not other.status.is_open:
                continue
            if order.role is Role.ENTRY:
                if complete and other.status is OrderStatus.HELD:
                    self._arrive(other, now_us)
            elif complete:
                if not other.is_coming:
                    self._end(other, OrderStatus.CANCELED, now_us)
            elif other.replaces != order.id or not other.is_coming:  # which takes over what is left
                self._put(msgspec.structs.replace(other, qty=round(other.qty - qty, QTY_DECIMALS)))


def shares_for(notional: float, price: float) -> float:
    """How many shares money buys, rounded down to what can be traded."""
    return float(floor(notional / price * 10**QTY_DECIMALS)) / 10.0**QTY_DECIMALS
