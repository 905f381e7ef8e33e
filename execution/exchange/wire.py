"""How orders and events look from outside: Alpaca's JSON, numbers as strings, stamps as RFC 3339.

Stamps are wall-clock time, as at a real broker, and differ by at least a microsecond within an account.  The
tape's time is ours alone: fills carry `bar_ts_us`, the open of the bar they happened on.  Our other additions
are `seq` (an account's events, counted without gaps), `commission`, and `client_order_id` on activities.
What an account looks like is in statements.py.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from execution.exchange.orders import (
    Event,
    Order,
    OrderClass,
    OrderType,
    Reason,
    Reject,
)
from execution.exchange.orders import quantity as quantity

Json = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ASSETS = UUID("0f7a9f0e-5f0b-4b39-8a0d-5a1f2f9f6a77")  # namespace of asset ids; any fixed value does

# HTTP status and Alpaca's error code for each refusal.
STATUS_AND_CODE: dict[Reason, tuple[int, int]] = {
    Reason.INVALID: (422, 40010001),
    Reason.DUPLICATE_ID: (422, 40010001),
    Reason.UNKNOWN_SYMBOL: (422, 42210000),
    Reason.NOT_CANCELABLE: (422, 42210000),
    Reason.NOT_REPLACEABLE: (422, 42210000),
    Reason.NOT_ALLOWED: (422, 42210000),
    Reason.FORBIDDEN: (403, 40310000),
    Reason.BUYING_POWER: (403, 40310000),
    Reason.HELD_FOR_ORDERS: (403, 40310000),
    Reason.NO_SUCH_ORDER: (404, 40410000),
    Reason.NO_SUCH_POSITION: (404, 40410000),
    Reason.NO_SUCH_ASSET: (404, 40410000),
}


def price(value: float) -> str:
    """The shortest text that reads back as the very same float."""
    return repr(value)


def stamp(at_us: int) -> str:
    return (EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds")[:-6] + "Z"


def stamp_us(text: str) -> int:
    """Microseconds of an RFC 3339 instant or a date; raises ValueError for anything else."""
    at = datetime.fromisoformat(text)
    return since_epoch_us(at if at.tzinfo else at.replace(tzinfo=UTC))


def since_epoch_us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def asset_id(symbol: str) -> str:
    return str(uuid5(_ASSETS, symbol))


def error(reject: Reject) -> Json:
    return {"code": STATUS_AND_CODE[reject.reason][1], "message": reject.message, **reject.details}


def order_json(order: Order, legs: Sequence[Order] | None = None) -> Json:
    """`legs`: to be told with it, where the client asked for them nested or has just sent them."""
    submitted = stamp(order.submitted_at_us)
    is_trailing = order.type is OrderType.TRAILING_STOP
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": submitted,
        "updated_at": stamp(order.updated_at_us),
        "submitted_at": submitted,
        "filled_at": _stamp_or_none(order.filled_at_us),
        "expired_at": _stamp_or_none(order.expired_at_us),
        "canceled_at": _stamp_or_none(order.canceled_at_us),
        "failed_at": _stamp_or_none(order.failed_at_us),
        "replaced_at": _stamp_or_none(order.replaced_at_us),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": None if order.notional is None else quantity(order.notional),
        "qty": quantity(order.qty) if order.notional is None else None,
        "filled_qty": quantity(order.filled_qty),
        "filled_avg_price": _price_or_none(order.filled_avg_price),
        "order_class": "" if order.order_class is OrderClass.SIMPLE else order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": _price_or_none(order.limit_price),
        "stop_price": _price_or_none(order.trail_stop if is_trailing else order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": [order_json(leg) for leg in legs] if legs else None,
        "trail_percent": _price_or_none(order.trail_percent),
        "trail_price": _price_or_none(order.trail_price),
        "hwm": _price_or_none(order.hwm),
        "commission": price(order.commission),
    }


def _stamp_or_none(at_us: int | None) -> str | None:
    return None if at_us is None else stamp(at_us)


def _price_or_none(value: float | None) -> str | None:
    return None if value is None else price(value)


def trade_update(event: Event) -> Json:
    data: Json = {
        "event": event.kind,
        "at": stamp(event.at_us),
        "timestamp": stamp(event.at_us),
        "seq": event.seq,
        "position_qty": quantity(event.position_qty),
        "order": order_json(event.order),
    }
    if event.fill is not None:
        data |= {
            "execution_id": event.fill.execution_id,
            "price": price(event.fill.price),
            "qty": quantity(event.fill.qty),
            "commission": price(event.fill.commission),
            "bar_ts_us": event.fill.bar_us,
        }
    return {"stream": "trade_updates", "data": data}
