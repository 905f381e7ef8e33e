"""The execution service: one account, from taking the lease to giving it back.

The composition root: everything that trades is made and wired here.  Starting, restarting and recovering
are one path: take the lease, settle what is unknown, reconcile, bring the books up to date, trade.
"""

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import structlog

from data import bus, catalog, trail
from data.control import ensure_account
from data.errors import Refused
from data.postgres import Connections, connect
from data.settings import get_settings
from data.swift import LATER_S, Link
from execution import lease
from execution.announce import announce
from execution.bars import Bars
from execution.bells import RedisHints, RedisWakes
from execution.broker.venue import venue
from execution.clock import MachineClock, wall_us
from execution.core.roster import Roster
from execution.deployments import Deployment, StrategySource, common_terms
from execution.engine import Engine
from execution.exchange.control import ExchangeControl
from execution.failpoint import reach
from execution.flow.allowance import Allowance
from execution.flow.desk import OrderDesk
from execution.markets import NEVER, Floor, Live, LivePlace, Place, Replay, ReplayPlace
from execution.recovery import refuse_what_no_book_owns
from execution.separation import strategies_for
from execution.settings import ExecutionSettings
from execution.store import Row, Store
from execution.surroundings import BookSurroundings
from execution.visibility import heartbeat
from execution.visibility.desk_watch import DeskWatch, Outlets, watching

