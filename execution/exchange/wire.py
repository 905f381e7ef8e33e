"""How the exchange looks from outside: Alpaca's JSON, numbers as strings, stamps as RFC 3339.

Stamps are wall-clock time, as at a real broker, and differ by at least a microsecond within an account.  The
tape's time is ours alone: fills carry `bar_ts_us`, the open of the bar they happened on.  Our other additions
are `seq` (an account's events, counted without gaps), `commission`, and `client_order_id` on activities.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from execution.exchange.matching import Account
from execution.exchange.orders import QTY_DECIMALS, Event, Fill, Order, OrderStatus, Position, Reason, Reject

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ASSETS = UUID("0f7a9f0e-5f0b-4b39-8a0d-5a1f2f9f6a77")  # namespace of asset ids; any fixed value does

# HTTP status and Alpaca's error code for each refusal.
STATUS_AND_CODE: dict[Reason, tuple[int, int]] = {
    Reason.INVALID: (422, 40010001),
    Reason.DUPLICATE_ID: (422, 40010001),
    Reason.UNKNOWN_SYMBOL: (422, 42210000),
    Reason.NOT_CANCELABLE: (422, 42210000),
    Reason.BUYING_POWER: (403, 40310000),
    Reason.HELD_FOR_ORDERS: (403, 40310000),
    Reason.NO_SUCH_ORDER: (404, 40410000),
    Reason.NO_SUCH_POSITION: (404, 40410000),
}


def quantity(value: float) -> str:
    """Shares the way Alpaca writes them: no exponent, no trailing zeros."""
    return f"{value:.{QTY_DECIMALS}f}".rstrip("0").rstrip(".")


def price(value: float) -> str:
    """The shortest text that reads back as the very same float."""
    return repr(value)


def stamp(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds")[:-6] + "Z"


def stamp_us(text: str) -> int:
    """Microseconds of an RFC 3339 instant or a date; raises ValueError for anything else."""
    at = datetime.fromisoformat(text)
    return since_epoch_us(at if at.tzinfo else at.replace(tzinfo=UTC))


def since_epoch_us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def asset_id(symbol: str) -> str:
    return str(uuid5(_ASSETS, symbol))


def error(reject: Reject) -> Json:
    return {"code": STATUS_AND_CODE[reject.reason][1], "message": reject.message, **reject.details}


def order_json(order: Order) -> Json:
    def optional(at_us: int | None) -> str | None:
        return None if at_us is None else stamp(at_us)

    submitted = stamp(order.submitted_at_us)
    average = order.filled_avg_price
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": submitted,
        "updated_at": stamp(order.updated_at_us),
        "submitted_at": submitted,
        "filled_at": optional(order.filled_at_us),
        "expired_at": optional(order.expired_at_us),
        "canceled_at": optional(order.canceled_at_us),
        "failed_at": optional(order.failed_at_us),
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": None,
        "qty": quantity(order.qty),
        "filled_qty": quantity(order.filled_qty),
        "filled_avg_price": None if average is None else price(average),
        "order_class": "",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": None if order.limit_price is None else price(order.limit_price),
        "stop_price": None,
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "commission": price(order.commission),
    }


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


def activity_id(fill: Fill) -> str:
    at = _EPOCH + timedelta(microseconds=fill.at_us)
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{fill.execution_id}"


def activity_json(fill: Fill, account_id: str) -> Json:
    complete = fill.leaves_qty == 0.0
    return {
        "id": activity_id(fill),
        "account_id": account_id,
        "activity_type": "FILL",
        "type": "fill" if complete else "partial_fill",
        "transaction_time": stamp(fill.at_us),
        "order_id": fill.order_id,
        "client_order_id": fill.client_order_id,
        "execution_id": fill.execution_id,
        "order_status": OrderStatus.FILLED if complete else OrderStatus.PARTIALLY_FILLED,
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": quantity(fill.qty),
        "price": price(fill.price),
        "cum_qty": quantity(fill.cum_qty),
        "leaves_qty": quantity(fill.leaves_qty),
        "commission": price(fill.commission),
        "bar_ts_us": fill.bar_us,
        "seq": fill.seq,
    }


def position_json(symbol: str, position: Position, account: Account) -> Json:
    mark = account.holdings.marks[symbol]
    cost = position.qty * position.average_entry
    profit = position.qty * mark - cost
    share = profit / abs(cost) if cost else 0.0
    free = abs(position.qty) - account.holdings.held_for_orders(symbol)
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "avg_entry_price": price(position.average_entry),
        "qty": quantity(position.qty),
        "qty_available": quantity(free if position.qty > 0 else -free),
        "side": "long" if position.qty > 0 else "short",
        "market_value": price(position.qty * mark),
        "cost_basis": price(cost),
        "unrealized_pl": price(profit),
        "unrealized_plpc": price(share),
        "unrealized_intraday_pl": price(profit),  # the tape knows no previous day: all profit is today's
        "unrealized_intraday_plpc": price(share),
        "current_price": price(mark),
        "lastday_price": price(mark),
        "change_today": "0",
    }


def account_json(account: Account, created_at_us: int) -> Json:
    holdings = account.holdings
    values = [position.qty * holdings.marks[symbol] for symbol, position in holdings.positions.items()]
    long_value = sum(value for value in values if value > 0)
    short_value = sum(value for value in values if value < 0)
    gross = long_value - short_value
    power = price(holdings.buying_power)
    return {
        "id": account.id,
        "account_number": account.terms.name,
        "status": "ACTIVE",
        "currency": "USD",
        "cash": price(holdings.cash),
        "equity": price(holdings.equity),
        "portfolio_value": price(holdings.equity),
        "last_equity": price(account.terms.cash),
        "buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": price(max(0.0, holdings.cash)),
        "long_market_value": price(float(long_value)),
        "short_market_value": price(float(short_value)),
        "initial_margin": price(gross / account.terms.multiplier),
        "maintenance_margin": price(gross / account.terms.multiplier),
        "accrued_fees": "0",
        "multiplier": quantity(account.terms.multiplier),
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": stamp(created_at_us),
    }


def asset_json(symbol: str) -> Json:
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": symbol,
        "name": symbol,
        "status": "active",
        "tradable": True,
        "marginable": True,
        "shortable": True,
        "easy_to_borrow": True,
        "fractionable": True,
    }


def clock_json(now_us: int) -> Json:
    """Always open: the tape, not a calendar, decides when something trades."""
    day_us = 86_400_000_000
    return {
        "timestamp": stamp(now_us),
        "is_open": True,
        "next_open": stamp(now_us + day_us),
        "next_close": stamp(now_us + day_us),
    }
