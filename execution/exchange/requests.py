"""What clients send, read and checked: order bodies, bars, account terms.

Every function returns what was asked for or a Reject whose message names the field.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import TypeVar

import msgspec

from data.bar import Bar, Tick
from data.calendars import NEW_YORK
from execution.exchange.orders import (
    QTY_DECIMALS,
    OrderClass,
    OrderRequest,
    OrderType,
    Reason,
    Reject,
    ReplaceRequest,
    Side,
    StopLoss,
    TimeInForce,
)
from execution.exchange.state import Configuration
from execution.exchange.terms import TAPE_HOURS, Terms

SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,31}")
CLIENT_ORDER_ID_LENGTH_MAX = 128  # Alpaca's limit

Number = str | float | None
Choice = TypeVar("Choice", Side, OrderType, OrderClass, TimeInForce)


class LegBody(msgspec.Struct, frozen=True):
    """A take_profit (its limit_price) or a stop_loss."""

    limit_price: Number = None
    stop_price: Number = None


class OrderBody(msgspec.Struct, frozen=True):
    """POST /v2/orders."""

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
    take_profit: LegBody | None = None
    stop_loss: LegBody | None = None


class ReplaceBody(msgspec.Struct, frozen=True):
    """PATCH /v2/orders/{order_id}."""

    qty: Number = None
    time_in_force: str | None = None
    limit_price: Number = None
    stop_price: Number = None
    trail: Number = None
    client_order_id: str | None = None


class BarsBody(msgspec.Struct, frozen=True):
    bars: list[Bar]


class TicksBody(msgspec.Struct, frozen=True):
    ticks: list[Tick]


_order_bodies = msgspec.json.Decoder(OrderBody)
_replace_bodies = msgspec.json.Decoder(ReplaceBody)
_bars_bodies = msgspec.json.Decoder(BarsBody)
_ticks_bodies = msgspec.json.Decoder(TicksBody)


def order_request(body: bytes, new_id: str) -> OrderRequest | Reject:
    """The order of a request body; `new_id` becomes its client_order_id if the client gave none."""
    try:
        order = _order_bodies.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
    if order.symbol is None or not SYMBOL.fullmatch(order.symbol):
        return _invalid("symbol is required: capital letters, digits, '.', '/' or '-'")
    client_order_id = order.client_order_id or new_id
    if len(client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
        return _invalid(f"client_order_id must be at most {CLIENT_ORDER_ID_LENGTH_MAX} characters")
    if order.qty is not None and order.notional is not None:
        return _invalid("only one of qty or notional is accepted")
    try:
        order_class = _one_of(OrderClass, order.order_class or "simple", "order_class")
        limit_price = _number_or_none(order.limit_price, "limit_price")
        profit = None
        if order.take_profit is not None:
            profit = _number_or_none(order.take_profit.limit_price, "take_profit.limit_price")
        if (
            order_class is OrderClass.OCO
        ):  # the order itself is the take-profit; either place may say its price
            profit = limit_price = limit_price if profit is None else profit
        return OrderRequest(
            client_order_id=client_order_id,
            symbol=order.symbol,
            side=_one_of(Side, order.side, "side"),
            qty=0.0 if order.notional is not None else _number(order.qty, "qty"),
            notional=_number_or_none(order.notional, "notional"),
            type=_one_of(OrderType, order.type, "type"),
            time_in_force=_one_of(TimeInForce, order.time_in_force, "time_in_force"),
            limit_price=limit_price,
            stop_price=_number_or_none(order.stop_price, "stop_price"),
            trail_price=_number_or_none(order.trail_price, "trail_price"),
            trail_percent=_number_or_none(order.trail_percent, "trail_percent"),
            extended_hours=bool(order.extended_hours),
            order_class=order_class,
            take_profit=profit,
            stop_loss=None if order.stop_loss is None else _stop_loss(order.stop_loss),
        )
    except ValueError as error:
        return _invalid(str(error))


def replace_request(body: bytes, new_id: str) -> ReplaceRequest | Reject:
    """What is to change; `new_id` becomes the client_order_id of the new order if the client gave none."""
    try:
        asked = _replace_bodies.decode(body or b"{}")
        client_order_id = asked.client_order_id or new_id
        if len(client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
            return _invalid(f"client_order_id must be at most {CLIENT_ORDER_ID_LENGTH_MAX} characters")
        return ReplaceRequest(
            client_order_id=client_order_id,
            qty=_number_or_none(asked.qty, "qty"),
            time_in_force=None
            if asked.time_in_force is None
            else _one_of(TimeInForce, asked.time_in_force, "time_in_force"),
            limit_price=_number_or_none(asked.limit_price, "limit_price"),
            stop_price=_number_or_none(asked.stop_price, "stop_price"),
            trail=_number_or_none(asked.trail, "trail"),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
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


def ticks(body: bytes) -> list[Tick] | Reject:
    """The ticks of one instant, in the order they happened."""
    try:
        posted = _ticks_bodies.decode(body).ticks
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
    if not posted:
        return _invalid("ticks is empty")
    for tick in posted:
        if tick.ts_us != posted[0].ts_us:
            return _invalid(f"ticks of {tick.symbol} and {posted[0].symbol} have different timestamps")
        if not SYMBOL.fullmatch(tick.symbol):
            return _invalid(f"{tick.symbol!r} is no symbol")
        prices = [price for price in (tick.bid, tick.ask, tick.last) if price is not None]
        sizes = [size for size in (tick.bid_size, tick.ask_size, tick.last_size) if size is not None]
        if not prices or not all(isfinite(price) and price > 0.0 for price in prices):
            return _invalid(f"tick of {tick.symbol} has no price, or one that is not positive")
        if not all(isfinite(size) and size >= 0.0 for size in sizes):
            return _invalid(f"tick of {tick.symbol} has a size below zero or without end")
        if tick.bid is not None and tick.ask is not None and tick.bid > tick.ask:
            return _invalid(f"tick of {tick.symbol} is crossed: its bid is above its ask")
    return posted


def configuration(body: bytes, now: Configuration) -> Configuration | Reject:
    """The settings of an account after a change; what the client does not name stays."""
    try:
        named = msgspec.json.decode(body, type=dict[str, object])
        wished = msgspec.convert({**msgspec.to_builtins(now), **named}, Configuration)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _invalid(f"request body format is invalid: {error}")
    if wished.max_margin_multiplier not in (None, "1", "2", "4"):
        return _invalid("max_margin_multiplier must be 1, 2 or 4")
    return wished


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
    if asked.hours not in (TAPE_HOURS, NEW_YORK):
        return _invalid(f"hours must be {TAPE_HOURS} or {NEW_YORK}")
    if min(asked.spread_bps, asked.latency_us, asked.borrow_bps, asked.interest_bps) < 0.0:
        return _invalid("spread_bps, latency_us, borrow_bps and interest_bps must be >= 0")
    if min(asked.sale_fee_bps, asked.sale_fee_per_share) < 0.0 or asked.bar_slippage_bps >= 10_000.0:
        return _invalid("sale fees must be >= 0, slippage_bps and half of spread_bps together < 10000")
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


def _stop_loss(leg: LegBody) -> StopLoss:
    return StopLoss(
        _number(leg.stop_price, "stop_loss.stop_price"),
        _number_or_none(leg.limit_price, "stop_loss.limit_price"),
    )


def _number_or_none(value: Number, field: str) -> float | None:
    return None if value is None else _number(value, field)


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
