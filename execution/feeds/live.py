"""A live feed: one vendor's stream, kept alive, checked, made into bars without holes, and published.

Around the pure parts there is only this: connect, hear, ask history for what was missed, look at the clock.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog

from data.backoff import Backoff
from data.bar import Bar, Tick
from execution.feeds.backfill import Backfill, History
from execution.feeds.building import BarBuilder
from execution.feeds.checking import TickChecker, Tolerance, fault_of_bar
from execution.feeds.continuity import Continuity, Gap, Line
from execution.feeds.contract import FinishedBar, Interrupted, Stream, Subscribed, Told, Unreadable
from execution.feeds.freshness import Freshness
from execution.feeds.grid import Grid
from execution.feeds.publisher import Publisher
from execution.feeds.settings import FeedSettings
from execution.feeds.status import KEPT_S, STATUS_EVERY_S, FeedStatus, State

LOOK_EVERY_S: Final = 0.1  # at the clock: how late a bar is at most that no trade finishes
GOODBYE_S: Final = 3.0  # for what is still on its way to Redis when the feed stops
TURN: Final = 256  # messages in a row before others have a turn: a flood never lets go by itself

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance; a test brings its own."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random  # from 0 up to 1


class LiveFeed:
    """Runs one stream until it is told to stop, or until only a person can help."""

    def __init__(
        self,
        stream: Stream,
        grids: Mapping[str, Grid],
        history: History,
        publisher: Publisher,
        settings: FeedSettings,
        around: Surroundings | None = None,
    ) -> None:
        self._stream = stream
        self._grids = grids
        self._publisher = publisher
        self._settings = settings
        self._sleep = (around or Surroundings()).sleep
        self._checker = TickChecker(Tolerance(_us(settings.ahead_s), _us(settings.behind_s)))
        self._freshness = Freshness(grids, _us(settings.stale_after_s), stream.now_us())
        self._continuity = Continuity(grids, {})
        self._builder: BarBuilder | None = None
        chance = (around or Surroundings()).chance
        self._backoff = Backoff(settings.reconnect_first_s, settings.reconnect_longest_s, chance)
        self._backfill = Backfill(
            history,
            next(iter(grids.values())).timeframe,
            stream.now_us,
            self._sleep,
            _us(settings.backfill_settle_s),
            _us(settings.backfill_patience_s),
            Backoff(settings.reconnect_first_s, settings.reconnect_longest_s, chance),
        )
        self._filling: asyncio.Task[None] | None = None
        self._patience: asyncio.Timeout | None = None
        self._stopping, self._news = asyncio.Event(), asyncio.Event()
        self._subscribed_us: int | None = None  # None while there is no connection
        self._state: State = "connecting"
        self._why = ""
        self._connections = self._holes = 0
        self._counted: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """What entries of `md.*` and `feed.*` know it by."""
        return self._stream.name

    def now_us(self) -> int:
        """The market's clock."""
        return self._stream.now_us()

    def stop(self) -> None:
        """End in good order: nothing new is heard, what was heard goes out."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`, or the end of the stream."""
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._publisher.run())
            self._continuity = Continuity(self._grids, await self._publisher.told_before())
            listening = tasks.create_task(self._listen(tasks))
            stopping = tasks.create_task(self._stopping.wait())
            others = [tasks.create_task(each) for each in (self._look(), self._report())]
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (listening, stopping, *others, *filter(None, [self._filling])):
                task.cancel()
            with contextlib.suppress(
                TimeoutError
            ):  # Redis is away; what waits for it is lost with this process
                async with asyncio.timeout(GOODBYE_S):
                    await self._publisher.gone_out()
            self._state = "stopped"
            await self._publisher.tell_status(self.status(), KEPT_S)
            telling.cancel()

    def status(self) -> FeedStatus:
        now_us = self._stream.now_us()
        parts = [self._counted, self._checker.dropped, self._continuity.counted, self._publisher.counted]
        counted = sum([*parts, *([self._builder.counted] if self._builder else [])], Counter[str]())
        return FeedStatus(
            state=self._state,
            at_us=now_us,
            why=self._why,
            connections=self._connections,
            silent_us=self._freshness.silence_us(now_us),
            holes=self._holes,
            heard_us=self._freshness.heard_us,
            counted=dict(counted),
        )

    # -- hear

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                async with asyncio.timeout(None) as self._patience, aclosing(self._stream.told()) as all_told:
                    heard = 0
                    async for told in all_told:
                        await self._hear(told, tasks)
                        heard += 1
                        if heard % TURN == 0:
                            await asyncio.sleep(0)
            except Interrupted as error:
                self._interrupted(str(error))
            except TimeoutError:
                self._interrupted("nothing was heard for too long while a session was on")
            else:
                self._subscribed_us = None
                if self._filling is not None:  # the stream is over, but not what history has of it
                    await asyncio.wait({self._filling}, timeout=GOODBYE_S)
                return
            await self._sleep(self._backoff.wait_s())

    async def _hear(self, told: Told, tasks: asyncio.TaskGroup) -> None:
        match told:
            case Tick() if told.symbol in self._grids:
                now_us = self._stream.now_us()
                if self._checker.accept(told, now_us):
                    self._heard(told.symbol, now_us)
                    # What a tick finishes was over before it.
                    await self._tell_bars(self._builder.add(told) if self._builder else ())
                    await self._publisher.tell(told)
            case FinishedBar(bar) if bar.symbol in self._grids:
                now_us = self._stream.now_us()
                fault = fault_of_bar(bar, now_us)
                if fault is None:
                    self._heard(bar.symbol, now_us)
                    await self._tell_bars([told])
                else:
                    self._counted[fault] += 1
            case Subscribed():
                await self._subscribed(tasks)
            case Unreadable(why):
                self._counted["unreadable"] += 1
                _log.warning("a message that nobody understands", feed=self.name, why=why)
            case _:
                self._counted["not asked for"] += 1

    def _heard(self, symbol: str, now_us: int) -> None:
        self._freshness.heard(symbol, now_us)
        self._backoff.reset()

    async def _subscribed(self, tasks: asyncio.TaskGroup) -> None:
        now_us = self._subscribed_us = self._stream.now_us()
        self._connections += 1
        self._note()
        whole_from_us = {symbol: _opens_us(grid, now_us) for symbol, grid in self._grids.items()}
        if not self._stream.tells_bars:
            if self._builder is None:
                grace_us, fill_quiet = _us(self._settings.grace_s), self._settings.fill_quiet
                self._builder = BarBuilder(self._grids, grace_us, now_us, fill_quiet=fill_quiet)
            else:
                self._builder.restart(now_us)
            whole_from_us = {symbol: self._builder.whole_from_us(symbol) for symbol in self._grids}
        gap = self._continuity.connected(now_us, whole_from_us)
        if gap is None:
            await self._publish(self._continuity.release())
        else:
            self._filling = tasks.create_task(self._fill(gap))

    def _interrupted(self, why: str) -> None:
        self._subscribed_us, self._why = None, why
        if self._filling is not None:
            self._filling.cancel()  # the next connection asks for this gap and its own
        self._note()
        _log.warning("the stream was interrupted", feed=self.name, why=why)

    async def _fill(self, gap: Gap) -> None:
        async def tell(bars: list[Bar]) -> None:
            await self._publish(self._continuity.history(bars))

        if not await self._backfill.fill(gap, tell):
            self._holes += 1
            _log.error("a gap stays open", feed=self.name, symbols=gap.symbols)
        await self._publish(self._continuity.release())

    async def _tell_bars(self, bars: Iterable[FinishedBar]) -> None:
        for told in bars:
            await self._publish(self._continuity.live(told))

    async def _publish(self, lines: list[Line]) -> None:
        for line in lines:
            await self._publisher.tell(line)

    # -- look at the clock

    async def _look(self) -> None:
        """Finish bars that no trade finishes, and break off a connection that has gone mute."""
        while True:
            now_us = self._stream.now_us()
            if self._builder is not None and self._subscribed_us is not None:
                await self._tell_bars(self._builder.advance(now_us))
            self._note()
            if self._subscribed_us is not None and self._freshness.stale(now_us, self._subscribed_us):
                self._subscribed_us = None
                if self._patience is not None:
                    self._patience.reschedule(asyncio.get_running_loop().time())
            await self._sleep(LOOK_EVERY_S)

    def _note(self) -> None:
        """The state is told at once when it changes."""
        now_us = self._stream.now_us()
        state: State = "live"
        if self._freshness.stale(now_us):
            state = "stale"
        elif self._subscribed_us is None:
            state = "connecting"
        elif not self._freshness.in_session(now_us):
            state = "closed"
        if state != self._state:
            _log.info("the feed is " + state, feed=self.name)
            self._state = state
            self._news.set()

    async def _report(self) -> None:
        while True:
            self._news.clear()
            await self._publisher.tell_status(self.status(), KEPT_S)
            waiting = asyncio.create_task(self._news.wait())
            await asyncio.wait({waiting}, timeout=STATUS_EVERY_S)
            waiting.cancel()


def _opens_us(grid: Grid, now_us: int) -> int:
    """The open of the bar that a vendor will finish next: it knows the whole of the one that is forming."""
    return (grid.slot(now_us) or grid.first_from(now_us)).opens_us


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
