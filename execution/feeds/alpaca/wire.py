"""What Alpaca's market data stream says: lists of messages in msgpack, told apart by their field `T`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from data.bar import Bar, Tick
from data.errors import Refused, SlipwayError, UsageError
from data.sources.alpaca.settings import PREFIX
from execution.feeds.contract import FinishedBar, Interrupted, Unreadable
from execution.feeds.grid import micros

TIMEFRAME: Final = "1m"  # the only bars that are streamed


class _Message(msgspec.Struct, tag_field="T"):
    """One of a list."""


class Success(_Message, tag="success"):
    msg: str = ""


class Error(_Message, tag="error"):
    code: int = 0
    msg: str = ""


class Subscription(_Message, tag="subscription"):
    """All that we are subscribed to, after each change."""


class Trade(_Message, tag="t"):
    S: str
    t: datetime
    p: float
    s: float
    i: int | str = ""
    x: str = ""


class Quote(_Message, tag="q"):
    S: str
    t: datetime
    bp: float
    ap: float
    bs: float
    as_: float = msgspec.field(name="as")


class MinuteBar(_Message, tag="b"):
    S: str
    t: datetime
    o: float
    h: float
    l: float  # noqa: E741  the vendor's name
    c: float
    v: float


class UpdatedBar(MinuteBar, tag="u"):
    """A minute's bar again, half a minute later, because of late trades."""


class Correction(_Message, tag="c"):
    """A trade told wrongly; comes with trades unasked.  Bars that change come as UpdatedBar."""


class Cancel(_Message, tag="x"):
    """A trade that was none; the same."""


Message = Success | Error | Subscription | Trade | Quote | MinuteBar | UpdatedBar | Correction | Cancel

_messages = msgspec.msgpack.Decoder(list[Message])
_one = msgspec.msgpack.Decoder(Message)
_parts = msgspec.msgpack.Decoder(list[msgspec.Raw])
encode: Final = msgspec.msgpack.Encoder().encode


def auth(key_id: str, secret: str) -> bytes:
    return encode({"action": "auth", "key": key_id, "secret": secret})


def subscribe(channels: Mapping[str, tuple[str, ...]]) -> bytes:
    request: dict[str, Any] = {"action": "subscribe", **channels}
    return encode(request)


def read(raw: str | bytes) -> Iterator[Message | Unreadable]:
    """The messages of a frame; one that nobody understands takes none of the others with it."""
    if isinstance(raw, str):
        yield Unreadable(f"text where msgpack was expected: {raw[:200]}")
        return
    try:
        yield from _messages.decode(raw)
    except msgspec.DecodeError:
        yield from _one_by_one(raw)


def _one_by_one(raw: bytes) -> Iterator[Message | Unreadable]:
    try:
        parts = _parts.decode(raw)
    except msgspec.DecodeError as error:
        yield Unreadable(f"not a list of messages ({error}): {raw[:200]!r}")
        return
    for part in parts:
        try:
            yield _one.decode(part)
        except msgspec.DecodeError as error:
            yield Unreadable(f"{error}: {bytes(part)[:200]!r}")


def normal(message: Message | Unreadable) -> Tick | FinishedBar | Unreadable | None:
    """The message in our words; None when it says nothing about the market.  Errors are raised."""
    match message:
        case Trade():
            trade_id = f"{message.x}:{message.i}" if message.i != "" else ""
            ts_us = micros(message.t)
            return Tick(message.S, ts_us, last=message.p, last_size=message.s, trade_id=trade_id)
        case Quote():
            return _quote(message)
        case MinuteBar():
            told = (message.o, message.h, message.l, message.c, message.v)
            return FinishedBar(
                Bar(message.S, TIMEFRAME, micros(message.t), *told), corrected=isinstance(message, UpdatedBar)
            )
        case Error():
            raise meaning(message)
        case Unreadable():
            return message
    return None


def _quote(told: Quote) -> Tick:
    """Where nobody bids or asks Alpaca says 0."""
    bid, bid_size = (told.bp, told.bs) if told.bp != 0 else (None, None)
    ask, ask_size = (told.ap, told.as_) if told.ap != 0 else (None, None)
    return Tick(told.S, micros(told.t), bid, ask, None, bid_size, ask_size)


def meaning(error: Error) -> SlipwayError | Interrupted:
    """What an error of the stream means: a person must act, or another try may go well."""
    said = f"Alpaca's stream says {error.code}: {error.msg}"
    match error.code:
        case 401 | 402:
            return Refused(said, f"Check {PREFIX}KEY_ID and {PREFIX}SECRET.")
        case 409:
            return Refused(said, f"Set {PREFIX}FEED=iex, or take a larger plan at Alpaca.")
        case 405:
            return Refused(
                said, "Name fewer symbols (the free plan streams 30), or take a larger plan at Alpaca."
            )
        case 400 | 408 | 410:
            return UsageError(said, "Check the symbols and SLIPWAY_FEED_ALPACA_URL.")
    # Above all 406, connection limit exceeded: our last connection is not dead yet, or somebody else uses the keys.
    return Interrupted(said)
