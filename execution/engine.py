"""Bars in, intents out: reads `md.*`, lets every book decide, and says when it is done with a bar."""

import asyncio
import time
from collections import Counter, defaultdict
from typing import Any, Final

import structlog

from data import bus
from data.bar import decode_bar
from data.market_data import BAR
from data.orders import signed
from execution.broker import BrokerFill
from execution.core.book import Book
from execution.core.intents import Intent
from execution.flow.gateway import Gateway
from execution.flow.ledger import Ledger
from execution.store import Row

BLOCK_MS: Final = 1_000
ACKS_KEPT: Final = 1_000

_log = structlog.get_logger()


class Engine:
    """The books of one account and the loop that feeds them."""

    def __init__(self, books: list[Book]) -> None:
        self.books = books
        self._by_symbol: dict[str, list[Book]] = defaultdict(list)
        for book in books:
            self._by_symbol[book.symbol].append(book)
        self._by_owner = {(book.artifact_hash, book.symbol): book for book in books}
        self._bars: Counter[str] = Counter()  # decided on, by artifact
        self.refusals: list[str] = []

    # -- what the ledger tells

    def on_fill(self, order: Row, fill: BrokerFill) -> None:
        book = self._by_owner.get((order["artifact_hash"], fill.symbol))
        if book is not None:
            book.on_fill(
                signed(fill.side, float(fill.qty)), float(fill.price), float(fill.commission), fill.coid
            )

    def on_ended(self, order: Row) -> None:
        book = self._by_owner.get((order["artifact_hash"], order["symbol"]))
        if book is not None:
            book.on_order_ended(order["coid"])

    # -- the loop

    async def run(self, feed: str, gateway: Gateway, ledger: Ledger, redis: bus.AsyncRedis) -> None:
        """Decide on every bar of `feed`, until cancelled.  A bar is acknowledged once its orders are settled."""
        last: dict[str, str] = {}
        while True:
            try:
                last = last or {
                    bus.md(symbol): await bus.newest_id(redis, bus.md(symbol)) for symbol in self._by_symbol
                }
                entries = await bus.read_streams(redis, last, BLOCK_MS)
            except bus.Lost as error:
                _log.warning("redis is away; waiting for market data", error=str(error))
                await asyncio.sleep(0.2)
                continue
            heard_at_us = time.time_ns() // 1000
            done: list[tuple[str, int]] = []
            for stream, entry_id, fields in entries:
                last[stream] = entry_id
                if fields["feed"].decode() != feed or BAR not in fields:
                    continue
                await ledger.caught_up(int(fields["seq"]))
                bar = decode_bar(fields[BAR])
                for book in self._by_symbol[bar.symbol]:
                    self._bars[book.artifact_hash] += bar.ts_us > book.last_bar_us
                    intent = book.on_bar(bar, heard_at_us)
                    if intent is not None:
                        await self._submit(intent, book, gateway)
                done.append((bar.symbol, bar.ts_us))
            if done:
                await gateway.settled()
                await self._acknowledge(redis, feed, done)

    async def _submit(self, intent: Intent, book: Book, gateway: Gateway) -> None:
        refused = await gateway.submit(intent)
        if refused is not None:
            book.on_order_ended(intent.coid)
            self.refusals.append(f"{intent.symbol} {intent.side} {intent.qty:g}: {refused}")
            _log.warning("an order was refused", symbol=intent.symbol, qty=intent.signed_qty, limit=refused)

    async def _acknowledge(self, redis: bus.AsyncRedis, feed: str, done: list[tuple[str, int]]) -> None:
        try:
            async with bus.within(), redis.pipeline(transaction=False) as pipe:
                for symbol, ts_us in done:
                    pipe.xadd(
                        bus.acks(feed), {"symbol": symbol, "ts_us": ts_us}, maxlen=ACKS_KEPT, approximate=True
                    )
                await pipe.execute()
        except bus.Lost as error:
            _log.warning("an acknowledgement was lost; the feed asks again", error=str(error))

    def bars_of(self, artifact_hash: str) -> int:
        """Bars that the books of this artifact have decided on since we started."""
        return self._bars[artifact_hash]

    def status(self) -> dict[str, Any]:
        """What the heartbeat carries to the monitor."""
        return {
            "bars": self._bars.total(),
            "bar_ts_us": max((book.last_bar_us for book in self.books), default=0),
            "refusals": self.refusals[-5:],
            "books": [
                {
                    "strategy": book.strategy_name,
                    "artifact": book.artifact_hash,
                    "symbol": book.symbol,
                    "capital": book.capital,
                    "cash": book.cash,
                    "shares": book.shares,
                    "target": book.target,
                    "last": book.last_close if book.last_bar_us else None,
                    "equity": book.cash + book.shares * book.last_close if book.last_bar_us else book.capital,
                }
                for book in self.books
            ],
        }
