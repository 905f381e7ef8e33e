"""Orders as Alpaca wants them told."""

from decimal import Decimal
from typing import Any

import msgspec

from execution.core.intents import Intent
from execution.core.terms import OrderTerms


def new_order(intent: Intent) -> bytes:
    """The body of POST /v2/orders."""
    terms = intent.terms
    body: dict[str, Any] = {
        "client_order_id": intent.coid,
        "symbol": intent.symbol,
        "side": intent.side,
        "type": terms.type,
        "time_in_force": terms.time_in_force,
        **_amount(intent),
    }
    prices = _prices(terms)
    if terms.order_class != "simple":
        body["order_class"] = terms.order_class
        if terms.order_class == "oco":  # the order is its own take-profit, and Alpaca wants its price there
            body["take_profit"] = {"limit_price": prices.pop("limit_price")}
        if terms.take_profit is not None:
            body["take_profit"] = {"limit_price": _digits(terms.take_profit)}
        if terms.stop_loss is not None:
            body["stop_loss"] = _given(
                stop_price=terms.stop_loss.stop_price, limit_price=terms.stop_loss.limit_price
            )
    if terms.extended_hours:
        body["extended_hours"] = True
    return msgspec.json.encode(body | prices)


def replacement(by: Intent) -> bytes:
    """The body of PATCH /v2/orders/{id}: all that may change, as it is to be."""
    terms = by.terms
    prices = _prices(terms)
    trail = prices.pop("trail_price", None) or prices.pop("trail_percent", None)
    body: dict[str, Any] = {"client_order_id": by.coid, "time_in_force": terms.time_in_force}
    if terms.notional is None:  # an amount of money cannot be changed
        body |= _amount(by)
    if trail is not None:
        body["trail"] = trail
    return msgspec.json.encode(body | prices)


def _amount(intent: Intent) -> dict[str, str]:
    notional = intent.terms.notional
    return {"qty": _digits(intent.qty)} if notional is None else {"notional": _digits(notional)}


def _prices(terms: OrderTerms) -> dict[str, str]:
    return _given(
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        trail_price=terms.trail_price,
        trail_percent=terms.trail_percent,
    )


def _given(**numbers: float | None) -> dict[str, str]:
    return {name: _digits(value) for name, value in numbers.items() if value is not None}


def _digits(value: float) -> str:
    """The shortest digits that read back as this very float, without an exponent."""
    return f"{Decimal(repr(value)):f}".removesuffix(".0")
