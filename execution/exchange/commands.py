"""What the owner of an account may ask for: submit, cancel and replace orders, change the account's settings."""

from uuid import uuid5

import msgspec

from data.calendars import NEW_YORK
from execution.exchange import admission, groups, hours
from execution.exchange.lifecycle import Lifecycle, shares_for
from execution.exchange.orders import (
    QTY_DECIMALS,
    Event,
    EventKind,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Pending,
    Reason,
    Reject,
    ReplaceRequest,
    TimeInForce,
)
from execution.exchange.refusals import not_allowed
from execution.exchange.state import Configuration
from execution.exchange.terms import TAPE_HOURS

_NOT_REPLACEABLE = (OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


class Commands(Lifecycle):
    def submit(self, request: OrderRequest, now_us: int) -> Order | Reject:
        """Accepts an order and its legs, or says why not."""
        if request.notional is not None:
            mark = self.holdings.marks.get(request.symbol)
            if mark is None:
                return not_allowed(f"a notional order needs a price, and {request.symbol} has none yet")
            request = msgspec.structs.replace(request, qty=shares_for(request.notional, mark))
        refused = admission.refusal(self, request)
        if refused is not None:
            return refused
        at_us = self._stamp(now_us)
        live_at_us = self._arrival_us()
        order = Order(
            # Derived, not drawn: the same requests give the same books, and client_order_ids are unique.
            id=str(uuid5(self._uuid, request.client_order_id)),
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            qty=request.qty,
            type=request.type,
            time_in_force=request.time_in_force,
            limit_price=request.limit_price,
            extended_hours=request.extended_hours,
            submitted_at_us=at_us,
            updated_at_us=at_us,
            status=OrderStatus.PENDING_NEW if self._is_slow else OrderStatus.NEW,
            priced=request.symbol in self.holdings.marks,
            notional=request.notional,
            stop_price=request.stop_price,
            trail_price=request.trail_price,
            trail_percent=request.trail_percent,
            hwm=self.holdings.marks.get(request.symbol) if request.type is OrderType.TRAILING_STOP else None,
            live_at_us=live_at_us,
            auction_us=self._auction_us(request.time_in_force),
        )
        for each in groups.with_legs(order, request, lambda: self._stamp(now_us)):
            if each.status is OrderStatus.HELD:
                self._put(each)
            else:
                self._emit(EventKind(each.status), each)
        return self.orders[order.id]

    def cancel(self, order_id: str, now_us: int, *, on_its_way: bool = False) -> Event | Reject:
        """Takes an open order off the market, now or once the request is there; what already filled stays filled."""
        order = self.orders.get(order_id)
        if order is None:
            return Reject(Reason.NO_SUCH_ORDER, f"order not found for {order_id}")
        if not order.status.is_open:
            return Reject(Reason.NOT_CANCELABLE, f'order is already in "{order.status}" state')
        if order.pending is not None or order.is_coming:
            return Reject(Reason.NOT_CANCELABLE, f'order is in "{order.status}" state and cannot be canceled')
        if not (self._is_slow or on_its_way) or order.status is OrderStatus.HELD:
            return self._end(order, OrderStatus.CANCELED, now_us)
        return self._ask(order, Pending(self._arrival_us() or 0), now_us)

    def cancel_all(self, now_us: int) -> dict[str, Reject | None]:
        """Cancels every open order; which could not be, and why.  Legs end with the order they belong to."""
        refused: dict[str, Reject | None] = {}
        for order_id in [order.id for order in self.open_orders()]:
            ended_with_another = not self.orders[order_id].status.is_open
            answer = None if ended_with_another else self.cancel(order_id, now_us)
            refused[order_id] = answer if isinstance(answer, Reject) else None
        return refused

    def replace(
        self, order_id: str, request: ReplaceRequest, now_us: int, *, on_its_way: bool = False
    ) -> Order | Reject:
        """Puts a new order in the place of an open one; if that fills first, the new one is rejected."""
        order = self.orders.get(order_id)
        if order is None:
            return Reject(Reason.NO_SUCH_ORDER, f"order not found for {order_id}")
        if order.replaced_by is not None or (order.pending is not None and order.pending.replacement):
            return Reject(Reason.NOT_REPLACEABLE, "order already replaced")
        if not order.status.is_open or order.status in _NOT_REPLACEABLE:
            return Reject(Reason.NOT_REPLACEABLE, f"cannot replace order in {order.status} status")
        refused = admission.replace_refusal(self, order, request)
        if refused is not None:
            return refused
        at_us = self._stamp(now_us)
        changed = {
            name: value
            for name in ("time_in_force", "limit_price", "stop_price")
            if (value := getattr(request, name)) is not None
        }
        if request.trail is not None:
            changed["trail_percent" if order.trail_price is None else "trail_price"] = request.trail
        coming = msgspec.structs.replace(
            order,
            id=str(uuid5(self._uuid, request.client_order_id)),
            client_order_id=request.client_order_id,
            qty=round((request.qty or order.qty) - order.filled_qty, QTY_DECIMALS),  # what is still to trade
            filled_qty=0.0,
            filled_avg_price=None,
            commission=0.0,
            status=OrderStatus.PENDING_NEW,
            submitted_at_us=at_us,
            updated_at_us=at_us,
            live_at_us=self._arrival_us(),
            ahead=None,
            first_bar_us=None,  # a day order belongs to the day it is in the market, not to the other's
            reserves=False,  # until it stands in the other's place
            replaces=order.id,
            **changed,
        )
        pending = Pending(self._arrival_us() or 0, coming.id, order.filled_qty)
        if not (self._is_slow or on_its_way) or order.status is OrderStatus.HELD:
            self._put(coming)
            self._take_over(order, pending, now_us)
        else:
            self._emit(EventKind.PENDING_NEW, coming)
            self._ask(order, pending, now_us)
        return self.orders[coming.id]

    def configure(self, configuration: Configuration) -> None:
        self._changes.moved = True
        self.state.configuration = configuration
        self._limit_margin()

    def _limit_margin(self) -> None:
        wish = self.state.configuration.max_margin_multiplier
        if wish is not None:
            self.holdings.multiplier = min(self.terms.multiplier, float(wish))

    # -- time

    @property
    def auction_calendar(self) -> str:
        return NEW_YORK if self.terms.hours == TAPE_HOURS else self.terms.hours

    @property
    def _is_slow(self) -> bool:
        """Do requests take market time?  Not before there is any."""
        return self.terms.latency_us > 0 and self.state.market_us is not None

    def _arrival_us(self) -> int | None:
        """When what is sent now can trade first; None: with the next bar, whenever that is.

        On a tape of bars alone nothing lies between one bar and the next, and bars need not follow each other.
        """
        market_us = self.state.market_us
        if market_us is None or (self.terms.latency_us == 0 and not self.state.ticked_us):
            return None
        return market_us + self.terms.latency_us

    def _auction_us(self, time_in_force: TimeInForce) -> int | None:
        market_us = self.state.market_us
        if market_us is None or not time_in_force.is_auction:
            return None
        return self._auction_of(time_in_force, market_us + self.terms.latency_us)

    def _auction_of(self, time_in_force: TimeInForce, from_us: int) -> int:
        """The first auction that an order in the market at an instant can take part in."""
        if time_in_force is TimeInForce.OPG:
            return hours.next_open_us(from_us, self.auction_calendar)
        return hours.next_close_us(from_us, self.auction_calendar)