TRAIL_S: Final = 1.0  # within which a refusal is in the audit log
GOODBYE_S: Final = 5.0  # for orders that are on their way when somebody wants us to end
CONNECTIONS: Final = 7  # engine, gateway, ledger, control, heartbeat, who watches, and one to spare

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a person asked of the service."""

    account: str
    market: Replay | Live
    strategies: StrategySource | None = None  # every version on the broker's stage
    exit_when_done: bool = False
    take_over: bool = False


async def run(asked: Assignment) -> None:
    """Trade until the market is over (or for ever), SIGTERM, or an error that only a new start can mend."""
    settings, execution = get_settings(), ExecutionSettings()
    outlets = Outlets(asked.account, execution)
    strategies = strategies_for(execution.broker, asked.market, asked.strategies)
    deployed = strategies.deployments()
    costs, _, _ = common_terms(deployed)
    if isinstance(asked.market, Replay):
        for one in deployed:
            one.must_have_bars(asked.market.first, asked.market.last)
    with connect() as connection:
        snapshot = catalog.newest_snapshot(connection)
    async with AsyncExitStack() as stack:
        cash = sum(one.capital for one in deployed)
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
        # One that is frozen while it holds the lease's row must not keep out who takes over.
        pool = await stack.enter_async_context(
            Connections(CONNECTIONS, idle_in_transaction_s=lease.DEAD_AFTER_S)
        )
        async with pool.lend() as connection_:
            before = await lease.holder(connection_, asked.account)
            epoch = await lease.take(connection_, asked.account, take_over=asked.take_over)
        reach("after_takeover")
        store = Store(pool, asked.account, epoch, execution.rate)
        allowance = Allowance(store.standing, execution.rate)
        broker.counted_by(allowance)
        redis = bus.connect_async()
        stack.push_async_callback(redis.aclose)
        structlog.contextvars.bind_contextvars(account=asked.account, epoch=epoch)
        watch = await stack.enter_async_context(watching(store, epoch, redis, execution, outlets))
        if before:
            watch.alerts.raise_alert("lease_taken", "warning", asked.account, taken_from=before, epoch=epoch)
        exchange = None  # of a real market, nobody moves the prices
        if keys is not None:
            exchange = await stack.enter_async_context(ExchangeControl(settings.exchange(), keys))
        books = [book for one in deployed for book in one.books(asked.account)]
        floor = Floor(deployed, books, store, exchange, redis, epoch)
        place = _place(asked, floor)
        engine = Engine(Roster(books), place.patience_s, watch.told)
        nearest = bus.nearest()
        telling = Link(nearest, name=f"telling.{asked.account}", answers_after_s=LATER_S)
        hearing_bars, hearing_hints = (
            Link(nearest, name=f"{what}.{asked.account}") for what in ("bars", "hints")
        )
        surroundings = BookSurroundings(
            deployed, strategies.may_open, books, execution.session_grace_s, place.clock_us
        )
        desk = OrderDesk(
            store,
            broker,
            RedisHints(asked.account, epoch, hearing_hints, telling),
            RedisWakes(redis, asked.account),
            MachineClock(),
            surroundings,
            execution,
            books,
            watch.told,
        )
        allowance.granted = desk.warden.granted
        try:
            runs = {one.hash: await _run_of(store, one, asked, snapshot) for one in deployed}
            async with asyncio.TaskGroup() as tasks:
                stopping = _stop_on_signals(tasks)
                for link in (telling, hearing_bars, hearing_hints):
                    tasks.create_task(link.run())
                await desk.start(tasks)
                async with desk.ledger.handing_over(engine):
                    await place.prepare(runs)
                    refuse_what_no_book_owns(books, await store.standing.positions(), asked.account)
                await surroundings.look()
                await desk.serve(tasks)
                tasks.create_task(surroundings.run(redis, place.feeds))
                tasks.create_task(_keep_the_trail(asked.account))
                bars = Bars(
                    place.feeds,
                    engine.roster.symbols,
                    asked.account,
                    epoch,
                    hearing_bars,
                    telling,
                    place.acks,
                )
                at_work = tasks.create_task(engine.run(bars, desk, place.move))
                tasks.create_task(announce(store, redis))
                tasks.create_task(watch.run(desk.gateway, place.feeds))
                tasks.create_task(_heartbeat(store, redis, engine, desk, watch, place, runs))
                market = tasks.create_task(_tell(place, bars))
                await asyncio.wait({market, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if market.done():
                    for artifact, row in runs.items():
                        decided = int(row["bars"]) + engine.roster.bars_of(artifact)
                        await store.standing.finish_run(row["id"], decided)
                    _log.info("the market is over", instants=market.result())
                    if not asked.exit_when_done:
                        await stopping
                at_work.cancel()
                with suppress(TimeoutError):  # nobody decides any more; what was decided is answered for
                    async with asyncio.timeout(GOODBYE_S):
                        await desk.gateway.settled()
                raise _Done
        except* _Done:
            pass
        finally:
            async with pool.lend() as connection_:
                await lease.give_back(connection_, asked.account, epoch)


async def _tell(place: Place, bars: Bars) -> int:
    """Run the market once the engine hears it."""
    await bars.ready()
    return await place.run()


def _place(asked: Assignment, floor: Floor) -> Place:
    if isinstance(asked.market, Replay):
        return ReplayPlace(asked.market, floor, asked.account)
    return LivePlace(asked.market, floor)


class _Done(Exception):
    """A clean end."""


def _stop_on_signals(tasks: asyncio.TaskGroup) -> "asyncio.Task[bool]":
    """Done once somebody wants us to end."""
    asked = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, asked.set)
    return tasks.create_task(asked.wait())


async def _run_of(store: Store, one: Deployment, asked: Assignment, snapshot: int) -> Row:
    market = asked.market
    first, last = (market.first, market.last) if isinstance(market, Replay) else (_begins(market), NEVER)
    row = await store.standing.start_run(
        {
            "account": asked.account,
            "artifact_hash": one.hash,
            "feed": "replay" if isinstance(market, Replay) else market.vendor,
            "first_session": first,
            "last_session": last,
            "snapshot_id": snapshot,
        }
    )
    if row["finished_at"] is not None:
        raise Refused(
            f"{one.name} traded {first} to {last} on {asked.account} already",
            "Choose later sessions, or another account.",
        )
    return row


def _begins(market: Live) -> date:
    return (market.start or datetime.fromtimestamp(wall_us() / 1e6, UTC)).date()


async def _keep_the_trail(account: str) -> None:
    """Copy what was refused, and what the guard did, into the audit log."""
    while True:
        await asyncio.to_thread(trail.enter, account)
        await asyncio.sleep(TRAIL_S)


async def _heartbeat(
    store: Store,
    redis: bus.AsyncRedis,
    engine: Engine,
    desk: OrderDesk,
    watch: DeskWatch,
    place: Place,
    runs: dict[str, Row],
) -> None:
    counted = {artifact: int(row["bars"]) for artifact, row in runs.items()}  # before a restart
    while True:
        status = {
            **engine.status(),
            **watch.status(),
            "feed": ", ".join(sorted(place.feeds)),
            "mode": desk.carrier.mode,
            "mismatches": desk.ledger.mismatches,
        }
        await store.standing.heartbeat(
            status,
            {
                row["id"]: counted[artifact] + engine.roster.bars_of(artifact)
                for artifact, row in runs.items()
            },
        )
        await heartbeat.tell_redis(redis, store.account, status)
        await asyncio.sleep(lease.HEARTBEAT_S)
