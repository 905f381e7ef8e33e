"""The execution service: one account, from taking the lease to giving it back.

The composition root: everything that trades is made and wired here.  Starting, restarting and recovering
are one path: take the lease, settle what is unknown, reconcile, bring the books up to date, trade.
"""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date

import polars as pl
import structlog

from data import bus, catalog
from data.control import ensure_account
from data.errors import Refused
from data.postgres import Connections, connect
from data.settings import get_settings
from execution import lease, loading
from execution.announce import announce
from execution.bells import RedisHints, RedisWakes
from execution.broker.venue import venue
from execution.clock import MachineClock
from execution.core.book import Book
from execution.core.roster import Roster
from execution.engine import Engine
from execution.exchange.control import ExchangeControl
from execution.feeds.replay import ReplayFeed
from execution.flow.allowance import Allowance
from execution.flow.desk import OrderDesk
from execution.flow.killswitch import KillSwitch
from execution.flow.ledger import Ledger
from execution.loading import Promoted
from execution.recovery import bring_up_to_date, refuse_what_no_book_owns
from execution.settings import ExecutionSettings
from execution.store import Row, Store

CONNECTIONS = 6  # engine, gateway, ledger, control, heartbeat, and one to spare

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a person asked of the service."""

    account: str
    first: date  # sessions to replay
    last: date
    pace_s: float = 0.0  # seconds a bar takes; 0 is as fast as the exchange and the engine can
    exit_when_done: bool = False
    take_over: bool = False


async def run(asked: Assignment) -> None:
    """Trade until the replay is over (or for ever), SIGTERM, or an error that only a new start can mend."""
    settings, execution = get_settings(), ExecutionSettings()
    promoted = loading.promoted_to_paper()
    loading.check_range(promoted, asked.first, asked.last)
    with connect() as connection:
        snapshot = catalog.newest_snapshot(connection)
    async with AsyncExitStack() as stack:
        cash = sum(one.manifest.capital for one in promoted)
        costs = loading.common_costs(promoted)
        broker, keys = await stack.enter_async_context(
            venue(
                asked.account,
                cash=cash,
                slippage_bps=costs.slippage_bps,
                commission_bps=costs.commission_bps,
                commission_min=costs.commission_min,
            )
        )
        with connect() as connection:
            ensure_account(connection, asked.account, execution.broker, cash)
        pool = await stack.enter_async_context(Connections(CONNECTIONS))
        async with pool.lend() as connection_:
            epoch = await lease.take(connection_, asked.account, take_over=asked.take_over)
        store = Store(pool, asked.account, epoch, execution.rate)
        broker.allowed = Allowance(store.standing, execution.rate)
        redis = bus.connect_async()
        stack.push_async_callback(redis.aclose)
        exchange = await stack.enter_async_context(ExchangeControl(settings.exchange(), keys))

        runs = {one.artifact.hash: await _run_of(store, one, asked, snapshot) for one in promoted}
        books = [book for one in promoted for book in loading.books_of(one, asked.account)]
        engine = Engine(Roster(books))
        desk = OrderDesk(
            store,
            broker,
            RedisHints(redis, asked.account),
            RedisWakes(redis, asked.account),
            MachineClock(),
            execution,
            books,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                _stop_on_signals(tasks)
                await desk.start(tasks)
                async with desk.ledger.handing_over(engine):
                    feed = await _prepare(promoted, books, runs, asked, store, exchange, redis, epoch)
                desk.serve(tasks)
                tasks.create_task(engine.run(feed.name, desk.gateway, desk.ledger, redis))
                tasks.create_task(announce(store, redis))
                tasks.create_task(_heartbeat(store, engine, desk.ledger, desk.switch, feed, runs))
                await feed.run()
                for artifact, row in runs.items():
                    await store.standing.finish_run(
                        row["id"], int(row["bars"]) + engine.roster.bars_of(artifact)
                    )
                _log.info("the replay is over", bars=feed.told)
                if asked.exit_when_done:
                    raise _Done
        except* _Done:
            pass
        finally:
            async with pool.lend() as connection_:
                await lease.give_back(connection_, asked.account, epoch)


class _Done(Exception):
    """A clean end."""


def _stop_on_signals(tasks: asyncio.TaskGroup) -> None:
    stopping = asyncio.Event()

    async def stop() -> None:
        await stopping.wait()
        raise _Done

    tasks.create_task(stop())
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopping.set)


async def _run_of(store: Store, one: Promoted, asked: Assignment, snapshot: int) -> Row:
    row = await store.standing.start_run(
        {
            "account": asked.account,
            "artifact_hash": one.artifact.hash,
            "feed": "replay",
            "first_session": asked.first,
            "last_session": asked.last,
            "snapshot_id": snapshot,
        }
    )
    if row["finished_at"] is not None:
        raise Refused(
            f"{one.name} traded {asked.first} to {asked.last} on {asked.account} already",
            "Choose later sessions, or another account.",
        )
    return row


async def _prepare(
    promoted: list[Promoted],
    books: list[Book],
    runs: dict[str, Row],
    asked: Assignment,
    store: Store,
    exchange: ExchangeControl,
    redis: bus.AsyncRedis,
    epoch: int,
) -> ReplayFeed:
    """Bring every book to the bar at which trading goes on, and make the feed that continues from there."""
    clock_us = (await exchange.clock()).clock_us
    frames: list[pl.DataFrame] = []
    for one in promoted:
        own = [book for book in books if book.owner.artifact_hash == one.artifact.hash]
        snapshot = runs[one.artifact.hash]["snapshot_id"]
        frames.append(await bring_up_to_date(one, own, asked.first, asked.last, clock_us, snapshot, store))
    refuse_what_no_book_owns(books, await store.standing.positions(), asked.account)
    tape = pl.concat(frames).unique(["symbol", "ts_utc"])
    feed = f"replay:{asked.account}:{epoch}"
    return ReplayFeed(feed, tape, promoted[0].manifest.timeframe, exchange, redis, asked.pace_s)


async def _heartbeat(
    store: Store, engine: Engine, ledger: Ledger, switch: KillSwitch, feed: ReplayFeed, runs: dict[str, Row]
) -> None:
    counted = {artifact: int(row["bars"]) for artifact, row in runs.items()}  # before a restart
    while True:
        await store.standing.heartbeat(
            {**engine.status(), "feed": feed.name, "mode": switch.mode, "mismatches": ledger.mismatches},
            {
                row["id"]: counted[artifact] + engine.roster.bars_of(artifact)
                for artifact, row in runs.items()
            },
        )
        await asyncio.sleep(lease.HEARTBEAT_S)
