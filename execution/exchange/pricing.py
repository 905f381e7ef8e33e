"""What one share costs an order: pure functions of the order and of what the market shows.

An order that takes crosses the market and pays slippage; one that rests is filled at its limit.  Within a bar
only its four prices are known: what could have happened at the open comes first, and whatever came later is
taken to have come in the order that is worse for the account.
"""

import msgspec

from data.bar import Bar, Tick
from execution.exchange.orders import Order, OrderType, Side
from execution.strategy.costs import fill_price


def take(order: Order, touch: float, slippage_bps: float) -> float | None:
    """The price of crossing the market at `touch`; None where that is beyond the order's limit."""
    price = fill_price(touch, order.side.sign, slippage_bps)
    limit = order.limit_price
    if limit is None:
        return price
    if order.side is Side.BUY:
        return min(price, limit) if touch <= limit else None
    return max(price, limit) if touch >= limit else None


def auction(order: Order, price: float) -> float | None:
    """An auction has one price for all, without spread or slippage."""
    return take(order, price, 0.0)


def seen(order: Order, price: float) -> Order:
    """The order after the market stood at a price: a trail follows it, a stop that it reaches is triggered."""
    if order.triggered or not order.type.is_stop:
        return order
    if order.type is OrderType.TRAILING_STOP:
        order = _trailed(order, price)
    if not _reaches_stop(order, price):
        return order
    return msgspec.structs.replace(order, triggered=True)


def is_waiting_stop(order: Order) -> bool:
    return order.type.is_stop and not order.triggered


def inside_bar(order: Order, bar: Bar, slippage_bps: float, through: bool) -> tuple[Order, float | None]:
    """The order after the open of a bar, which it did not trade at, and its price if it trades within.

    `through`: a resting order is filled only where the market went beyond its limit.
    """
    if is_waiting_stop(order):
        against = bar.high if order.side is Side.BUY else bar.low
        stop = stop_of(order)
        if stop is not None and _reaches_stop(order, against):
            # it starts from its stop; a limit worse than that has to be reached by a later bar
            return msgspec.structs.replace(order, triggered=True), take(order, stop, slippage_bps)
        return seen(order, bar.low if order.side is Side.BUY else bar.high), None
    limit = order.limit_price
    if limit is None:
        return order, None
    reached = bar.low if order.side is Side.BUY else bar.high
    return order, limit if rests_filled(order, reached, through) else None


def rests_filled(order: Order, price: float, through: bool) -> bool:
    """Does a market that reaches this price fill a resting order?"""
    limit = order.limit_price
    if limit is None:
        return False
    if price == limit:
        return not through
    return price < limit if order.side is Side.BUY else price > limit


def touch_of(order: Order, tick: Tick) -> float | None:
    """The other side of the quote."""
    return tick.ask if order.side is Side.BUY else tick.bid


def queue_ahead(order: Order, known: Tick) -> float | None:
    """How many shares stand before a limit order that joins its own side of the quote; None: not seen yet."""
    best, size = (known.bid, known.bid_size) if order.side is Side.BUY else (known.ask, known.ask_size)
    limit = order.limit_price
    if limit is None or best is None or (best > limit if order.side is Side.BUY else best < limit):
        return None
    return (size or 0.0) if best == limit else 0.0


def stop_of(order: Order) -> float | None:
    return order.trail_stop if order.type is OrderType.TRAILING_STOP else order.stop_price


def _reaches_stop(order: Order, price: float) -> bool:
    stop = stop_of(order)
    if stop is None:
        return False
    return price >= stop if order.side is Side.BUY else price <= stop


def _trailed(order: Order, price: float) -> Order:
    best = order.hwm
    if best is not None and (price >= best if order.side is Side.BUY else price <= best):
        return order
    return msgspec.structs.replace(order, hwm=price)
