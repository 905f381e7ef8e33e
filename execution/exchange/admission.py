"""Which orders are taken: each check says no in Alpaca's words, and changes nothing.

Some hold on every account, for an order that breaks them means nothing.  Those of `Rules.ALPACA` hold where an
account asks for them; research and the engine trade without: a fraction may be sold short, a position turned over.
"""

from datetime import time
from math import isfinite

from execution.exchange import groups, hours
from execution.exchange.orders import (
    QTY_DECIMALS,
    Order,
    OrderClass,
    OrderRequest,
    OrderType,
    Reason,
    Reject,
    ReplaceRequest,
    Side,
    TimeInForce,
    quantity,
)
from execution.exchange.refusals import forbidden, invalid, not_allowed
from execution.exchange.register import Register
from execution.exchange.terms import Rules

# When orders for an auction are refused, in New York: those for the next one are taken in the evening.
_AUCTION_SHUT = {
    TimeInForce.OPG: (time(9, 28), time(19)),
    TimeInForce.CLS: (time(15, 50), time(19)),
}
NOTIONAL_MIN = 1.0  # Alpaca's, in dollars

_PRICES_OF = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("limit_price", "stop_price"),
    OrderType.TRAILING_STOP: (),
}
_WAITING = (TimeInForce.DAY, TimeInForce.GTC)


def refusal(register: Register, request: OrderRequest) -> Reject | None:
    """Why this order is not taken; None: it is."""
    return (
        _duplicate(register, request.client_order_id)
        or _malformed(request)
        or _against_configuration(register, request)
        or _against_asset(register, request)
        or groups.refusal(
            request, register.holdings.qty(request.symbol), register.holdings.marks.get(request.symbol)
        )
        or _against_position(register, request)
        or (_against_alpaca(register, request) if register.terms.rules is Rules.ALPACA else None)
        or unaffordable(register, request.symbol, request.side.sign * request.qty, request.qty)
    )


def replace_refusal(register: Register, order: Order, request: ReplaceRequest) -> Reject | None:
    """Why an open order is not changed like this."""
    if request.client_order_id in register.by_client_id:
        return Reject(Reason.DUPLICATE_ID, "client_order_id must be unique")
    if order.notional is not None:
        return not_allowed("notional orders cannot be replaced")
    for field in ("limit_price", "stop_price"):
        value = getattr(request, field)
        if value is not None and field not in _PRICES_OF[order.type]:
            return invalid(f"{order.type} orders require no {field.replace('_', ' ')}")
        if value is not None and not _is_price(value):
            return invalid(f"{field} must be > 0")
    if request.trail is not None and (
        order.type is not OrderType.TRAILING_STOP or not _is_price(request.trail)
    ):
        return invalid("trail must be > 0, and belongs to trailing_stop orders")
    if request.qty is not None:
        if not _is_qty(request.qty):
            return invalid("qty must be > 0 with at most 9 decimals")
        if order.group and request.qty != order.qty:
            return not_allowed("qty cannot be changed for advanced orders")
        if request.qty <= order.filled_qty:
            return not_allowed("qty must be > filled_qty")
    if request.time_in_force not in (None, order.time_in_force) and request.time_in_force not in _WAITING:
        return not_allowed("time_in_force can be changed to day or gtc only")
    changed = (
        request.qty not in (None, order.qty),
        request.time_in_force not in (None, order.time_in_force),
        request.limit_price not in (None, order.limit_price),
        request.stop_price not in (None, order.stop_price),
        request.trail not in (None, order.trail_price or order.trail_percent),
    )
    if not any(changed):
        return not_allowed("order parameters are not changed")
    more = max(0.0, (request.qty or 0.0) - order.qty)
    return unaffordable(register, order.symbol, order.side.sign * more, more)


