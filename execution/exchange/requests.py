"""What clients send, read and checked: order bodies, bars, account terms.

Every function returns what was asked for or a Reject whose message names the field.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import TypeVar

import msgspec

from data.bar import Bar
from execution.exchange.orders import (
    QTY_DECIMALS,
    OrderRequest,
    OrderType,
    Reason,
    Reject,
    Side,
    Terms,
    TimeInForce,
)

SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,31}")
CLIENT_ORDER_ID_LENGTH_MAX = 128  # Alpaca's limit

Number = str | float | None
Choice = TypeVar("Choice", Side, OrderType, TimeInForce)


class OrderBody(msgspec.Struct, frozen=True):
    """POST /v2/orders; fields of order kinds that this exchange does not have yet are named to be refused."""

    symbol: str | None = None
    qty: Number = None
    notional: Number = None
    side: str | None = None
    type: str | None = None
    time_in_force: str | None = None
    limit_price: Number = None
    stop_price: Number = None
    trail_price: Number = None
    trail_percent: Number = None
    extended_hours: bool | None = None
    client_order_id: str | None = None
    order_class: str | None = None


class BarsBody(msgspec.Struct, frozen=True):
    bars: list[Bar]


_order_bodies = msgspec.json.Decoder(OrderBody)
_bars_bodies = msgspec.json.Decoder(BarsBody)


def order_request(body: bytes, new_id: str) -> OrderRequest | Reject:
    """The order of a request body; `new_id` becomes its client_order_id if the client gave none."""
    try:
        order = _order_bodies.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
    if order.order_class not in (None, "", "simple"):
        return _invalid(f"order_class {order.order_class} is not supported by this exchange")
    for field in ("notional", "stop_price", "trail_price", "trail_percent"):
        if getattr(order, field) is not None:
            return _invalid(f"{field} is not supported by this exchange")
    if order.symbol is None or not SYMBOL.fullmatch(order.symbol):
        return _invalid("symbol is required: capital letters, digits, '.', '/' or '-'")
    client_order_id = order.client_order_id or new_id
    if len(client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
        return _invalid(f"client_order_id must be at most {CLIENT_ORDER_ID_LENGTH_MAX} characters")
    try:
        return OrderRequest(
            client_order_id=client_order_id,
            symbol=order.symbol,
            side=_one_of(Side, order.side, "side"),
            qty=_number(order.qty, "qty"),
            type=_one_of(OrderType, order.type, "type"),
            time_in_force=_one_of(TimeInForce, order.time_in_force, "time_in_force"),
            limit_price=None if order.limit_price is None else _number(order.limit_price, "limit_price"),
            extended_hours=bool(order.extended_hours),
        )
    except ValueError as error:
        return _invalid(str(error))


def bars(body: bytes) -> list[Bar] | Reject:
    """The bars of one instant, at most one for each symbol."""
    try:
        posted = _bars_bodies.decode(body).bars
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
    if not posted:
        return _invalid("bars is empty")
    seen: set[str] = set()
    for bar in posted:
        if bar.ts_us != posted[0].ts_us:
            return _invalid(f"bars of {bar.symbol} and {posted[0].symbol} have different timestamps")
        if bar.symbol in seen:
            return _invalid(f"bars has {bar.symbol} twice")
        seen.add(bar.symbol)
        if not SYMBOL.fullmatch(bar.symbol):
            return _invalid(f"{bar.symbol!r} is no symbol")
        if not (0.0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high):
            return _invalid(f"bar of {bar.symbol} has prices that are not positive or outside low and high")
        if not isfinite(bar.high) or not bar.volume >= 0.0:
            return _invalid(f"bar of {bar.symbol} has an infinite price or a negative volume")
    return posted


def terms(body: bytes) -> tuple[Terms, frozenset[str]] | Reject:
    """The terms of an account to open, and which of them the client named."""
    try:
        named = msgspec.json.decode(body, type=dict[str, object])
        asked = msgspec.convert(named, Terms)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", asked.name):
        return _invalid("name must be 1 to 100 letters, digits, '_', '.', ':' or '-'")
    if asked.cash <= 0.0 or asked.multiplier < 1.0:
        return _invalid("cash must be > 0 and multiplier >= 1")
    if min(asked.slippage_bps, asked.commission_bps, asked.commission_min) < 0.0:
        return _invalid("slippage_bps, commission_bps and commission_min must be >= 0")
    if asked.slippage_bps >= 10_000.0:
        return _invalid("slippage_bps must be < 10000")
    if asked.participation is not None and not 0.0 < asked.participation <= 1.0:
        return _invalid("participation must be > 0 and <= 1")
    return asked, frozenset(named)


def closing_qty(query: Mapping[str, str], held: float) -> float | Reject | None:
    """How many of the `held` shares DELETE /v2/positions/{symbol} means; None: all of them."""
    try:
        if "qty" in query:
            return _number(query["qty"], "qty")
        if "percentage" in query:
            return round(held * _number(query["percentage"], "percentage") / 100.0, QTY_DECIMALS)
    except ValueError as error:
        return _invalid(str(error))
    return None


def _one_of(kind: type[Choice], text: str | None, field: str) -> Choice:
    try:
        return kind(text or "")
    except ValueError:
        known = ", ".join(kind)
        raise ValueError(f"{field} must be one of {known} on this exchange, not {text}") from None


def _number(value: Number, field: str) -> float:
    if value is None:
        raise ValueError(f"{field} is required")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{field} must be a number, not {value}") from None
    if not isfinite(number):
        raise ValueError(f"{field} must be a finite number")
    return number


def _invalid(message: str) -> Reject:
    return Reject(Reason.INVALID, message)
