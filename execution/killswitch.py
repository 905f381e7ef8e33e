"""Kill means flat, and proved: stop, cancel, close, and look at the broker until it shows nothing.

Works from Postgres and the broker alone: with Redis, Dagster and the API down it is a quarter of a
second slower.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

import structlog

from data import bus
from data.orders import OPEN
from execution.broker import Broker, BrokerDown, BrokerPosition
from execution.core.book import Book
from execution.core.intents import Intent, client_order_id
from execution.gateway import Gateway
from execution.ledger import Ledger
from execution.store import Row, Store

POLL_S: Final = 0.25
LISTEN_S: Final = 10.0
OPERATOR: Final = "operator"  # whose orders these are; no strategy may carry the name

_log = structlog.get_logger()


class KillSwitch:
    """Watches the account's control row and carries a kill through."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        gateway: Gateway,
        ledger: Ledger,
        redis: bus.AsyncRedis,
        books: dict[str, Book],
    ) -> None:
        self._store = store
        self._broker = broker
        self._gateway = gateway
        self._ledger = ledger
        self._redis = redis
        self._books = books  # by symbol: whose position it is
        self.mode = "running"

    async def run(self) -> None:
        """Look at every wake-up and four times a second, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            woken = asyncio.Event()
            tasks.create_task(self._listen(woken))
            while True:
                control = await self._store.standing.control()
                self.mode = control["mode"]
                if self.mode == "killed" and control["verified_flat_at"] is None:
                    try:
                        await self._bring_flat(control)
                    except BrokerDown as error:
                        _log.error("killed, but the broker does not answer; trying again", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await woken.wait()
                woken.clear()

    async def _bring_flat(self, control: Row) -> None:
        """One round: cancel what is not ours, close what is open, and believe only the broker."""
        books = await self._ledger.reconcile()
        ours = await self._store.standing.sent_by(OPERATOR, since=control["changed_at"])
        open_orders = [order for order in books.orders if order.state is None or order.state in OPEN]
        if any(order.coid not in ours for order in open_orders):
            await self._broker.cancel_all()
            return
        closing = {order.symbol for order in open_orders}
        for position in books.positions:
            if position.symbol not in closing:
                await self._close(position, occasion=f"{control['changed_at'].isoformat()} {len(ours)}")
        unsettled = await self._store.standing.orders("('INTENT', 'SENDING')")
        if not books.positions and not open_orders and not unsettled:
            await self._store.standing.verified_flat(control["changed_at"])
            _log.warning("killed and flat: the broker shows no position and no order")

    async def _close(self, position: BrokerPosition, occasion: str) -> None:
        quantity = float(position.qty)
        book = self._books.get(position.symbol)
        now_us = time.time_ns() // 1000
        coid = client_order_id(self._store.account, occasion, OPERATOR, position.symbol, 0)
        refused = await self._gateway.submit(
            Intent(
                coid=coid,
                account=self._store.account,
                artifact_hash=book.artifact_hash if book else None,
                strategy=OPERATOR,
                symbol=position.symbol,
                side="sell" if quantity > 0 else "buy",
                qty=abs(quantity),
                target=None,
                bar_ts_us=book.last_bar_us if book else now_us,
                reference_price=book.last_close if book else 0.0,  # no limit applies to what reduces
                decided_at_us=now_us,
                occasion=occasion,
            )
        )
        if refused is not None:
            _log.error("the closing order was refused; trying again", symbol=position.symbol, limit=refused)
        await self._gateway.settled()

    async def _listen(self, woken: asyncio.Event) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    async with bus.within():
                        await channel.subscribe(bus.control(self._store.account))
                    while True:
                        async with bus.within(2 * LISTEN_S):
                            heard = await channel.get_message(
                                ignore_subscribe_messages=True, timeout=LISTEN_S
                            )
                        if heard:
                            woken.set()
            except bus.Lost as error:
                _log.warning("redis is away; the control row is polled", error=str(error))
                await asyncio.sleep(POLL_S)
