"""Bars in, intents out: lets every book decide, and says when it is done with a bar."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from data.bar import Bar
from data.market_data import NO_EVENTS
from data.orders import signed
from execution.bars import Bars
from execution.broker import BrokerFill
from execution.clock import wall_us
from execution.core.instants import Instants
from execution.core.intents import Intent
from execution.core.roster import Roster
from execution.failpoint import reach
from execution.flow.desk import OrderDesk
from execution.flow.gateway import Gateway
from execution.flow.happenings import Decided, Watcher, nobody
from execution.flow.ports import Row

PATIENCE_S: Final = 1.0  # with symbols whose bar of an instant has not come

Market = Callable[[Sequence[Bar]], Awaitable[int]]
"""Moves a simulated market to the bars of an instant; returns its newest event."""

_log = structlog.get_logger()


class Engine:
    """The loop that feeds the books of one account."""

    def __init__(self, roster: Roster, patience_s: float = PATIENCE_S, told: Watcher = nobody) -> None:
        self.roster = roster
        self._told = told
        self.refusals: list[str] = []
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

    async def run(self, bars: Bars, desk: OrderDesk, market: Market | None = None) -> None:
        """Decide on every bar, until cancelled.  Bars are done with once their orders are settled.

        A simulated market moves to the bars before anybody decides on them.
        """
        loop = asyncio.get_running_loop()
        while True:
            heard = await bars.next(self._instants.wait_s(loop.time()))
            heard_at_us, seq, taken_ms = wall_us(), NO_EVENTS, 0
            whole = self._instants.due(loop.time())
            for each in heard:
                seq, taken_ms = max(seq, each.seq), max(taken_ms, each.taken_ms)
                whole += self._instants.add(each.bar, each.of, loop.time())
            for instant in whole:
                if market is not None:
                    seq = await market(instant)
                await desk.ledger.caught_up(seq)
                began = time.perf_counter()
                intents = self.roster.on_bars(instant, heard_at_us)
                self._told(
                    Decided(
                        tick_s=max(0.0, heard_at_us / 1e6 - taken_ms / 1e3) if heard else None,
                        took_s=time.perf_counter() - began,
                        intents=tuple(intents),
                        symbols=tuple(bar.symbol for bar in instant),
                    )
                )
                for intent in intents:
                    await self.submit(intent, desk.gateway)
            if whole:
                await desk.gateway.settled()
            bars.done(bar for instant in whole for bar in instant)
            if whole:
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
        _log.warning(
            "an order was refused",
            coid=intent.coid,
            strategy=intent.strategy,
            symbol=intent.symbol,
            qty=intent.signed_qty,
            limit=refused,
        )
        return False

    def status(self) -> dict[str, Any]:
        """What the heartbeat carries to the monitor."""
        return {**self.roster.status(), "refusals": self.refusals[-5:]}
