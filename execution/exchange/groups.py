"""Orders that belong together: bracket, oco and oto, what they require and the legs they consist of.

An entry holds its exits back until it is filled; of two exits one cancels the other (lifecycle.py).  An oco has no
entry: its take-profit is the order itself, its stop-loss the leg.
"""

from collections.abc import Callable
from uuid import UUID, uuid5

import msgspec

from execution.exchange.orders import (
    Order,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    Reject,
    Role,
    TimeInForce,
)
from execution.exchange.refusals import invalid, not_allowed

LEG_DISTANCE = 0.01  # how far a leg has to be from the price it is measured against: Alpaca's
_ROUNDING = 1e-9


def refusal(request: OrderRequest, held: float, mark: float | None) -> Reject | None:
    """What is wrong with the legs of a request, `held` shares of its symbol being worth `mark` each."""
    kind, profit, loss = request.order_class, request.take_profit, request.stop_loss
    if kind is OrderClass.SIMPLE:
        return None if profit is None and loss is None else invalid("simple orders have no legs")
    if kind is not OrderClass.OTO:
        if profit is None:
            return invalid(f"{kind} orders require take_profit.limit_price")
        if loss is None:
            return invalid(f"{kind} orders require stop_loss.stop_price")
    elif (profit is None) == (loss is None):
        return invalid("oto orders require either take_profit or stop_loss")
    prices = [profit] if loss is None else [profit, loss.stop_price, loss.limit_price]
    if any(price is not None and not 0.0 < price < float("inf") for price in prices):
        return invalid("prices of take_profit and stop_loss must be > 0")
    if request.time_in_force not in (TimeInForce.DAY, TimeInForce.GTC):
        return not_allowed("complex orders must be day or gtc orders")
    if request.extended_hours:
        return not_allowed("extended hours are not supported for complex orders")
    if request.notional is not None:
        return not_allowed("notional orders must be simple orders")
    if kind is OrderClass.OCO:
        if request.type is not OrderType.LIMIT:
            return invalid("oco orders must be limit orders")
        if held * request.side.sign >= 0.0:
            return not_allowed("oco orders must be exit orders")
    elif request.type is OrderType.TRAILING_STOP:
        return not_allowed(f"{kind} orders cannot begin with a trailing_stop order")
    return _out_of_place(request, mark)


def _out_of_place(request: OrderRequest, mark: float | None) -> Reject | None:
    """The profit is taken beyond the price of the entry, the loss is stopped before it."""
    is_exit = request.order_class is OrderClass.OCO
    upward = -request.side.sign if is_exit else request.side.sign  # the position's direction
    beyond, before = (">=", "<=") if upward > 0 else ("<=", ">=")
    profit, loss = request.take_profit, request.stop_loss
    if profit is not None and loss is not None and upward * (profit - loss.stop_price) <= 0.0:
        return not_allowed(f"take_profit.limit_price must be {beyond[0]} stop_loss.stop_price")
    entry = None if is_exit else request.limit_price or request.stop_price
    for base in (entry, mark):
        if base is None:
            continue
        near = LEG_DISTANCE - _ROUNDING
        if not is_exit and profit is not None and upward * (profit - base) < near:
            words = f"take_profit.limit_price must be {beyond} base_price {_signed(upward)} {LEG_DISTANCE}"
            return not_allowed(words, base_price=f"{base:.2f}")
        if loss is not None and upward * (base - loss.stop_price) < near:
            words = f"stop_loss.stop_price must be {before} base_price {_signed(-upward)} {LEG_DISTANCE}"
            return not_allowed(words, base_price=f"{base:.2f}")
    return None


def _signed(sign: int) -> str:
    return "+" if sign > 0 else "-"


def with_legs(order: Order, request: OrderRequest, stamp: Callable[[], int]) -> list[Order]:
    """The order of a request, and after it the legs that belong to it."""
    kind = request.order_class
    if kind is OrderClass.SIMPLE:
        return [order]
    is_exit = kind is OrderClass.OCO
    root = msgspec.structs.replace(
        order,
        order_class=kind,
        group=order.id,
        role=Role.TAKE_PROFIT if is_exit else Role.ENTRY,
        limit_price=request.take_profit if is_exit else order.limit_price,
    )
    legs = []
    if request.stop_loss is not None:  # first: where both could fill in one bar, the loss counts
        legs.append(
            msgspec.structs.replace(
                _leg(root, Role.STOP_LOSS, is_exit, stamp()),
                type=OrderType.STOP if request.stop_loss.limit_price is None else OrderType.STOP_LIMIT,
                stop_price=request.stop_loss.stop_price,
                limit_price=request.stop_loss.limit_price,
                reserves=kind is OrderClass.OTO,
            )
        )
    if request.take_profit is not None and not is_exit:
        legs.append(
            msgspec.structs.replace(
                _leg(root, Role.TAKE_PROFIT, is_exit, stamp()),
                type=OrderType.LIMIT,
                limit_price=request.take_profit,
                stop_price=None,
            )
        )
    return [root, *legs]


def _leg(root: Order, role: Role, is_exit: bool, at_us: int) -> Order:
    client_order_id = str(uuid5(UUID(root.id), role.value))
    return msgspec.structs.replace(
        root,
        id=str(uuid5(UUID(root.id), client_order_id)),
        client_order_id=client_order_id,
        side=root.side if is_exit else root.side.opposite,
        status=root.status if is_exit else OrderStatus.HELD,
        role=role,
        is_leg=True,
        priced=True,  # the entry's fill has a price
        submitted_at_us=at_us,
        updated_at_us=at_us,
    )
