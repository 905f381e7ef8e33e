"""How an order is to be carried out: its type, prices, lifetime and exits.  What makes no sense cannot be made.

Rules of a venue's own (tick sizes, what may be borrowed) are the venue's; these hold at every one.
"""

from math import isfinite
from typing import Final, Literal

import msgspec

from data.errors import UsageError
from data.orders import Side

OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
OrderClass = Literal["simple", "bracket", "oco", "oto"]

_PRICES: Final[dict[OrderType, frozenset[str]]] = {
    "market": frozenset(),
    "limit": frozenset({"limit_price"}),
    "stop": frozenset({"stop_price"}),
    "stop_limit": frozenset({"limit_price", "stop_price"}),
    "trailing_stop": frozenset(),
}
_RESTING: Final = frozenset({"day", "gtc"})


class StopLoss(msgspec.Struct, frozen=True, omit_defaults=True):
    """The exit that a loss takes: a stop order, or a stop-limit order."""

    stop_price: float
    limit_price: float | None = None


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything about an order but symbol, side and quantity.

    A bracket has both exits and an oto one of them; they begin once the order has filled.  An oco is two exits of
    which one ends the other: itself, a limit order that takes the profit, and its stop loss.
    """

    type: OrderType = "market"
    time_in_force: TimeInForce = "day"
    limit_price: float | None = None
    stop_price: float | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    extended_hours: bool = False
    notional: float | None = None
    """money to spend, in place of a quantity; the quantity beside it is then what risk counts with"""
    order_class: OrderClass = "simple"
    take_profit: float | None = None
    stop_loss: StopLoss | None = None

    def __post_init__(self) -> None:
        complaint = _prices(self) or _lifetime(self) or _exits(self)
        if complaint is not None:
            raise _senseless(complaint)

    @property
    def told(self) -> str:
        """One spelling for equal terms: what body hashes are made of."""
        return "market|day" if self == MARKET_DAY else msgspec.json.encode(self).decode()

    def check(self, symbol: str, side: Side, qty: float) -> None:
        """Refuse what does not go together with the rest of the order."""
        if self == MARKET_DAY:
            return
        complaint = _direction(self, side) or _fraction(self, symbol, qty)
        if complaint is not None:
            raise _senseless(f"{side} {qty:g} {symbol}: {complaint}")


def _senseless(complaint: str) -> UsageError:
    return UsageError(f"this order makes no sense: {complaint}", "Correct the terms of the order.")


def _prices(terms: OrderTerms) -> str | None:
    needed = _PRICES[terms.type]
    for name in ("limit_price", "stop_price"):
        if name in needed and getattr(terms, name) is None:
            return f"a {terms.type} order needs a {name}"
        if name not in needed and getattr(terms, name) is not None:
            return f"a {terms.type} order has no {name}"
    trails = [trail for trail in (terms.trail_price, terms.trail_percent) if trail is not None]
    if len(trails) != (1 if terms.type == "trailing_stop" else 0):
        return "a trailing_stop order, and no other, has one of trail_price and trail_percent"
    if terms.trail_percent is not None and terms.trail_percent >= 100.0:
        return "a trail_percent is below 100"
    loss = terms.stop_loss
    named = {
        "limit_price": terms.limit_price,
        "stop_price": terms.stop_price,
        "trail_price": terms.trail_price,
        "trail_percent": terms.trail_percent,
        "notional": terms.notional,
        "take_profit": terms.take_profit,
        "stop_loss.stop_price": None if loss is None else loss.stop_price,
        "stop_loss.limit_price": None if loss is None else loss.limit_price,
    }
    for name, value in named.items():
        if value is not None and not (isfinite(value) and value > 0.0):
            return f"{name} must be a number above 0, not {value}"
    return None


def _lifetime(terms: OrderTerms) -> str | None:
    resting = terms.time_in_force in _RESTING
    if terms.type in ("stop", "stop_limit", "trailing_stop") and not resting:
        return f"a {terms.type} order is good for the day or till it is cancelled, not {terms.time_in_force}"
    if terms.extended_hours and not (terms.type == "limit" and resting and terms.order_class == "simple"):
        return "outside regular hours there are only single limit orders, day or gtc"
    if terms.notional is not None and (
        terms.type not in ("market", "limit") or terms.time_in_force != "day" or terms.order_class != "simple"
    ):
        return "an order for an amount of money is a single market or limit order for the day"
    return None


def _exits(terms: OrderTerms) -> str | None:
    profit, loss = terms.take_profit is not None, terms.stop_loss is not None
    fits = {
        "simple": not profit and not loss,
        "bracket": profit and loss,
        "oto": profit != loss,
        "oco": loss and not profit,
    }
    if not fits[terms.order_class]:
        return (
            "a bracket has a take_profit and a stop_loss, an oto one of them, an oco a stop_loss (its own limit_price "
            "takes the profit), and a simple order neither"
        )
    if terms.order_class != "simple" and terms.time_in_force not in _RESTING:
        return f"an order with exits is good for the day or till it is cancelled, not {terms.time_in_force}"
    if terms.order_class == "oco" and terms.type != "limit":
        return "an oco is a limit order that takes the profit, with a stop_loss beside it"
    return None


def _direction(terms: OrderTerms, side: Side) -> str | None:
    """The profit lies beyond the loss as seen from the side that closes."""
    loss = terms.stop_loss
    if loss is None:
        return None
    closing_sells = (side == "buy") != (terms.order_class == "oco")
    profit = terms.limit_price if terms.order_class == "oco" else terms.take_profit
    if profit is not None and (profit > loss.stop_price) != closing_sells:
        return f"its profit at {profit:g} and its loss at {loss.stop_price:g} are on the wrong sides"
    return None


def _fraction(terms: OrderTerms, symbol: str, qty: float) -> str | None:
    """Parts of a share live for a day and have no exits; coins are divided as one likes."""
    if not (isfinite(qty) and qty > 0.0):
        return "a quantity is a number above 0"
    if terms.notional is not None or qty == round(qty) or "/" in symbol:
        return None
    if terms.time_in_force != "day" or terms.order_class != "simple" or terms.type == "trailing_stop":
        return "parts of a share are traded by single orders for the day, which do not trail"
    return None


MARKET_DAY: Final = OrderTerms()
"""What a strategy's change of target is, unless its style says otherwise."""
