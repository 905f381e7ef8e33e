"""What the broker says, entered once: its stream as it comes, its books whenever the stream may have lied.

Protocol steps 8 and 9.  One task applies everything, so fills reach the books of the engine in order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

from data.orders import OPEN, TERMINAL, OrderState
from execution.broker import (
    Books,
    Broker,
    BrokerDown,
    BrokerEvent,
    BrokerFill,
    BrokerOrder,
    Connected,
    Unreadable,
    Watermark,
)
from execution.failpoint import reach
from execution.flow.happenings import (
    BrokerSilent,
    Filled,
    Halted,
    Reconciled,
    StreamOpened,
    Took,
    Unexplained,
    Watcher,
    moved,
    name_of,
    nobody,
)
from execution.flow.ports import Clock, OrderStore, Row
from execution.flow.warden import Warden
from execution.settings import ExecutionSettings

CATCH_UP_S: Final = 0.5  # an event that the broker numbered and that did not come by then was lost
RECONNECT_S: Final = (0.1, 5.0)

_log = structlog.get_logger()


class Listener(Protocol):
    """Who wants to know of fills and of orders that ended."""

    def on_fill(self, order: Row, fill: BrokerFill) -> None: ...

    def on_ended(self, order: Row) -> None: ...


class Ledger:
    """Keeps the ledger of one account equal to the broker's."""

    def __init__(
        self,
        store: OrderStore,
        broker: Broker,
        clock: Clock,
        settings: ExecutionSettings,
        warden: Warden,
        told: Watcher = nobody,
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._listener: Listener | None = None
        self._settings = settings
        self._warden = warden
        self._told = told
        self._seq = 0  # everything the broker numbered up to here is entered
        self._moved = asyncio.Condition()
        self._last_heard = self._last_reconciled = clock.monotonic()
        self._turn = asyncio.Lock()  # events and reconciliation take turns
        self._odd: set[tuple[str, str]] = set()
        self._watermark: Watermark | None = None  # what lies before it was entered by this process
        self._residuals: dict[str, tuple[float, float]] = {}  # how much, and since when it has been so
        self.mismatches: list[str] = []

    @asynccontextmanager
    async def handing_over(self, listener: Listener) -> AsyncIterator[None]:
        """Nothing is entered within the block, in which books recover from the ledger; what comes after it is told
        to the listener.  So nobody hears of a fill twice, or never.
        """
        async with self._turn:
            yield
            self._listener = listener

    async def run(self) -> None:
        """Enter what the broker says and pass it on, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._keep_reconciling())

    async def caught_up(self, seq: int) -> None:
        """Wait until everything the broker numbered up to `seq` is entered."""
        while self._seq < seq:
            try:
                async with asyncio.timeout(CATCH_UP_S), self._moved:
                    await self._moved.wait_for(lambda: self._seq >= seq)
            except TimeoutError:
                _log.warning("events were lost; reconciling", have=self._seq, need=seq)
                if not await self._try_to_reconcile():
                    await asyncio.sleep(CATCH_UP_S)

    async def equal_to_the_broker(self) -> None:
        """Reconcile, however long the broker may be away."""
        equal = False
        while not equal:
            equal = await self._try_to_reconcile()
            await asyncio.sleep(0.0 if equal else CATCH_UP_S)

    async def reconcile(self) -> Books:
        """Make the ledger equal to the broker's books.  Fills are never invented, only learned."""
        async with self._turn:
            books = await self._broker.books(self._watermark)
            reach("after_books")
            for odd in books.odd:
                await self._keep_odd((odd.payload, odd.problem), odd.payload, odd.problem)
            known = await self._store.reports.known_executions()
            for fill in books.fills:
                if fill.execution_id not in known:
                    await self._enter_fill(fill, "reconcile")
            ours = await self._store.reports.order_states()
            for order in books.orders:
                if order.coid not in ours:
                    await self._keep_odd_order(order)
                    await self._halt(order.symbol, f"the broker has {order.coid}, which is not ours")
                elif order.state is None:
                    await self._keep_odd_order(order)
                elif ours[order.coid] != order.state:
                    await self._enter_order(order.coid, await self._store.reports.apply_order(order))
                    if ours[order.coid] is OrderState.ABANDONED and order.state in OPEN:
                        await self._broker.cancel(order.broker_id)  # it came too late to be wanted
            held = await self._store.standing.positions()
            told = {position.symbol: float(position.qty) for position in books.positions}
            await self._look_at_residuals(held, told)
            self._last_reconciled = self._clock.monotonic()
            await self._warden.look(books)
            self._watermark = books.watermark
            await self._move_to(books.seq)
            self._told(Reconciled(tuple(self.mismatches)))
        return books

    async def _look_at_residuals(self, held: dict[str, float], told: dict[str, float]) -> None:
        """What the broker holds and our fills do not explain is shown, and if it stays, its symbol is halted.

        A fill that the broker shows in one answer and not yet in another passes.
        """
        now = self._clock.monotonic()
        differ = [each for each in sorted(held | told) if held.get(each, 0.0) != told.get(each, 0.0)]
        found = {each: told.get(each, 0.0) - held.get(each, 0.0) for each in differ}
        self._residuals = {
            symbol: (residual, self._residuals[symbol][1] if self._had(symbol, residual) else now)
            for symbol, residual in found.items()
        }
        self.mismatches = [
            f"{symbol}: ledger {held.get(symbol, 0.0):g}, broker {told.get(symbol, 0.0):g}"
            for symbol in differ
        ]
        if self.mismatches:
            _log.error("positions differ from the broker's", mismatches=self.mismatches)
        for symbol, (residual, since) in self._residuals.items():
            if now - since > self._settings.quarantine_s:
                await self._halt(symbol, f"the broker holds {residual:+g} that no fill explains")

    async def _halt(self, symbol: str, reason: str) -> None:
        await self._store.standing.halt(symbol, reason)
        self._told(Halted(symbol, reason))

    def _had(self, symbol: str, residual: float) -> bool:
        return symbol in self._residuals and self._residuals[symbol][0] == residual

    async def _listen(self) -> None:
        wait_s, longest_s = RECONNECT_S
        while True:
            try:
                async for told in self._broker.events():
                    self._last_heard = self._clock.monotonic()
                    if isinstance(told, Connected):
                        self._told(StreamOpened())
                        await self.reconcile()  # nothing is replayed on a (re)connect
                        wait_s = RECONNECT_S[0]
                    else:
                        await self._enter(told)
            except BrokerDown as error:
                _log.warning("the broker's stream ended; connecting again", error=str(error))
                self._silent(error)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, longest_s)

    async def _keep_reconciling(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = self._clock.monotonic()
            silent = now - self._last_heard > self._settings.silence_s and await self._store.standing.orders(
                OPEN
            )
            if silent or now - self._last_reconciled > self._settings.reconcile_every_s:
                await self._try_to_reconcile()
                self._last_heard = self._clock.monotonic()

    async def _try_to_reconcile(self) -> bool:
        try:
            await self.reconcile()
        except BrokerDown as error:
            _log.warning("the broker did not answer; reconciling later", error=str(error))
            self._silent(error)
            return False
        return True

    def _silent(self, error: BrokerDown) -> None:
        self._warden.broker_silent()
        self._told(BrokerSilent(str(error)))

    async def _enter(self, told: BrokerEvent | Unreadable) -> None:
        async with self._turn:
            if isinstance(told, Unreadable):
                _log.error("the broker said something unreadable", problem=told.problem)
                await self._store.reports.keep_raw(told.payload, told.problem)
                self._told(Unexplained(told.problem))
                return
            if told.seq is not None and told.seq <= self._seq:
                return  # reconciliation was quicker
            reach("before_event")
            if told.fill is not None:
                await self._enter_fill(told.fill, "stream")
            await self._enter_order(told.order.coid, await self._store.reports.apply_order(told.order))
            reach("after_event")
            if told.seq is not None and told.seq > self._seq + 1:
                _log.warning("the stream skipped events", have=self._seq, got=told.seq)
                return  # caught_up and the clock bring reconciliation, which fills the hole
            await self._move_to(told.seq)

    async def _keep_odd_order(self, order: BrokerOrder) -> None:
        """Record an order that is not ours or has a status we do not know, once for each status it is seen in."""
        await self._keep_odd((order.coid, order.status), repr(order), "not ours, or in an unknown state")

    async def _keep_odd(self, sight: tuple[str, str], payload: str, problem: str) -> None:
        if sight not in self._odd:
            self._odd.add(sight)
            _log.error("the broker's books have something strange", told=payload, problem=problem)
            await self._store.reports.keep_raw(payload, problem)
            self._told(Unexplained(f"{problem}: {sight[0]}"))

    async def _enter_fill(self, fill: BrokerFill, heard_by: str) -> None:
        before = self._clock.monotonic()
        order = await self._store.reports.apply_fill(fill, heard_by)
        if order is None:
            return
        name = name_of(order)
        self._told(Took(name, "fill", self._clock.monotonic() - before, heard_by, fill.execution_id))
        self._told(
            Filled(
                order=name,
                execution_id=fill.execution_id,
                qty=fill.qty,
                price=fill.price,
                heard_by=heard_by,
            )
        )
        self._told(moved(order))
        if self._listener is not None:
            self._listener.on_fill(order, fill)
            self._tell_if_ended(order)

    async def _enter_order(self, coid: str, row: Row | None) -> None:
        if row is None:
            _log.error("the broker reports an order that we did not send", coid=coid)
            self._told(Unexplained(f"the broker reports {coid}, which we did not send"))
        else:
            self._told(moved(row))
            self._tell_if_ended(row)

    def _tell_if_ended(self, row: Row) -> None:
        """An order has ended once it is over and every fill that the broker spoke of is entered."""
        if row["reported_qty"] > row["filled_qty"]:
            self._last_reconciled = -self._settings.reconcile_every_s  # a fill is owed: ask for it now
        elif OrderState(row["state"]) in TERMINAL and self._listener is not None:
            self._listener.on_ended(row)

    async def _move_to(self, seq: int | None) -> None:
        if seq is not None and seq > self._seq:
            async with self._moved:
                self._seq = seq
                self._moved.notify_all()
