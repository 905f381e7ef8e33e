"""What Bybit answers, as https://bybit-exchange.github.io/docs/v5 has it: numbers are strings."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import polars as pl

from data.bar import BAR_SCHEMA

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class Envelope(msgspec.Struct, rename="camel"):
    """What is around every answer; an error comes with HTTP 200, too."""

    ret_code: int
    ret_msg: str = ""
    time: int = 0  # Bybit's clock in ms
    result: msgspec.Raw = msgspec.Raw(b"{}")


class Candles(msgspec.Struct):
    symbol: str
    # Newest first: start in ms, open, high, low, close, volume in the base coin, turnover in the quote coin.
    rows: list[list[str]] = msgspec.field(name="list")


class PriceFilter(msgspec.Struct, rename="camel"):
    tick_size: str


class LotFilter(msgspec.Struct, rename="camel"):
    base_precision: str | None = None  # of spot
    qty_step: str | None = None  # of contracts


class Listing(msgspec.Struct, rename="camel"):
    symbol: str
    price_filter: PriceFilter
    lot_size_filter: LotFilter
    launch_time: str | None = None  # of contracts, in ms


class Listings(msgspec.Struct):
    rows: list[Listing] = msgspec.field(name="list")


def candles_frame(symbol: str, rows: Sequence[Sequence[str]]) -> pl.DataFrame:
    """One symbol's candles in BAR_SCHEMA, oldest first; ValueError or IndexError when they are none."""
    starts = [moment(row[0]) for row in reversed(rows)]
    values = [[float(row[place]) for row in reversed(rows)] for place in range(1, 7)]
    opens, highs, lows, closes, volumes, turnovers = values
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(rows),
            "ts_utc": starts,
            "open": opens,
            "high": highs,
            "low": lows,
            "close": closes,
            "volume": volumes,
            "vwap": [_average(*each) for each in zip(lows, highs, volumes, turnovers, strict=True)],
            "trade_count": [None] * len(rows),  # Bybit does not count them
        },
        schema=BAR_SCHEMA,
    )


def moment(milliseconds: str) -> datetime:
    return _EPOCH + int(milliseconds) * _MS


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS


def _average(low: float, high: float, volume: float, turnover: float) -> float | None:
    """Turnover is in the quote coin and volume in the base coin, for spot as for linear contracts.

    Turnover is rounded, so that of a tiny volume the quotient leaves the range in which all trades were.
    """
    return min(max(turnover / volume, low), high) if volume > 0 else None
