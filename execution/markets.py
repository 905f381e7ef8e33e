"""What an engine is put before: recorded sessions in lock-step, or a live feed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

import polars as pl
import structlog

from data import bus, catalog
from data.bar import BAR_SCHEMA, Bar, step
from data.errors import Refused
from data.postgres import connect
from data.sources import source
from execution.core.book import Book
from execution.deployments import Deployment
from execution.engine import PATIENCE_S, Market
from execution.exchange.control import ExchangeControl
from execution.feeds.live import LiveFeed
from execution.feeds.opening import Wanted, open_feeds
from execution.feeds.replay import ReplayFeed
from execution.recovery import bring_up_to_date, first_bar
from execution.store import Row, Store

FAST_PATIENCE_S: Final = 30.0
NEVER: Final = date(9999, 12, 31)  # when a live run ends

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Replay:
    """Recorded sessions, a bar after the other as soon as everybody is done with the one before."""

    first: date
    last: date
    pace_s: float = 0.0  # seconds a bar takes; 0 is as fast as the exchange and the engine can


@dataclass(frozen=True, slots=True)
class Live:
    """A vendor's feed, or the made-up market's."""

    vendor: str
    speed: float = 1.0  # of the market that is made up
    start: datetime | None = None
    feed_elsewhere: bool = False  # another process publishes it


@dataclass(frozen=True, slots=True)
class Floor:
    """What a market needs of the service."""

    deployed: Sequence[Deployment]
    books: Sequence[Book]
    store: Store
    exchange: ExchangeControl | None
    """the simulated market, where that is the broker"""
    redis: bus.AsyncRedis
    epoch: int

    def books_of(self, deployed: Deployment) -> list[Book]:
        return [book for book in self.books if book.owner.artifact_hash == deployed.hash]


class Place(Protocol):
    """A market as the service runs it."""

    @property
    def feeds(self) -> frozenset[str]: ...

    @property
    def acks(self) -> str | None: ...

    @property
    def patience_s(self) -> float:
        """How long a symbol's bar of an instant is waited for."""
        ...

    @property
    def move(self) -> Market | None: ...

    @property
    def clock_us(self) -> Callable[[], int] | None:
        """The market's clock, where it is one that bars can be late by."""
        ...

    async def prepare(self, runs: dict[str, Row]) -> None:
        """Bring every book to where it stands now; nothing is entered meanwhile."""
        ...

    async def run(self) -> int:
        """Until it is over; returns how many instants it told."""
        ...


class ReplayPlace:
    """The engine and the exchange see a bar, and only then the next."""

    move: Market | None = None
    clock_us: Callable[[], int] | None = None
    patience_s = PATIENCE_S

    def __init__(self, asked: Replay, floor: Floor, account: str) -> None:
        self._asked, self._floor = asked, floor
        self._name = f"replay:{account}:{floor.epoch}"
        self._feed: ReplayFeed | None = None

    @property
    def feeds(self) -> frozenset[str]:
        return frozenset({self._name})

    @property
    def acks(self) -> str | None:
        return bus.acks(self._name)

    async def prepare(self, runs: dict[str, Row]) -> None:
        """From the bar at which the exchange's tape stands."""
        floor, exchange = self._floor, _simulated(self._floor)
        clock_us = (await exchange.clock()).clock_us
        frames: list[pl.DataFrame] = []
        for deployed in floor.deployed:
            bars = deployed.history(self._asked.last, runs[deployed.hash]["snapshot_id"])
            resume = first_bar(bars, self._asked.first)
            if clock_us is not None:
                resume = max(resume, datetime.fromtimestamp(clock_us / 1e6, UTC))
            await bring_up_to_date(deployed, floor.books_of(deployed), bars, resume, floor.store)
            frames.append(bars.filter(pl.col("ts_utc") >= resume))
        tape = pl.concat(frames).unique(["symbol", "ts_utc"])
        self._feed = ReplayFeed(
            self._name, tape, floor.deployed[0].timeframe, exchange, floor.redis, self._asked.pace_s
        )

    async def run(self) -> int:
        assert self._feed is not None, "it is prepared first"
        await self._feed.run()
        return self._feed.told


