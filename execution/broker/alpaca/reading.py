"""What Alpaca says, in our words.  Every function is pure and fails with Odd alone, however odd it is.

New fields are ignored and new statuses kept.  A number may be a JSON number or a string; it keeps the broker's digits.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from data.orders import Side
from execution.broker import BrokerFill, BrokerOrder, BrokerPosition, Unreadable
from execution.core.lifecycle import BROKER_STATES, Accepted, Duplicate, Outcome, Rejected, Unknown

Json = dict[str, Any]

DEFINITE: Final = frozenset({400, 401, 403, 404, 405, 422})
TEXT_LENGTH_MAX: Final = 256  # of an id, a symbol or a status; Alpaca's longest are 128
RAW_LENGTH_MAX: Final = 100_000  # of what is kept word for word
DIGITS_MAX: Final = 18  # before and after the point; beyond it is no price and no quantity
QUOTED_IN: Final = ("USDT", "USDC", "USD", "BTC")  # what coins are priced in at Alpaca; the longer ones first

_decoder = msgspec.json.Decoder(float_hook=str)  # floats keep their digits


class Odd(ValueError):
    """Something that makes no sense to us."""


def json_of(raw: str | bytes) -> Any:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Odd(f"not JSON: {error}") from error


def unreadable(raw: str | bytes, problem: str) -> Unreadable:
    """As it came, but for what no database takes."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    return Unreadable(text[:RAW_LENGTH_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}"), problem)


def outcome(status: int, raw: bytes) -> Outcome:
    """What a reply to a POST or PATCH of an order proves."""
    try:
        body = fields(json_of(raw))
    except Odd as odd:
        return Unknown(f"HTTP {status}, {odd}")
    if 200 <= status < 300:
        try:
            return Accepted(text(body, "id"))
        except Odd as odd:
            return Unknown(f"HTTP {status}, {odd}")
    message, code = str(body.get("message", "")), body.get("code")
    if status == 422 and "client_order_id" in message and "unique" in message:
        return Duplicate()
    if status in DEFINITE and (message or code is not None):
        return Rejected(f"{message} (HTTP {status}, code {code})"[:1000].replace("\0", ""))
    return Unknown(f"HTTP {status}: {message[:200]}")


def with_exits(told: Any) -> Iterator[tuple[BrokerOrder, Json]]:
    """An order and its exits, each with what was told of it."""
    first = order(told)
    yield first, told
    legs = told.get("legs") or []
    if not isinstance(legs, list):
        raise Odd(f"legs is {_short(legs)}")
    for leg in legs:
        yield order(leg, first.coid), leg


def order(told: Any, parent: str | None = None) -> BrokerOrder:
    body = fields(told)
    status = text(body, "status")
    return BrokerOrder(
        broker_id=text(body, "id"),
        coid=text(body, "client_order_id"),
        symbol=text(body, "symbol"),
        side=side(body),
        qty=None if body.get("qty") is None else number(body, "qty"),
        filled_qty="0" if body.get("filled_qty") is None else number(body, "filled_qty"),
        status=status,
        state=BROKER_STATES.get(status),
        parent=parent,
        replaces=maybe_text(body, "replaces"),
        replaced_by=maybe_text(body, "replaced_by"),
    )


def fill(told: Json, of: BrokerOrder, execution_id: str) -> BrokerFill:
    """The execution that an event tells of."""
    return BrokerFill(
        execution_id=execution_id,
        coid=of.coid,
        symbol=of.symbol,
        side=of.side,
        qty=positive(told, "qty"),
        price=number(told, "price"),
        commission=number(told, "commission") if told.get("commission") is not None else "0",
        filled_at=instant(told, "timestamp"),
        bar_ts_us=count(told, "bar_ts_us"),
        seq=count(told, "seq"),
    )


def activity(told: Json, coid: str, execution_id: str) -> BrokerFill:
    """A FILL activity.  Alpaca's own names the order by the broker's id only."""
    return BrokerFill(
        execution_id=execution_id,
        coid=coid,
        symbol=text(told, "symbol"),
        side=side(told),
        qty=positive(told, "qty"),
        price=number(told, "price"),
        commission=number(told, "commission") if told.get("commission") is not None else "0",
        filled_at=instant(told, "transaction_time"),
        bar_ts_us=count(told, "bar_ts_us"),
        seq=count(told, "seq"),
    )


def position(told: Any) -> BrokerPosition:
    """What is held.  Orders in coins are for BTC/USD; the position that they make is told as BTCUSD."""
    body = fields(told)
    symbol, qty = text(body, "symbol"), number(body, "qty", signed=True)
    if body.get("side") == "short" and not qty.startswith("-"):
        qty = f"-{qty}"
    if body.get("asset_class") == "crypto" and "/" not in symbol:
        quoted = next((each for each in QUOTED_IN if symbol.endswith(each) and symbol != each), "")
        symbol = f"{symbol.removesuffix(quoted)}/{quoted}" if quoted else symbol
    return BrokerPosition(symbol, qty)


# -- fields


def fields(told: Any) -> Json:
    if not isinstance(told, dict):
        raise Odd(f"{type(told).__name__} where an object was expected")
    return told


def text(told: Json, name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value or len(value) > TEXT_LENGTH_MAX or "\0" in value:
        raise Odd(f"{name} is {_short(value)}")
    return value


def maybe_text(told: Json, name: str) -> str | None:
    return None if told.get(name) is None else text(told, name)


def side(told: Json) -> Side:
    """Activities know sell_short, too."""
    match told.get("side"):
        case "buy":
            return "buy"
        case "sell" | "sell_short":
            return "sell"
    raise Odd(f"side is {_short(told.get('side'))}")


def number(told: Json, name: str, *, signed: bool = False) -> str:
    """Digits that a database takes for a number; below zero only where that has a meaning."""
    value = told.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > TEXT_LENGTH_MAX:
            raise InvalidOperation
        exact = Decimal(value)
        if not exact.is_finite() or (exact and not -DIGITS_MAX <= exact.adjusted() < DIGITS_MAX):
            raise InvalidOperation
    except (InvalidOperation, ValueError):
        raise Odd(f"{name} is {_short(value)}, which is no number") from None
    if exact < 0 and not signed:
        raise Odd(f"{name} is {_short(value)}, below zero")
    return plain(exact)


def positive(told: Json, name: str) -> str:
    digits = number(told, name)
    if not Decimal(digits):
        raise Odd(f"{name} is zero")
    return digits


def plain(exact: Decimal) -> str:
    """Without an exponent; 1E+2 is 100."""
    return f"{exact:f}"


def instant(told: Json, name: str) -> str:
    """An instant as the broker wrote it, if it is one."""
    instant_us(told, name)
    return text(told, name)


def instant_us(told: Json, name: str) -> int:
    written = text(told, name)
    try:
        at = datetime.fromisoformat(written)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6)
    except (ValueError, OverflowError) as error:
        raise Odd(f"{name} is {_short(written)}, which is no instant") from error


def count(told: Json, name: str) -> int | None:
    """Our exchange's numbers, which Alpaca does not have."""
    if told.get(name) is None:
        return None
    exact = Decimal(number(told, name))
    if exact != exact.to_integral_value():
        raise Odd(f"{name} is {_short(told.get(name))}, which counts nothing")
    return int(exact)


def _short(value: Any) -> str:
    return repr(value)[:100]
