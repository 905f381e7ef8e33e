"""What Bybit's public stream says, as https://bybit-exchange.github.io/docs/v5/ws/connect has it: JSON by topics.

Quotes are taken from `orderbook.1`: the `tickers` of spot pairs have neither bid nor ask.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from data.bar import Bar, Tick
from execution.feeds.contract import FinishedBar, Unreadable

INTERVALS: Final = {"1m": "1", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "1d": "D"}
TOPICS_AT_ONCE: Final = 10  # in one request for spot pairs

_MS_US: Final = 1_000


class Envelope(msgspec.Struct):
    """An answer to what we asked has `op`, news has a `topic`."""

    op: str = ""
    success: bool = True
    ret_msg: str = ""
    topic: str = ""
    ts: int = 0  # ms
    data: msgspec.Raw = msgspec.Raw(b"null")


class Trade(msgspec.Struct):
    T: int  # ms
    s: str
    p: str
    v: str
    i: str = ""


class Book(msgspec.Struct):
    """The best bid and ask; a side that is empty has nobody on it."""

    s: str
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class Candle(msgspec.Struct):
    start: int  # ms
    open: str
    high: str
    low: str
    close: str
    volume: str
    confirm: bool  # finished


_envelope = msgspec.json.Decoder(Envelope)
_trades = msgspec.json.Decoder(list[Trade])
_book = msgspec.json.Decoder(Book)
_candles = msgspec.json.Decoder(list[Candle])


def topics(symbols: tuple[str, ...], timeframe: str | None) -> list[str]:
    """What to subscribe to; without a timeframe no candles."""
    named = [f"{kind}.{symbol}" for symbol in symbols for kind in ("publicTrade", "orderbook.1")]
    return named + [f"kline.{INTERVALS[timeframe]}.{symbol}" for symbol in symbols if timeframe]


def requests(named: list[str]) -> list[str]:
    """In portions that Bybit takes."""
    portions = [named[at : at + TOPICS_AT_ONCE] for at in range(0, len(named), TOPICS_AT_ONCE)]
    return [
        msgspec.json.encode({"op": "subscribe", "req_id": str(number), "args": portion}).decode()
        for number, portion in enumerate(portions)
    ]


PING: Final = '{"op":"ping"}'


def read(raw: str | bytes) -> Envelope | Unreadable:
    try:
        return _envelope.decode(raw)
    except msgspec.DecodeError as error:
        return Unreadable(f"{error}: {raw[:200]!r}")


def normal(told: Envelope, timeframe: str) -> Iterator[Tick | FinishedBar | Unreadable]:
    """News in our words."""
    try:
        kind, _, rest = told.topic.partition(".")
        match kind:
            case "publicTrade":
                for trade in _trades.decode(told.data):
                    price, size = float(trade.p), float(trade.v)
                    yield Tick(trade.s, trade.T * _MS_US, last=price, last_size=size, trade_id=trade.i)
            case "orderbook":
                yield _quote(_book.decode(told.data), told.ts * _MS_US)
            case "kline":
                symbol = rest.partition(".")[2]
                for candle in _candles.decode(told.data):
                    if candle.confirm:
                        yield FinishedBar(_bar(symbol, timeframe, candle))
            case _:
                yield Unreadable(f"a topic that nobody asked for: {told.topic!r}")
    except (msgspec.DecodeError, ValueError) as error:
        yield Unreadable(f"{told.topic}: {error}: {bytes(told.data)[:200]!r}")


def _quote(told: Book, ts_us: int) -> Tick:
    bid, bid_size = map(float, told.b[0]) if told.b else (None, None)
    ask, ask_size = map(float, told.a[0]) if told.a else (None, None)
    return Tick(told.s, ts_us, bid, ask, None, bid_size, ask_size)


def _bar(symbol: str, timeframe: str, told: Candle) -> Bar:
    prices = (float(told.open), float(told.high), float(told.low), float(told.close))
    return Bar(symbol, timeframe, told.start * _MS_US, *prices, float(told.volume))
