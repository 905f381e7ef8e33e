"""What the process that trades knows of the world around an order: prices, feed, session, registry, data.

Nothing is asked for when an order is checked: a task looks every few seconds, and the checks use what it saw last.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from data import bus, catalog
from data.ingest import dataset_of
from data.instruments import usual_calendar
from data.postgres import connect
from execution.core.book import Book
from execution.core.intents import Intent
from execution.core.risk import Conditions
from execution.core.risk.day import closed, day_of
from execution.deployments import Deployment
from execution.feeds.grid import Grid
from execution.feeds.status import read_status

FEED_LOOK_S: Final = 1.0
FEED_LOOKS: Final = 5  # before the next at the registry and the catalog, which people and nightly jobs change


class BookSurroundings:
    """As the books of one process see it.

    `clock_us` is None where the newest bar tells the time: in a replay, and in a market that is faster than the clock.
    """

    def __init__(
        self,
        deployed: Sequence[Deployment],
        may_open: Callable[[], Collection[str]],
        books: Iterable[Book],
        session_grace_s: float,
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        # every book of a symbol hears the same bars: any of them knows the newest
        self._book_of = {symbol: book for book in books for symbol in book.symbols}
        self._deployed, self._may_open = deployed, may_open
        self._grace_s = session_grace_s
        self._clock_us = clock_us
        self._grid_of = {
            symbol: Grid(usual_calendar(symbol), each.timeframe)
            for each in deployed
            for symbol in each.universe
        }
        for grid in self._grid_of.values():
            grid.session(
                0
            )  # an exchange's calendar takes a second to load: not when the first order is checked
        self._promoted: Collection[str] = ()
        self._unhealthy: Mapping[str, str] = {}
        self._feed = ""

    # -- what order flow asks

    def now_us(self) -> int:
        """Zero before the first bar, where bars tell the time."""
        if self._clock_us is not None:
            return self._clock_us()
        newest = max(self._book_of, key=self._bar_us, default=None)
        return self._end_us(newest) if newest else 0

    def conditions(self, intent: Intent) -> Conditions:
        symbol = intent.symbol
        end_us = self._end_us(symbol)
        now_us = end_us if self._clock_us is None else self._clock_us()
        grid = self._grid_of.get(symbol)
        known = intent.artifact_hash is None or intent.artifact_hash in self._promoted
        return Conditions(
            now_us=now_us,
            price=self._book_of[symbol].closes[symbol] if end_us else None,
            data_age_s=(now_us - end_us) / 1e6 if end_us else None,
            feed=self._feed,
            closed=closed(now_us, grid.calendar, self._grace_s) if grid and now_us else "",
            unpromoted="" if known else f"the artifact {intent.artifact_hash} is on no stage that trades",
            unhealthy=self._unhealthy.get(symbol, ""),
        )

    def prices(self) -> Mapping[str, float]:
        return {symbol: book.closes[symbol] for symbol, book in self._book_of.items() if self._bar_us(symbol)}

    def calendars(self) -> Collection[str]:
        return {grid.calendar for grid in self._grid_of.values()}

    # -- what is looked at meanwhile

    async def look(self) -> None:
        """At the registry and the catalog, once."""
        self._promoted = await asyncio.to_thread(self._may_open)
        self._unhealthy = await asyncio.to_thread(_failed, self._deployed, day_of(self.now_us()))

    async def look_at_feeds(self, redis: bus.AsyncRedis, feeds: Iterable[str]) -> None:
        """How live feeds are doing; one that says nothing is not to be relied on."""
        found = {feed: await read_status(redis, feed) for feed in sorted(feeds)}
        self._feed = "; ".join(
            f"the feed {feed} " + (f"is {status.state}: {status.why}" if status else "says nothing")
            for feed, status in found.items()
            if status is None or not status.reliable
        )

    async def run(self, redis: bus.AsyncRedis, feeds: Iterable[str]) -> None:
        """Look until cancelled; at feeds where the clock runs as the market does, for others nobody is late."""
        while True:
            for _ in range(FEED_LOOKS):
                await asyncio.sleep(FEED_LOOK_S)
                if self._clock_us is not None:
                    await self.look_at_feeds(redis, feeds)
            await self.look()

    def _bar_us(self, symbol: str) -> int:
        book = self._book_of.get(symbol)
        return book.last_bar_us[symbol] if book else 0

    def _end_us(self, symbol: str) -> int:
        """When the newest bar of a symbol ended; 0 without one."""
        at_us = self._bar_us(symbol)
        slot = self._grid_of[symbol].slot(at_us) if at_us else None
        return slot.ends_us if slot else at_us


def _failed(deployed: Iterable[Deployment], day: date) -> dict[str, str]:
    """The symbols whose newest bars failed their checks, and how."""
    found: dict[str, str] = {}
    with connect() as connection:
        for each in deployed:
            dataset = dataset_of(each.source, each.timeframe)
            found |= catalog.unhealthy(connection, dataset, each.universe, day)
    return found