def unaffordable(register: Register, symbol: str, signed_qty: float, qty: float) -> Reject | None:
    """Orders that cannot raise the exposure always pass; without a price yet, the first bar decides."""
    holdings = register.holdings
    mark = holdings.marks.get(symbol)
    if mark is None:
        return None
    added = holdings.exposure_to(symbol, signed_qty) - holdings.exposure_to(symbol)
    power = holdings.buying_power
    if added <= 0.0 or added <= power:
        return None
    details = {"buying_power": f"{power:.2f}", "cost_basis": f"{qty * mark:.2f}"}
    return Reject(Reason.BUYING_POWER, "insufficient buying power", details)


def held_for_orders(register: Register, symbol: str, wanted: float) -> Reject | None:
    """Is so much of the position free of orders that already stand to close it?"""
    held = abs(register.holdings.qty(symbol))
    reserved = register.holdings.held_for_orders(symbol)
    available = round(held - reserved, QTY_DECIMALS)
    if wanted <= available:
        return None
    message = f"insufficient qty available for order (requested: {quantity(wanted)}, available: {quantity(available)})"
    details = {
        "symbol": symbol,
        "available": quantity(available),
        "existing_qty": quantity(held),
        "held_for_orders": quantity(reserved),
    }
    return Reject(Reason.HELD_FOR_ORDERS, message, details)


# -- on every account


def _duplicate(register: Register, client_order_id: str) -> Reject | None:
    if client_order_id in register.by_client_id:
        return Reject(Reason.DUPLICATE_ID, "client_order_id must be unique")
    return None


def _malformed(request: OrderRequest) -> Reject | None:
    if not _is_qty(request.qty):
        return invalid("qty must be > 0 with at most 9 decimals")
    kind, needed = request.type, _PRICES_OF[request.type]
    for field, value in (("limit_price", request.limit_price), ("stop_price", request.stop_price)):
        if field in needed and (value is None or not _is_price(value)):
            return invalid(f"{kind} orders require a {field.replace('_', ' ')} > 0")
        if field not in needed and value is not None:
            return invalid(f"{kind} orders require no {field.replace('_', ' ')}")
    trails = [value for value in (request.trail_price, request.trail_percent) if value is not None]
    if kind is OrderType.TRAILING_STOP:
        if len(trails) != 1 or not _is_price(trails[0]) or (request.trail_percent or 0.0) >= 100.0:
            return invalid(
                "trailing_stop orders require one of trail_price > 0 and trail_percent from 0 to 100"
            )
    elif trails:
        return invalid(f"{kind} orders require no trail_price or trail_percent")
    if kind.is_stop and request.time_in_force not in _WAITING:
        return not_allowed(f"{kind} orders must be day or gtc orders")
    if request.extended_hours:
        if kind is not OrderType.LIMIT:
            return invalid('only type="limit" is allowed for extended hours orders')
        if request.time_in_force not in _WAITING:
            return not_allowed("extended hours orders must be day or gtc orders")
    if request.notional is not None and kind not in (OrderType.MARKET, OrderType.LIMIT):
        return not_allowed("notional orders must be market or limit orders")
    return None


def _against_configuration(register: Register, request: OrderRequest) -> Reject | None:
    wishes = register.state.configuration
    if wishes.suspend_trade:
        return forbidden("new orders are rejected by user request")
    if not wishes.fractional_trading and _is_fractional(request):
        return forbidden("fractional trading is not enabled for this account")
    no_margin = register.terms.rules is Rules.ALPACA and register.holdings.multiplier < 2.0
    if _shorts(register, request) and (wishes.no_shorting or no_margin):
        return forbidden("account is not allowed to short")
    return None