class LivePlace:
    """Bars come when they come; a simulated market moves with them."""

    acks: str | None = None

    def __init__(self, asked: Live, floor: Floor) -> None:
        self._asked, self._floor = asked, floor
        symbols = sorted({symbol for deployed in floor.deployed for symbol in deployed.universe})
        wanted = Wanted(asked.vendor, tuple(symbols), floor.deployed[0].timeframe, asked.speed, asked.start)
        self._live: list[LiveFeed] = open_feeds(wanted, bus.nearest())
        self._told = 0

    @property
    def feeds(self) -> frozenset[str]:
        return frozenset(feed.name for feed in self._live)

    @property
    def patience_s(self) -> float:
        """A market that is faster than the clock is not measured by it."""
        return PATIENCE_S if self._asked.speed == 1.0 else FAST_PATIENCE_S

    @property
    def move(self) -> Market | None:
        return self._move if self._floor.exchange is not None else None

    @property
    def clock_us(self) -> Callable[[], int] | None:
        return self._now_us if self._asked.speed == 1.0 else None

    async def prepare(self, runs: dict[str, Row]) -> None:
        """From the newest finished bar; what the lake does not have yet is asked of the source."""
        floor = self._floor
        now = datetime.fromtimestamp(self._now_us() / 1e6, UTC)
        if floor.exchange is not None:
            stands_us = (await floor.exchange.clock()).clock_us
            if stands_us is not None and stands_us > now.timestamp() * 1e6:
                at = datetime.fromtimestamp(stands_us / 1e6, UTC)
                raise Refused(
                    f"the account's simulated market stands at {at:%Y-%m-%d %H:%M} UTC, later than the feed at "
                    f"{now:%Y-%m-%d %H:%M}",
                    "Use another account, or a later start.",
                )
        known = set(await floor.store.reports.order_states())
        for deployed in floor.deployed:
            bars = await asyncio.to_thread(_until, deployed, now)
            await bring_up_to_date(deployed, floor.books_of(deployed), bars, now, floor.store)
        for book in floor.books:
            book.owe_what_was_not_sent(known)

    async def run(self) -> int:
        if self._asked.feed_elsewhere:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            for feed in self._live:
                tasks.create_task(feed.run())
        return self._told

    def _now_us(self) -> int:
        return min(feed.now_us() for feed in self._live)

    async def _move(self, bars: Sequence[Bar]) -> int:
        self._told += 1
        return (await _simulated(self._floor).post_bars(bars)).seq


def _until(deployed: Deployment, now: datetime) -> pl.DataFrame:
    """The lake's bars from the anchor on, and behind them the source's own up to now."""
    with connect() as connection:
        newest = catalog.newest_session(connection, f"bars/{deployed.source}/{deployed.timeframe}")
    frames = []
    begins = datetime.combine(deployed.anchor, datetime.min.time(), UTC)
    if newest is not None:
        last = min(newest, now.date() - timedelta(days=1))
        if last >= deployed.anchor:
            frames.append(deployed.history(last))
            begins = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    told = source(deployed.source).history(list(deployed.universe), begins, now, deployed.timeframe)
    known = pl.concat([*frames, told.select(BAR_SCHEMA.names())]) if frames else told
    return known.filter(pl.col("ts_utc") + step(deployed.timeframe) <= now).sort("symbol", "ts_utc")


def _simulated(floor: Floor) -> ExchangeControl:
    if floor.exchange is None:
        raise Refused(
            "recorded sessions are replayed at the exchange simulator only",
            "Set SLIPWAY_BROKER=sim, or trade a live feed.",
        )
    return floor.exchange
