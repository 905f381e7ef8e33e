"""Bars in, intents out: reads `md.*`, lets every book decide, and says when it is done with a bar."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Any, Final

import structlog

from data import bus
from data.bar import Bar, decode_bar
from data.market_data import BAR, NO_EVENTS, OF
from data.orders import signed
from execution.broker import BrokerFill
from execution.clock import wall_us
from execution.core.instants import Instants
from execution.core.intents import Intent
from execution.core.roster import Roster
from execution.failpoint import reach
from execution.flow.desk import OrderDesk
from execution.flow.gateway import Gateway
from execution.flow.ports import Row

BLOCK_MS: Final = 1_000
ACKS_KEPT: Final = 1_000
PATIENCE_S: Final = 1.0  # with symbols whose bar of an instant has not come

Market = Callable[[Sequence[Bar]], Awaitable[int]]
"""Moves a simulated market to the bars of an instant; returns its newest event."""

_log = structlog.get_logger()


class Engine:
    """The loop that feeds the books of one account."""

    def __init__(self, roster: Roster, acks: str | None = None, patience_s: float = PATIENCE_S) -> None:
        self.roster = roster
        self.refusals: list[str] = []
        self._acks = (
            acks  # the stream on which a feed that goes in step with us wants to hear that we are done
        )
        self._instants = Instants(roster.symbols, patience_s)

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

    async def run(
        self, feeds: Container[str], desk: OrderDesk, redis: bus.AsyncRedis, market: Market | None = None
    ) -> None:
        """Decide on every bar of these feeds, until cancelled.  A bar is acknowledged once its orders are settled.

        A simulated market moves to the bars before anybody decides on them.
        """
        last: dict[str, str] = {}
        loop = asyncio.get_running_loop()
        while True:
            wait_s = self._instants.wait_s(loop.time())
            try:
                last = last or {
                    bus.md(symbol): await bus.newest_id(redis, bus.md(symbol))
                    for symbol in self.roster.symbols
                }
                block_ms = BLOCK_MS if wait_s is None else max(1, min(BLOCK_MS, int(wait_s * 1000)))
                entries = await bus.read_streams(redis, last, block_ms)
            except bus.Lost as error:
                _log.warning("redis is away; waiting for market data", error=str(error))
                await asyncio.sleep(0.2)
                continue
            heard_at_us, seq = wall_us(), NO_EVENTS
            whole = self._instants.due(loop.time())
            for stream, entry_id, fields in entries:
                last[stream] = entry_id
                feed = fields["feed"].decode()
                if feed in feeds and BAR in fields:
                    seq = max(seq, int(fields["seq"]))
                    whole += self._instants.add(decode_bar(fields[BAR]), int(fields[OF]), loop.time())
            for instant in whole:
                if market is not None:
                    seq = await market(instant)
                await desk.ledger.caught_up(seq)
                for intent in self.roster.on_bars(instant, heard_at_us):
                    await self.submit(intent, desk.gateway)
            if whole:
                await desk.gateway.settled()
                await self._acknowledge(redis, [bar for instant in whole for bar in instant])
                reach("after_bar")

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

    async def _acknowledge(self, redis: bus.AsyncRedis, done: list[Bar]) -> None:
        if self._acks is None:
            return
        try:
            async with bus.within(), redis.pipeline(transaction=False) as pipe:
                for bar in done:
                    told: dict[Any, Any] = {"symbol": bar.symbol, "ts_us": bar.ts_us}
                    pipe.xadd(self._acks, told, maxlen=ACKS_KEPT, approximate=True)
                await pipe.execute()
        except bus.Lost as error:
            _log.warning("an acknowledgement was lost; the feed asks again", error=str(error))

    def status(self) -> dict[str, Any]:
        """What the heartbeat carries to the monitor."""
        return {**self.roster.status(), "refusals": self.refusals[-5:]}
