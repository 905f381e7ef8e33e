"""What an account knows beside its orders and holdings: how far its market has come, and its owner's settings."""

from enum import StrEnum

import msgspec

from data.bar import Tick
from execution.exchange.orders import Position


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of an account may change about it, in Alpaca's names."""

    fractional_trading: bool = True
    max_margin_multiplier: str | None = None  # what the terms say
    no_shorting: bool = False
    suspend_trade: bool = False
    trade_confirm_email: str = "all"
    ptp_no_exception_entry: bool = False
    max_options_trading_level: int | None = None


class State(msgspec.Struct, kw_only=True):
    market_us: int | None = None  # how far the market has come: the end of the last bar, or the last tick
    ticked_us: dict[str, int] = {}  # the last tick of each symbol: a bar around it only marks
    quotes: dict[str, Tick] = {}  # what is known of each symbol's quote and last trade
    halted: set[str] = set()
    day_ends_us: int | None = None  # the midnight in New York that ends the tape's day
    day_marks: dict[str, float] = {}  # the last prices of the day before
    day_positions: dict[str, Position] = {}  # what was held then
    day_equity: float | None = None
    bell_us: int | None = None  # when the session changes next
    accrued_fees: float = 0.0
    configuration: Configuration = Configuration()


class ActivityKind(StrEnum):
    FEE = "FEE"
    INTEREST = "INT"


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved without an order."""

    id: str
    kind: ActivityKind
    at_us: int
    day: str  # of the tape, in New York
    net_amount: float
    description: str


class DayClose(msgspec.Struct, frozen=True, array_like=True):
    """What the account was worth at the end of a day of the tape."""

    day: str
    equity: float
