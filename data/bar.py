"""What a bar and a tick are: one schema for frames, one message for streams, one list of timeframes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec
import polars as pl

from data.errors import UsageError

TIMEFRAMES: Final[dict[str, timedelta]] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),  # one bar per session, however long that is
}
DAY: Final = "1d"

INSTANT: Final = pl.Datetime("us", "UTC")

# ts_utc is the bar's open.  Every frame of bars is sorted by symbol, then ts_utc.
BAR_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "ts_utc": INSTANT,
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),
        "vwap": pl.Float64(),
        "trade_count": pl.Int64(),
    }
)
# What happened between two bars: a quote, a trade, or both.
TICK_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "ts_utc": INSTANT,
        "bid": pl.Float64(),
        "ask": pl.Float64(),
        "last": pl.Float64(),
        "bid_size": pl.Float64(),
        "ask_size": pl.Float64(),
        "last_size": pl.Float64(),
    }
)


class Bar(msgspec.Struct, frozen=True, array_like=True):
    """A finished bar on its way from a feed to an engine and an exchange."""

    symbol: str
    timeframe: str
    ts_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """A row of TICK_SCHEMA on its way through a stream; None is what it does not tell."""

    symbol: str
    ts_us: int
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    last_size: float | None = None
    trade_id: str = ""  # where the vendor tells one: two equal trades are not one trade told twice


_encoder = msgspec.msgpack.Encoder()
encode_bar: Final[Callable[[Bar], bytes]] = _encoder.encode
decode_bar: Final = msgspec.msgpack.Decoder(Bar).decode
encode_tick: Final[Callable[[Tick], bytes]] = _encoder.encode
decode_tick: Final = msgspec.msgpack.Decoder(Tick).decode


def step(timeframe: str) -> timedelta:
    """How long a bar lasts."""
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        known = ", ".join(TIMEFRAMES)
        raise UsageError(f"there is no timeframe {timeframe!r}", f"Use one of: {known}.") from None


def bars_of(frame: pl.DataFrame, timeframe: str) -> list[Bar]:
    """The rows of a frame as messages, in the frame's order."""
    columns = frame.select(
        "symbol", pl.col("ts_utc").dt.epoch("us"), "open", "high", "low", "close", "volume"
    ).iter_rows()
    return [Bar(symbol, timeframe, *values) for symbol, *values in columns]
