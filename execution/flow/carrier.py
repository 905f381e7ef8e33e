"""Carries out what people say to an account: nothing open that was decided before, or flat, and proved either way.

Stop, cancel, close, and look at the broker until it shows nothing.  Works from Postgres and the broker alone: with
Redis, Dagster and the API down it is a quarter of a second slower.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from data.bus import Lost
from data.orders import OPEN
from execution.broker import Broker, BrokerDown, BrokerOrder, BrokerPosition
from execution.core.book import Book
from execution.core.intents import Intent, client_order_id
from execution.flow.gateway import UNSETTLED, Gateway
from execution.flow.happenings import BrokerSilent, ModeSeen, Watcher, nobody
from execution.flow.ledger import Ledger
from execution.flow.ports import Clock, OrderStore, Row, Wakes

POLL_S: Final = 0.25
ROUND_S: Final = 1.0  # a round asks the broker, whose patience the closing orders need
ONE_BY_ONE_MAX: Final = 20  # above that one request for all, even if it meets an order that came since
OPERATOR: Final = "operator"  # whose orders these are; no strategy may carry the name
TO_FLAT: Final = {"flattening": "flatten", "killed": "kill"}

_log = structlog.get_logger()


class Carrier:
    """Watches the account's control row and carries its commands through."""

    def __init__(
        self,
        store: OrderStore,
        broker: Broker,
        gateway: Gateway,
        ledger: Ledger,
        wakes: Wakes,
        clock: Clock,
        books: Sequence[Book],
        told: Watcher = nobody,
    ) -> None:
        self._store = store
        self._broker = broker
        self._gateway = gateway
        self._ledger = ledger
        self._wakes = wakes
        self._clock = clock
        self._books = books
        self._told = told
        self.mode = "running"

    async def run(self) -> None:
        """Look at every wake-up and four times a second, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            woken = asyncio.Event()
            tasks.create_task(self._listen(woken))
            while True:
                control = await self._store.standing.control()
                self.mode = control["mode"]
                proved = control["verified_flat_at"] is not None
                self._told(ModeSeen(self.mode, control["revision"], proved))
                unproved = False
                try:
                    unproved = await self._carry_on(control)
                except BrokerDown as error:
                    unproved = True
                    _log.error("the broker does not answer; trying again", mode=self.mode, error=str(error))
                    self._told(BrokerSilent(str(error)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROUND_S if unproved else POLL_S):
                        await woken.wait()
                woken.clear()

    async def _carry_on(self, control: Row) -> bool:
        """One round of what is not proved yet; False when there is nothing to do."""
        if self.mode in TO_FLAT and control["verified_flat_at"] is None:
            await self._bring_flat(control)
            return True
        if control["cancelled_revision"] < control["cancel_revision"]:
            await self._cancel_what_was_before(control["cancel_revision"])
            return True
        return False

    async def _cancel_what_was_before(self, revision: int) -> None:
        """One round: cancel what was decided before this command or is not ours, and believe only the broker.

        What was open of before is read before the broker's orders, and what came since after them: so nothing of
        before is missed, and nothing that came since is cancelled.
        """
        rows = await self._store.standing.orders(OPEN)
        before = [row["coid"] for row in rows if row["revision"] < revision]
        books = await self._ledger.reconcile()
        rows = await self._store.standing.orders(OPEN)
        since = {row["coid"] for row in rows if row["revision"] >= revision}
        there = [order for order in books.orders if _is_open(order)]
        unwanted = [order for order in there if order.coid not in since]
        if len(unwanted) > ONE_BY_ONE_MAX:
            await self._broker.cancel_all()
        else:
            for order in unwanted:
                await self._broker.cancel(order.broker_id)
        if not before and not unwanted:
            await self._store.standing.cancelled(revision)
            _log.warning("cancelled: the broker shows no order of before")

    async def _bring_flat(self, control: Row) -> None:
        """One round: cancel what is not of this command, close what is held, and believe only the broker.

        What may still fill is read before the broker's positions: what fills in between is counted twice, not missed,
        and nothing is closed twice.  An order of which nobody knows whether it was sent does not hold up the rest.
        """
        occasion = f"{TO_FLAT[control['mode']]} {control['revision']}"
        ours = await self._store.standing.of_occasion(occasion)
        coming = await self._store.standing.unfilled()
        books = await self._ledger.reconcile()
        there = [order for order in books.orders if _is_open(order)]
        foreign = [order for order in there if order.coid not in ours]
        if foreign or any(row["coid"] not in ours for row in coming):
            await self._broker.cancel_all()
        busy = {order.symbol for order in there} | {
            row["symbol"] for row in coming if row["coid"] in ours or row["state"] not in UNSETTLED
        }
        for position in books.positions:
            if position.symbol not in busy:
                await self._close(position, occasion, number=len(ours))
        if not books.positions and not there and not coming:
            await self._store.standing.verified_flat(control["revision"])
            _log.warning("flat: the broker shows no position and no order", mode=control["mode"])

    async def _close(self, position: BrokerPosition, occasion: str, number: int) -> None:
        quantity = float(position.qty)
        symbol = position.symbol
        holders = [book for book in self._books if symbol in book.symbols]
        book = max(holders, key=lambda book: abs(book.positions[symbol].size), default=None)
        now_us = self._clock.now_us()
        coid = client_order_id(self._store.account, occasion, OPERATOR, symbol, 0, leg=number)
        refused = await self._gateway.submit(
            Intent(
                coid=coid,
                account=self._store.account,
                artifact_hash=book.owner.artifact_hash if book else None,
                strategy=OPERATOR,
                symbol=symbol,
                side="sell" if quantity > 0 else "buy",
                qty=abs(quantity),
                target=None,
                bar_ts_us=book.last_bar_us[symbol] if book else now_us,
                reference_price=book.closes[symbol] if book else 0.0,  # no limit applies to what reduces
                decided_at_us=now_us,
                occasion=occasion,
            )
        )
        if refused is not None:
            _log.error("the closing order was refused; trying again", symbol=symbol, limit=refused)

    async def _listen(self, woken: asyncio.Event) -> None:
        while True:
            try:
                await self._wakes.woken()
                woken.set()
            except Lost as error:
                _log.warning("redis is away; the control row is polled", error=str(error))
                await asyncio.sleep(POLL_S)


def _is_open(order: BrokerOrder) -> bool:
    """A status that nobody knows may be one of an open order."""
    return order.state is None or order.state in OPEN