def _against_asset(register: Register, request: OrderRequest) -> Reject | None:
    symbol = request.symbol
    if not register.is_listed(symbol):
        return Reject(Reason.UNKNOWN_SYMBOL, f'asset "{symbol}" not found')
    asset = register.terms.asset(symbol)
    if not asset.active:
        return not_allowed(f"asset {symbol} is not active")
    if not asset.tradable:
        return not_allowed(f"asset {symbol} is not tradable")
    if not asset.fractionable and _is_fractional(request):
        return not_allowed(f'asset "{symbol}" is not fractionable')
    if _shorts(register, request):
        if not asset.shortable:
            return not_allowed(f'asset "{symbol}" cannot be sold short')
        if not asset.easy_to_borrow and request.time_in_force is not TimeInForce.DAY:
            return not_allowed(f'only day orders are allowed for hard-to-borrow asset "{symbol}"')
    return None


def _against_position(register: Register, request: OrderRequest) -> Reject | None:
    """An exit does not turn a position over, and no shares are given to two orders."""
    closes = register.holdings.qty(request.symbol) * request.side.sign < 0.0
    if request.order_class is OrderClass.OCO or (closes and register.terms.rules is Rules.ALPACA):
        return held_for_orders(register, request.symbol, request.qty)
    return None


# -- Alpaca's


def _against_alpaca(register: Register, request: OrderRequest) -> Reject | None:
    if request.notional is not None and request.notional < NOTIONAL_MIN:
        return forbidden("cost basis must be >= minimal amount of order 1")
    if _is_fractional(request):
        if request.time_in_force is not TimeInForce.DAY:
            return not_allowed("fractional orders must be DAY orders")
        if _shorts(register, request):
            return not_allowed("fractional orders cannot be sold short")
    market_us = register.state.market_us
    if request.time_in_force in _AUCTION_SHUT and market_us is not None:
        shut, opened = _AUCTION_SHUT[request.time_in_force]
        if shut <= hours.clock_of(market_us) < opened:
            return not_allowed(
                f"{request.time_in_force} orders are not accepted from {shut:%H:%M} to {opened:%H:%M}"
            )
    for field, value in _prices_named(request):
        if value is not None and round(value, 2 if value >= 1.0 else 4) != value:
            message = (
                f"invalid {field} {value}. sub-penny increment does not fulfill minimum pricing criteria"
            )
            return not_allowed(message)
    if request.order_class is OrderClass.SIMPLE:
        for order in register.open_orders(request.symbol):
            if order.side is not request.side and not order.group and _would_meet(request, order):
                return forbidden(
                    "potential wash trade detected. use complex orders", existing_order_id=order.id
                )
    return None


def _prices_named(request: OrderRequest) -> list[tuple[str, float | None]]:
    loss = request.stop_loss
    return [
        ("limit_price", request.limit_price),
        ("stop_price", request.stop_price),
        ("take_profit.limit_price", request.take_profit),
        ("stop_loss.stop_price", None if loss is None else loss.stop_price),
        ("stop_loss.limit_price", None if loss is None else loss.limit_price),
    ]


def _would_meet(request: OrderRequest, order: Order) -> bool:
    """Could the two trade with each other?"""
    if request.type is not OrderType.LIMIT or order.type is not OrderType.LIMIT:
        return True
    assert request.limit_price is not None
    assert order.limit_price is not None
    return (request.limit_price - order.limit_price) * request.side.sign >= 0.0


# -- words


def _shorts(register: Register, request: OrderRequest) -> bool:
    """Would this sale, with the others that are open, leave fewer shares than none?"""
    if request.side is not Side.SELL or request.order_class is OrderClass.OCO:
        return False
    symbol = request.symbol
    held = max(0.0, register.holdings.qty(symbol))
    reserved = register.holdings.held_for_orders(symbol) if held else 0.0
    return request.qty > round(held - reserved, QTY_DECIMALS)


def _is_fractional(request: OrderRequest) -> bool:
    return request.notional is not None or request.qty != round(request.qty)


def _is_qty(qty: float) -> bool:
    return isfinite(qty) and qty > 0 and qty == round(qty, QTY_DECIMALS)


def _is_price(price: float) -> bool:
    return isfinite(price) and price > 0.0
