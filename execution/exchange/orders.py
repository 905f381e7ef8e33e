"""What passes through the exchange: requests, orders, fills, events and refusals.

All of them are immutable; an order that changes is replaced by its successor, so that an event keeps the
order exactly as it was.  Prices and quantities are floats here and strings on the wire (wire.py).
"""

from enum import StrEnum
from uuid import UUID, uuid5

import msgspec

_ACCOUNTS = UUID("5b1c7a52-6c0e-4d2e-9a53-2f1f8f0b7c11")  # namespace of account ids; any fixed value does

QTY_DECIMALS = 9  # Alpaca takes fractional quantities of up to nine decimals


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"


class OrderStatus(StrEnum):
    """The statuses this exchange gives an order, as Alpaca spells them."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class EventKind(StrEnum):
    """The events of `trade_updates`, as Alpaca spells them."""

    NEW = "new"
    FILL = "fill"
    PARTIAL_FILL = "partial_fill"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account was opened with; terms never change."""

    name: str
    cash: float = 100_000.0
    # the cost model, as in execution/strategy/costs.py
    slippage_bps: float = 1.0
    commission_bps: float = 0.0
    commission_min: float = 0.0
    multiplier: float = 4.0  # gross exposure allowed per unit of equity: Alpaca's intraday margin
    participation: float | None = None  # largest share of a bar's volume that fills; None: all of any order
    symbols: tuple[str, ...] = ()  # what may be traded; empty: any well-formed symbol

    @property
    def account_id(self) -> str:
        return str(uuid5(_ACCOUNTS, self.name))


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for; `qty` is positive, `side` gives the direction."""

    client_order_id: str
    symbol: str
    side: Side
    qty: float
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: float | None = None
    extended_hours: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted order as the exchange's books hold it."""

    id: str
    client_order_id: str
    symbol: str
    side: Side
    qty: float
    type: OrderType
    time_in_force: TimeInForce
    limit_price: float | None
    extended_hours: bool
    submitted_at_us: int
    updated_at_us: int
    status: OrderStatus = OrderStatus.NEW
    filled_qty: float = 0.0
    filled_avg_price: float | None = None
    commission: float = 0.0
    priced: bool = True  # False: no price was known at submit, so buying power is checked at the first bar
    first_bar_us: int | None = None  # the first bar that could have filled it; tells a day order its session
    filled_at_us: int | None = None
    canceled_at_us: int | None = None
    expired_at_us: int | None = None
    failed_at_us: int | None = None

    @property
    def leaves_qty(self) -> float:
        return round(self.qty - self.filled_qty, QTY_DECIMALS)


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution; `bar_us` names the bar of the tape that it happened on."""

    execution_id: str
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    qty: float
    price: float
    commission: float
    cum_qty: float
    leaves_qty: float
    bar_us: int
    at_us: int
    seq: int  # of the event that announced it


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one order; `seq` counts the events of an account from 1 without a gap."""

    seq: int
    kind: EventKind
    at_us: int
    order: Order
    position_qty: float
    fill: Fill | None = None


class Position(msgspec.Struct, frozen=True):
    """Shares held (negative when short) and their average entry price."""

    qty: float
    average_entry: float


class Reason(StrEnum):
    """Why the exchange says no; wire.py gives each its HTTP status and Alpaca code."""

    INVALID = "invalid"
    DUPLICATE_ID = "duplicate_id"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BUYING_POWER = "buying_power"
    HELD_FOR_ORDERS = "held_for_orders"
    NO_SUCH_ORDER = "no_such_order"
    NO_SUCH_POSITION = "no_such_position"
    NOT_CANCELABLE = "not_cancelable"


class Reject(msgspec.Struct, frozen=True):
    """A request that changed nothing; it leaves no trace in the books and no client_order_id is used up."""

    reason: Reason
    message: str
    details: dict[str, str] = {}
