"""What stands in `md.{symbol}` and is said on `ticker.{symbol}`: feeds write it, engines and screens read it.

An entry holds one of three things: a finished bar in `b`, a correction of a bar told before in `c`, a tick in `t`.
Whoever decides on bars reads `b` alone, and so never takes a correction for something new.
"""

from collections.abc import Mapping
from typing import Final

from data.bar import Bar, Tick, decode_bar, decode_tick, encode_bar, encode_tick

BAR: Final = "b"
CORRECTION: Final = "c"
TICK: Final = "t"
OF: Final = "of"  # how many bars the instant has; a replay knows, a live feed does not
FEED: Final = "feed"
SEQ: Final = "seq"  # the exchange's last event that a bar includes
BACKFILLED: Final = "backfilled"  # there when a bar comes from history, later than it would have come live

# A live feed names no exchange whose events an engine would have to wait for.
NO_EVENTS: Final = 0

Fields = dict[str | bytes, str | bytes | int]


def bar_entry(bar: Bar, feed: str, seq: int = NO_EVENTS, *, of: int = 0, backfilled: bool = False) -> Fields:
    """A finished bar, one `of` so many, 0 where nobody knows; `seq` is the exchange's last event that it includes."""
    fields: Fields = {BAR: encode_bar(bar), FEED: feed, SEQ: seq, OF: of}
    return {**fields, BACKFILLED: 1} if backfilled else fields


def correction_entry(bar: Bar, feed: str) -> Fields:
    return {CORRECTION: encode_bar(bar), FEED: feed, SEQ: NO_EVENTS}


def tick_entry(tick: Tick, feed: str) -> Fields:
    return {TICK: encode_tick(tick), FEED: feed, SEQ: NO_EVENTS}


def price_message(symbol: str, ts_us: int, last: float) -> str:
    """What screens are told on `ticker.{symbol}`."""
    return f'{{"symbol":"{symbol}","ts_us":{ts_us},"last":{last!r}}}'


def price_in(fields: Mapping[bytes, bytes]) -> tuple[int, float] | None:
    """The instant and the price that an entry of `md.{symbol}` tells; None when it is a quote or a correction."""
    if bar := fields.get(BAR.encode()):
        told = decode_bar(bar)
        return told.ts_us, told.close
    if trade := fields.get(TICK.encode()):
        tick = decode_tick(trade)
        return None if tick.last is None else (tick.ts_us, tick.last)
    return None
