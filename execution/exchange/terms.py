"""What an account was opened with: its money, its costs, and how faithful a market it trades on.

The defaults are the market of research: whole fills at the next open, under the one cost model.
"""

from enum import StrEnum
from uuid import UUID, uuid5

import msgspec

_ACCOUNTS = UUID("5b1c7a52-6c0e-4d2e-9a53-2f1f8f0b7c11")  # namespace of account ids; any fixed value does

TAPE_HOURS = "tape"  # the market is open whenever its tape has a bar


class Rules(StrEnum):
    """Which orders are taken."""

    OPEN = "open"  # all that make sense
    ALPACA = "alpaca"  # those that Alpaca takes: see admission.py


class Queue(StrEnum):
    """Where a resting limit order stands among those of others at its price."""

    FRONT = "front"  # whoever touches the price fills it
    BACK = "back"  # behind all that is shown there; a bar has to trade through the price


class Asset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done with a symbol."""

    active: bool = True  # False: delisted
    tradable: bool = True
    shortable: bool = True
    easy_to_borrow: bool = True
    fractionable: bool = True
    marginable: bool = True
    exchange: str = "NASDAQ"


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Terms never change while the account lives."""

    name: str
    cash: float = 100_000.0
    # the cost model, as in execution/strategy/costs.py
    slippage_bps: float = 1.0
    commission_bps: float = 0.0
    commission_min: float = 0.0
    borrow_bps: float = 0.0
    interest_bps: float = 0.0
    multiplier: float = 4.0  # gross exposure allowed per unit of equity: Alpaca's intraday margin
    participation: float | None = None  # largest share of what trades or is shown; None: all of any order
    symbols: tuple[str, ...] = ()  # what may be traded; empty: any well-formed symbol
    assets: dict[str, Asset] = {}  # those that differ from the usual
    # the market
    spread_bps: float = 0.0  # between bid and ask, where the tape has bars only
    latency_us: int = 0  # of market time, until an order, a cancel or a replace reaches the market
    queue: Queue = Queue.FRONT
    hours: str = TAPE_HOURS  # or a calendar, like XNYS: regular and extended hours of its sessions
    rules: Rules = Rules.OPEN
    # what regulators take from a sale; gathered through the day, booked as one FEE activity
    sale_fee_bps: float = 0.0
    sale_fee_per_share: float = 0.0

    @property
    def account_id(self) -> str:
        return str(uuid5(_ACCOUNTS, self.name))

    def asset(self, symbol: str) -> Asset:
        return self.assets.get(symbol, _USUAL)

    @property
    def bar_slippage_bps(self) -> float:
        """What crossing the market costs on a bar, whose prices are in the middle of the spread."""
        return self.slippage_bps + self.spread_bps / 2.0


_USUAL = Asset()
