"""Kill means flat, and proved: stop, cancel, close, and look at the broker until it shows nothing.

Works from Postgres and the broker alone: with Redis, Dagster and the API down it is a quarter of a
second slower.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from data.bus import Lost
from data.orders import OPEN
from execution.broker import Broker, BrokerDown, BrokerPosition
from execution.core.book import Book
from execution.core.intents import Intent, client_order_id
from execution.flow.gateway import UNSETTLED, Gateway
from execution.flow.ledger import Ledger
from execution.flow.ports import Clock, OrderStore, Row, Wakes

POLL_S: Final = 0.25
ROUND_S: Final = 1.0  # a round asks the broker, whose patience the closing orders need
OPERATOR: Final = "operator"  # whose orders these are; no strategy may carry the name

_log = structlog.get_logger()


class KillSwitch:
    """Watches the account's control row and carries a kill through."""

    def __init__(
        self,
        store: OrderStore,
        broker: Broker,
        gateway: Gateway,
        ledger: Ledger,
        wakes: Wakes,
        clock: Clock,
        books: Sequence[Book],
    ) -> None:
        self._store = store
        self._broker = broker
        self._gateway = gateway
        self._ledger = ledger
        self._wakes = wakes
        self._clock = clock
        self._books = books
        self.mode = "running"

    async def run(self) -> None:
        """Look at every wake-up and four times a second, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            woken = asyncio.Event()
            tasks.create_task(self._listen(woken))
            while True:
                control = await self._store.standing.control()
                self.mode = control["mode"]
                unproved = self.mode == "killed" and control["verified_flat_at"] is None
                if unproved:
                    try:
                        await self._bring_flat(control)
                    except BrokerDown as error:
                        _log.error("killed, but the broker does not answer; trying again", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROUND_S if unproved else POLL_S):
                        await woken.wait()
                woken.clear()

    async def _bring_flat(self, control: Row) -> None:
        """One round: cancel what is not of this command, close what is held, and believe only the broker.

        What may still fill is read before the broker's positions: what fills in between is counted twice, not missed,
        and nothing is closed twice.  An order of which nobody knows whether it was sent does not hold up the rest.
        """
        occasion = f"kill {control['revision']}"
        ours = await self._store.standing.of_occasion(occasion)
        coming = await self._store.standing.unfilled()
        books = await self._ledger.reconcile()
        there = [order for order in books.orders if order.state is None or order.state in OPEN]
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
            _log.warning("killed and flat: the broker shows no position and no order")

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
