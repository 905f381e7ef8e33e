"""What passes through the exchange: requests, orders, fills, events and refusals.

All of them are immutable; an order that changes is replaced by its successor, so that an event keeps the
order exactly as it was.  Prices and quantities are floats here and strings on the wire (wire.py).
"""

from enum import StrEnum

import msgspec

QTY_DECIMALS = 9  # Alpaca takes fractional quantities of up to nine decimals


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"

    @property
    def is_stop(self) -> bool:
        return self in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


class OrderClass(StrEnum):
    SIMPLE = "simple"
    BRACKET = "bracket"  # an entry, then a take-profit and a stop-loss of which one cancels the other
    OCO = "oco"  # those two for a position that is already there
    OTO = "oto"  # an entry, then one of them


class Role(StrEnum):
    """What an order does in its group; exits of one group cancel each other."""

    ENTRY = "entry"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"  # in the opening auction only
    CLS = "cls"  # in the closing auction only

    @property
    def is_immediate(self) -> bool:
        return self in (TimeInForce.IOC, TimeInForce.FOK)

    @property
    def is_auction(self) -> bool:
        return self in (TimeInForce.OPG, TimeInForce.CLS)


class OrderStatus(StrEnum):
    """The statuses this exchange gives an order, as Alpaca spells them."""

    PENDING_NEW = "pending_new"  # on its way to the market
    NEW = "new"
    HELD = "held"  # a leg that waits for its entry
    PARTIALLY_FILLED = "partially_filled"
    DONE_FOR_DAY = "done_for_day"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        return self not in _ENDED

    @property
    def is_working(self) -> bool:
        """The market may fill it; also while a cancel or a replace is on its way."""
        return self in _WORKING


_ENDED = frozenset(OrderStatus(name) for name in ("filled", "canceled", "expired", "replaced", "rejected"))
_WORKING = frozenset(
    OrderStatus(name) for name in ("new", "partially_filled", "pending_cancel", "pending_replace")
)


class EventKind(StrEnum):
    """The events of `trade_updates`, as Alpaca spells them."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    FILL = "fill"
    PARTIAL_FILL = "partial_fill"
    DONE_FOR_DAY = "done_for_day"
    PENDING_CANCEL = "pending_cancel"
    CANCEL_REJECTED = "order_cancel_rejected"
    CANCELED = "canceled"
    PENDING_REPLACE = "pending_replace"
    REPLACE_REJECTED = "order_replace_rejected"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REJECTED = "rejected"


class StopLoss(msgspec.Struct, frozen=True):
    stop_price: float
    limit_price: float | None = None


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for; `qty` is positive, `side` gives the direction."""

    client_order_id: str
    symbol: str
    side: Side
    qty: float = 0.0
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    notional: float | None = None  # money in place of `qty`
    limit_price: float | None = None
    stop_price: float | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: float | None = None  # the limit price of that leg
    stop_loss: StopLoss | None = None


class ReplaceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change about an open order; None leaves it."""

    client_order_id: str
    qty: float | None = None
    time_in_force: TimeInForce | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    trail: float | None = None


class Pending(msgspec.Struct, frozen=True):
    """A cancel, or a replacement by another order, that reaches the market at `due_us` of its time."""

    due_us: int
    replacement: str | None = None  # the id of that order; None: a cancel
    filled_qty: float = 0.0  # when it was asked for


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
    replaced_at_us: int | None = None

    notional: float | None = None
    stop_price: float | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    hwm: float | None = None  # the best price a trailing stop has seen
    triggered: bool = False  # a stop that became a market or limit order
    ahead: float | None = None  # shares before it in the queue at its limit; None: not known yet
    live_at_us: int | None = None  # of market time, before which it cannot trade; None: at once
    auction_us: int | None = None  # when the auction it waits for takes place

    order_class: OrderClass = OrderClass.SIMPLE
    group: str = ""  # the id of the order that a bracket, oco or oto began with
    role: Role = Role.ENTRY
    is_leg: bool = False
    reserves: bool = True  # False: its shares are counted once, by the other exit of its group
    pending: Pending | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def leaves_qty(self) -> float:
        return round(self.qty - self.filled_qty, QTY_DECIMALS)

    @property
    def is_coming(self) -> bool:
        """A replacement on its way; it ends with the order that it is to replace."""
        return self.status is OrderStatus.PENDING_NEW and self.replaces is not None

    @property
    def trail_stop(self) -> float | None:
        """Where a trailing stop stands now."""
        if self.hwm is None:
            return None
        trail = self.trail_price
        if trail is None:
            trail = self.hwm * (self.trail_percent or 0.0) / 100.0
        return self.hwm - trail if self.side is Side.SELL else self.hwm + trail


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
    NO_SUCH_ASSET = "no_such_asset"
    NOT_CANCELABLE = "not_cancelable"
    NOT_REPLACEABLE = "not_replaceable"
    NOT_ALLOWED = "not_allowed"  # against the rules of the market or of the asset
    FORBIDDEN = "forbidden"  # against what this account may do


class Reject(msgspec.Struct, frozen=True):
    """A request that changed nothing; it leaves no trace in the books and no client_order_id is used up."""

    reason: Reason
    message: str
    details: dict[str, str] = {}


def quantity(value: float) -> str:
    """Shares the way Alpaca writes them: no exponent, no trailing zeros."""
    return f"{value:.{QTY_DECIMALS}f}".rstrip("0").rstrip(".")
