"""The market of every account: what is posted to it is kept, and told to those who subscribed."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any, Protocol

import msgspec

from data.bar import Bar, Tick
from execution.exchange.marketdata import shapes
from execution.exchange.marketdata.tape import EVER, EVER_US, NEWEST, Stretch, Tape
from execution.exchange.marketdata.ticks import Status, quotes, trades
from execution.exchange.marketdata.timeframes import DAILY, Timeframe, put_together, zone_of

Message = dict[str, Any]


class Subscriber(Protocol):
    """Somebody who hears an account's market; offering must not block."""

    def offer(self, told: Sequence[tuple[str, str, Message]]) -> None:
        """Messages with their channel and symbol; those it did not subscribe to are for others."""

    def wants_daily(self, symbol: str) -> bool: ...

    def drop(self) -> None: ...


class Market:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._subscribers: dict[str, set[Subscriber]] = {}

    # -- posting

    def post_bars(self, account: str, bars: Sequence[Bar]) -> None:
        new, corrected = self.tape.enter_bars(account, bars)
        subscribers = self._subscribers.get(account)
        if not subscribers:
            return
        told = [_message("bars", "b", bar.symbol, shapes.bar_json(bar)) for bar in new]
        told += [_message("updatedBars", "u", bar.symbol, shapes.bar_json(bar)) for bar in corrected]
        for bar in (*new, *corrected):
            if any(each.wants_daily(bar.symbol) for each in subscribers):
                day = self.day_of(account, bar.symbol, bar.ts_us)
                told.append(_message("dailyBars", "d", bar.symbol, shapes.bar_json(day)))
        self._tell(account, told)

    def post_ticks(self, account: str, ticks: Sequence[Tick]) -> None:
        quoted, traded = quotes(ticks), trades(ticks)
        first_id = self.tape.enter_ticks(account, quoted, traded)
        if account not in self._subscribers:
            return
        told = [_message("quotes", "q", quote.symbol, shapes.quote_json(quote)) for quote in quoted]
        for number, trade in enumerate(traded):
            told.append(_message("trades", "t", trade.symbol, shapes.trade_json(first_id + number, trade)))
        self._tell(account, told)

    def post_status(self, account: str, status: Status) -> None:
        self._tell(account, [_message("statuses", "s", status.symbol, shapes.status_json(status))])

    # -- listening

    def subscribers(self, account: str) -> frozenset[Subscriber]:
        return frozenset(self._subscribers.get(account, ()))

    def join(self, account: str, subscriber: Subscriber) -> None:
        self._subscribers.setdefault(account, set()).add(subscriber)

    def leave(self, account: str, subscriber: Subscriber) -> None:
        there = self._subscribers.get(account, set())
        there.discard(subscriber)
        if not there:
            self._subscribers.pop(account, None)

    def drop_subscribers(self, account: str) -> None:
        for subscriber in self.subscribers(account):
            subscriber.drop()

    def _tell(self, account: str, told: Sequence[tuple[str, str, Message]]) -> None:
        for subscriber in self.subscribers(account):
            subscriber.offer(told)

    # -- asking

    def bars(self, account: str, symbol: str, timeframe: Timeframe, stretch: Stretch = EVER) -> Iterator[Bar]:
        """Bars that begin in the stretch, made of the longest posted ones that fit in them."""
        posted = [name for name in self.tape.timeframes(account, symbol) if timeframe.can_be_made_of(name)]
        if not posted:
            return iter(())
        zone = zone_of(symbol)
        whole = msgspec.structs.replace(stretch, between_us=_whole_bars(stretch, timeframe, zone))
        return put_together(self.tape.bars(account, symbol, posted[-1], whole), timeframe, zone)

    def latest(self, account: str, kind: str, symbol: str) -> Message | None:
        """The newest of one kind as it goes over the wire."""
        tape = self.tape
        if kind == "bars":  # the shortest that were posted
            shortest = tape.timeframes(account, symbol)[:1]
            newest = (bar for length in shortest for bar in tape.bars(account, symbol, length, NEWEST))
            return next(map(shapes.bar_json, newest), None)
        if kind == "quotes":
            return next((shapes.quote_json(quote) for _, quote in tape.quotes(account, symbol, NEWEST)), None)
        return next((shapes.trade_json(*found) for found in tape.trades(account, symbol, NEWEST)), None)

    def day_of(self, account: str, symbol: str, ts_us: int) -> Bar:
        """The daily bar as far as it has come; there is a bar at `ts_us`."""
        begin, _ = DAILY.span_us(ts_us, zone_of(symbol))
        return next(self.bars(account, symbol, DAILY, Stretch((begin, begin))))

    def snapshot(self, account: str, symbol: str) -> Message | None:
        """What is known of a symbol now; None for one that nothing was posted of."""
        days = [shapes.bar_json(day) for day in islice(self.bars(account, symbol, DAILY, NEWEST), 2)]
        known = {
            "latestTrade": self.latest(account, "trades", symbol),
            "latestQuote": self.latest(account, "quotes", symbol),
            "minuteBar": self.latest(account, "bars", symbol),
            "dailyBar": days[0] if days else None,
            "prevDailyBar": days[1] if len(days) > 1 else None,
        }
        return {name: told for name, told in known.items() if told is not None} or None


def _message(channel: str, kind: str, symbol: str, told: Message) -> tuple[str, str, Message]:
    return channel, symbol, {"T": kind, "S": symbol, **told}


def _whole_bars(stretch: Stretch, timeframe: Timeframe, zone: tzinfo) -> tuple[int, int]:
    """Between which instants lies what the bars are made of, so that each that begins in the stretch is whole."""
    first, last = stretch.between_us
    if first > EVER_US[0]:
        begin, end = timeframe.span_us(first, zone)
        first = first if begin == first else end
    if last < EVER_US[1]:
        last = timeframe.span_us(last, zone)[1] - 1
    if stretch.beyond is not None:
        begin, end = timeframe.span_us(stretch.beyond[0], zone)
        return (first, min(last, begin - 1)) if stretch.newest_first else (max(first, end), last)
    return first, last
