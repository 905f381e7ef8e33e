"""Start, restart and takeover of an account's order flow: one path.

Find out what became of every order that may or may not have been sent, make the ledger equal to the broker's books,
and only then send.
"""

import asyncio
from collections.abc import Sequence

from execution.broker import Broker
from execution.core.book import Book
from execution.flow.carrier import Carrier
from execution.flow.gateway import Gateway
from execution.flow.guard import Guard
from execution.flow.happenings import Watcher, nobody
from execution.flow.ledger import Ledger
from execution.flow.ports import Clock, Hints, OrderStore, Surroundings, Wakes
from execution.flow.warden import Warden
from execution.settings import ExecutionSettings


class OrderDesk:
    """Gateway, ledger, guard, carrier of commands and warden of one account."""

    def __init__(
        self,
        store: OrderStore,
        broker: Broker,
        hints: Hints,
        wakes: Wakes,
        clock: Clock,
        surroundings: Surroundings,
        settings: ExecutionSettings,
        books: Sequence[Book],
        told: Watcher = nobody,
    ) -> None:
        self.warden = Warden(store, clock, settings, told)
        self.ledger = Ledger(store, broker, clock, settings, self.warden, told)
        self.guard = Guard(store, surroundings, settings)
        self.gateway = Gateway(
            store, broker, hints, clock, self.guard.conditions, settings, told, self.warden.granted
        )
        self.carrier = Carrier(store, broker, self.gateway, self.ledger, wakes, clock, books, told)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Returns when the ledger is equal to the broker's books and nothing that was decided before is unknown."""
        tasks.create_task(self.gateway.run())
        tasks.create_task(self.carrier.run())
        await self.gateway.resolved()
        await self.ledger.equal_to_the_broker()
        self.gateway.open()
        await self.gateway.settled()

    async def serve(self, tasks: asyncio.TaskGroup) -> None:
        """From here on what the broker says is entered as it comes, and the day's loss is known."""
        tasks.create_task(self.ledger.run())
        await self.guard.look()
        tasks.create_task(self.guard.run())
