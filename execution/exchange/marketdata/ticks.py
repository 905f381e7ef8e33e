"""What ticks are as market data: quotes, trades, and the halts between them."""

from collections.abc import Sequence

import msgspec

from data.bar import Tick

INSTANT_US_MAX = 9_000_000_000_000_000  # in the year 2255, as far as nanoseconds in 64 bits count


class Quote(msgspec.Struct, frozen=True):
    """The best bid and offer from `ts_us` on; a side that nobody makes has price and size 0, as at Alpaca."""

    symbol: str
    ts_us: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float


class Trade(msgspec.Struct, frozen=True):
    """One print of the tape."""

    symbol: str
    ts_us: int
    price: float
    size: float


class Status(msgspec.Struct, frozen=True):
    """Trading in a symbol stops, or goes on."""

    symbol: str
    ts_us: int
    halted: bool


def quotes(ticks: Sequence[Tick]) -> list[Quote]:
    """The ticks that say what somebody bids or asks."""
    return [
        Quote(
            each.symbol,
            each.ts_us,
            each.bid or 0.0,
            each.ask or 0.0,
            each.bid_size or 0.0,
            each.ask_size or 0.0,
        )
        for each in ticks
        if each.bid is not None or each.ask is not None
    ]


def trades(ticks: Sequence[Tick]) -> list[Trade]:
    """The ticks that say what somebody paid."""
    return [
        Trade(each.symbol, each.ts_us, each.last, each.last_size or 0.0)
        for each in ticks
        if each.last is not None
    ]
