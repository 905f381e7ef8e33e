"""What a client asks of the history: Alpaca's query parameters, read and checked, and the tokens of its pages."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import date

import msgspec

from execution.exchange import wire
from execution.exchange.marketdata.tape import EVER_US, Stretch
from execution.exchange.marketdata.ticks import INSTANT_US_MAX
from execution.exchange.marketdata.timeframes import DAILY, Timeframe, timeframe, zone_of
from execution.exchange.requests import SYMBOL

LIMIT_MAX = 10_000  # Alpaca's
LIMIT_DEFAULT = 1_000
FEEDS = ("iex", "sip", "delayed_sip", "boats", "overnight", "otc")
_ADJUSTMENTS = ("raw", "split", "dividend", "all", "spin-off")


class BadQuestion(Exception):
    """What Alpaca answers with 400 and this message."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the last row's symbol, time and id (0 for bars)."""

    symbol: str
    ts_us: int
    id: int

    @property
    def token(self) -> str:
        return urlsafe_b64encode(msgspec.json.encode(self)).decode()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    symbols: tuple[str, ...]
    between_us: tuple[int, int]
    limit: int
    newest_first: bool
    after: Place | None
    timeframe: Timeframe

    @property
    def symbols_left(self) -> tuple[str, ...]:
        """Pages go symbol by symbol; those before the token's were told already."""
        after = self.after
        return self.symbols if after is None else tuple(each for each in self.symbols if each >= after.symbol)

    def stretch_of(self, symbol: str) -> Stretch:
        after = self.after
        beyond = None if after is None or after.symbol != symbol else (after.ts_us, after.id)
        return Stretch(self.between_us, self.newest_first, beyond)


def question(query: Mapping[str, str], symbols: tuple[str, ...], now_us: int, *, bars: bool) -> Question:
    """What is asked of the history of `symbols`; `now_us` is the time of the tape."""
    check_tags(query)
    asked = DAILY
    if bars:
        found = timeframe(query.get("timeframe", ""))
        if found is None:
            raise BadQuestion(f"invalid timeframe: {query.get('timeframe', '')}")
        asked = found
    today_us = DAILY.span_us(now_us, zone_of(symbols[0]))[0]
    start, end = _instant(query, "start"), _instant(query, "end")
    if start is not None and end is not None and end < start:
        raise BadQuestion("end should not be before start")
    if query.get("sort", "asc") not in ("asc", "desc"):
        raise BadQuestion(f"invalid sort: {query['sort']}")
    return Question(
        symbols=symbols,
        between_us=(today_us if start is None else start, EVER_US[1] if end is None else end),
        limit=_limit(query),
        newest_first=query.get("sort") == "desc",
        after=_place(query.get("page_token", ""), symbols),
        timeframe=asked,
    )


def symbols_of(text: str, *, crypto: bool) -> tuple[str, ...]:
    """The symbols of a list, sorted as their pages are."""
    symbols = tuple(sorted({symbol.strip() for symbol in text.split(",") if symbol.strip()}))
    if not symbols:
        raise BadQuestion("symbols is required")
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol) or ("/" in symbol) is not crypto:
            raise BadQuestion(f"invalid symbol: {symbol}")
    return symbols


def check_tags(query: Mapping[str, str]) -> None:
    """What chooses among several truths about a price is accepted and checked; this market has only one."""
    if query.get("feed", "iex") not in FEEDS:
        raise BadQuestion(f"invalid feed: {query['feed']}")
    for adjustment in query.get("adjustment", "raw").split(","):
        if adjustment not in _ADJUSTMENTS:
            raise BadQuestion(f"invalid adjustment: {adjustment}")
    if query.get("currency", "USD") != "USD":
        raise BadQuestion(f"invalid currency: {query['currency']}")
    asof = query.get("asof", "-")  # "-" switches the following of renamed symbols off
    if asof != "-" and not _is_date(asof):
        raise BadQuestion(f"invalid asof: {asof}")


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(LIMIT_DEFAULT))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise BadQuestion(f"invalid limit: {text}")
    if not 1 <= int(text) <= LIMIT_MAX:
        raise BadQuestion(f"invalid limit: limit must be between 1 and {LIMIT_MAX}")
    return int(text)


def _instant(query: Mapping[str, str], field: str) -> int | None:
    text = query.get(field)
    if not text:
        return None
    try:
        at_us = wire.stamp_us(text.replace(" ", "+"))  # an unescaped "+" of a zone arrives as a space
    except (ValueError, OverflowError):
        raise BadQuestion(f"Invalid format for parameter {field}: {text}") from None
    if abs(at_us) > INSTANT_US_MAX:
        raise BadQuestion(f"Invalid format for parameter {field}: {text}")
    return at_us


def _place(token: str, symbols: tuple[str, ...]) -> Place | None:
    if not token:
        return None
    try:
        place = msgspec.json.decode(urlsafe_b64decode(token), type=Place)
    except (ValueError, msgspec.MsgspecError):
        raise BadQuestion("invalid page_token") from None
    if (
        place.symbol not in symbols
        or not EVER_US[0] <= place.ts_us <= EVER_US[1]
        or abs(place.id) > EVER_US[1]
    ):
        raise BadQuestion("invalid page_token")
    return place


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
