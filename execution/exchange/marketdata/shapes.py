"""Market data as Alpaca writes it: short names, numbers as numbers, instants that JSON and msgpack both know.

The same shapes go over HTTP and, with `T` and `S` in front, over the stream.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from data.bar import Bar
from execution.exchange.marketdata.ticks import Quote, Status, Trade

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VENUE, _TAPE = "V", "C"  # everything here trades at one place, as on IEX, and is listed like a NASDAQ share


def bar_json(bar: Bar) -> Json:
    """`n` and `vw` are 0: posted bars do not say how many trades made them, and Alpaca writes 0 where it has none."""
    return {
        "t": instant(bar.ts_us),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": _whole(bar.volume),
        "n": 0,
        "vw": 0,
    }


def quote_json(quote: Quote) -> Json:
    told: Json = {
        "t": instant(quote.ts_us),
        "bp": quote.bid,
        "bs": _whole(quote.bid_size),
        "ap": quote.ask,
        "as": _whole(quote.ask_size),
    }
    return told if is_crypto(quote.symbol) else told | {"bx": _VENUE, "ax": _VENUE, "c": ["R"], "z": _TAPE}


def trade_json(id_: int, trade: Trade) -> Json:
    told: Json = {"t": instant(trade.ts_us), "p": trade.price, "s": _whole(trade.size), "i": id_}
    return told if is_crypto(trade.symbol) else told | {"x": _VENUE, "c": ["@"], "z": _TAPE}


def status_json(status: Status) -> Json:
    """In the codes of NASDAQ, where shares are listed here."""
    code, message = ("H", "Trading Halt") if status.halted else ("T", "Trading Resumption")
    return {
        "t": instant(status.ts_us),
        "sc": code,
        "sm": message,
        "rc": "",
        "rm": "",
        "z": _TAPE,
    }


def is_crypto(symbol: str) -> bool:
    return "/" in symbol


def instant(ts_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ts_us)


def _whole(value: float) -> int | float:
    """Shares are counted, so they go over the wire without a decimal point."""
    return int(value) if value.is_integer() else value
