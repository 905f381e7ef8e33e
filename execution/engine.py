"""Bars in, intents out: reads `md.*`, lets every book decide, and says when it is done with a bar."""

import asyncio
import time
from collections import defaultdict
from typing import Any, Final

import structlog

from data import bus
from data.bar import Bar, decode_bar
from data.market_data import BAR, OF
from data.orders import signed
from execution.broker import BrokerFill
from execution.core.intents import Intent
from execution.core.roster import Roster
from execution.flow.gateway import Gateway
from execution.flow.ledger import Ledger
from execution.flow.ports import Row

BLOCK_MS: Final = 1_000
ACKS_KEPT: Final = 1_000

_log = structlog.get_logger()


class Engine:
    """The loop that feeds the books of one account."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.refusals: list[str] = []
        self._gathered: dict[int, dict[str, Bar]] = defaultdict(dict)  # of instants that are not whole yet

    # -- what the ledger tells

    def on_fill(self, order: Row, fill: BrokerFill) -> None:
        book = self.roster.owner_of(order["artifact_hash"], fill.symbol)
        if book is not None:
            qty = signed(fill.side, float(fill.qty))
            book.on_fill(fill.symbol, qty, float(fill.price), float(fill.commission), fill.coid)

    def on_ended(self, order: Row) -> None:
        book = self.roster.owner_of(order["artifact_hash"], order["symbol"])
        if book is not None:
            book.on_order_ended(order["coid"])

    # -- the loop

    async def run(self, feed: str, gateway: Gateway, ledger: Ledger, redis: bus.AsyncRedis) -> None:
        """Decide on every bar of `feed`, until cancelled.  A bar is acknowledged once its orders are settled."""
        last: dict[str, str] = {}
        while True:
            try:
                last = last or {
                    bus.md(symbol): await bus.newest_id(redis, bus.md(symbol))
                    for symbol in self.roster.symbols
                }
                entries = await bus.read_streams(redis, last, BLOCK_MS)
            except bus.Lost as error:
                _log.warning("redis is away; waiting for market data", error=str(error))
                await asyncio.sleep(0.2)
                continue
            heard_at_us = time.time_ns() // 1000
            done: list[Bar] = []
            for stream, entry_id, fields in entries:
                last[stream] = entry_id
                if fields["feed"].decode() != feed or BAR not in fields:
                    continue
                await ledger.caught_up(int(fields["seq"]))
                instant = self._whole(decode_bar(fields[BAR]), int(fields.get(OF, 1)))
                for intent in self.roster.on_bars(instant, heard_at_us):
                    await self.submit(intent, gateway)
                done += instant
            if done:
                await gateway.settled()
                await self._acknowledge(redis, feed, done)

    def _whole(self, bar: Bar, count: int) -> list[Bar]:
        """The bars of an instant once all of them are here; a portfolio decides about them together."""
        gathered = self._gathered[bar.ts_us]
        gathered[bar.symbol] = bar
        if len(gathered) < count:
            return []
        self._gathered = defaultdict(
            dict, {ts_us: bars for ts_us, bars in self._gathered.items() if ts_us > bar.ts_us}
        )
        return [gathered[symbol] for symbol in sorted(gathered)]

    async def submit(self, intent: Intent, gateway: Gateway) -> bool:
        """Send what a book wants; it hears of a refusal at once."""
        refused = await gateway.submit(intent)
        if refused is None:
            return True
        book = self.roster.owner_of(intent.artifact_hash, intent.symbol)
        if book is not None:
            book.on_order_ended(intent.coid)
        self.refusals.append(f"{intent.symbol} {intent.side} {intent.qty:g}: {refused}")
        _log.warning("an order was refused", symbol=intent.symbol, qty=intent.signed_qty, limit=refused)
        return False

    async def _acknowledge(self, redis: bus.AsyncRedis, feed: str, done: list[Bar]) -> None:
        try:
            async with bus.within(), redis.pipeline(transaction=False) as pipe:
                for bar in done:
                    told: dict[Any, Any] = {"symbol": bar.symbol, "ts_us": bar.ts_us}
                    pipe.xadd(bus.acks(feed), told, maxlen=ACKS_KEPT, approximate=True)
                await pipe.execute()
        except bus.Lost as error:
            _log.warning("an acknowledgement was lost; the feed asks again", error=str(error))

    def status(self) -> dict[str, Any]:
        """What the heartbeat carries to the monitor."""
        return {**self.roster.status(), "refusals": self.refusals[-5:]}
