"""One seed's world: an engine that decides, a market that fills, and everything that goes wrong in between.

For a while there are faults, then there are none, and once all is quiet the books must be right.
"""

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from data.orders import signed
from execution.broker import BrokerFill
from execution.core.intents import Intent, client_order_id
from execution.flow.allowance import Allowance
from execution.flow.desk import OrderDesk
from execution.flow.ports import Row
from execution.settings import ExecutionSettings
from execution.simulation.bus import Bus, SimulatedHints, SimulatedWakes
from execution.simulation.chance import Chance
from execution.simulation.checks import Checks, Violated
from execution.simulation.database import Database, DatabaseGone, Fenced, SimulatedStore
from execution.simulation.market import LATENESS_S, Market, MarketOrder, SimulatedBroker
from execution.simulation.process import FROZEN_S, Killed, Process, ProcessClock, Wall
from execution.simulation.virtual_time import NothingLeft, VirtualLoop

ACCOUNT: Final = "sim"
SYMBOLS: Final = ("AAA", "BBB")
STRANGE: Final = "CCC"  # what somebody else trades on our account
PRICE: Final = 100.0
SHARES_MAX: Final = 30.0
TROUBLE_S: Final = 15.0  # there are faults for so long, and decisions a little longer
DAY_END_S: Final = 24.0
REST_S: Final = 45.0
SETTINGS: Final = ExecutionSettings(
    quarantine_s=FROZEN_S + LATENESS_S + 2.0,
    intent_ttl_s=12.0,
    reconcile_every_s=5.0,
    silence_s=3.0,
    order_notional_max=SHARES_MAX * PRICE,
    position_notional_max=SHARES_MAX * PRICE,
    gross_exposure_max=2 * SHARES_MAX * PRICE,
)
SLOW: Final = SETTINGS.model_copy(
    update={"requests_per_minute": 240.0, "requests_at_once": 8.0, "requests_kept": 3.0}
)
"""The same, at a broker that counts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    trace_hash: str
    violation: str | None
    orders: int
    fills: int
    starts: int
    trace: tuple[str, ...]


class World:
    """Everything that there is."""

    def __init__(
        self, seed: int, keep_trace: bool = False, faults: Mapping[str, float] | None = None
    ) -> None:
        self.chance = Chance(seed)
        self.faults = self.chance.faults()
        for name, likely in (faults or {}).items():
            setattr(self.faults, name, likely)
        numbered = self.chance.happens(0.5)
        if numbered:
            self.faults.invisible = 0.0  # what it numbers it also shows
        self.wall = Wall()
        self.settings = SLOW if self.chance.happens(0.3) else SETTINGS
        self.checks = Checks(SHARES_MAX, self.settings.rate)
        self.market = Market(self.chance, self.faults, numbered, self._accepted, self.checks.asked, self.note)
        self.database = Database(ACCOUNT, self.wall, self._written, self._granted)
        self.bus = Bus(self.chance, self.faults)
        self.seed = seed
        self.starts = 0
        self.violation: BaseException | None = None
        self._current: _Engine | None = None  # the youngest: whom faults meet
        self._kept: _Engine | None = None  # the one that is started again
        self._digest = hashlib.blake2b(digest_size=16)
        self._trace: list[str] | None = [] if keep_trace else None

    def note(self, what: str) -> None:
        line = f"{asyncio.get_running_loop().time():.9f} {what}\n"
        self._digest.update(line.encode())
        if self._trace is not None:
            self._trace.append(line)

    def outcome(self) -> Outcome:
        return Outcome(
            self.seed,
            self._digest.hexdigest(),
            None if self.violation is None else f"{type(self.violation).__name__}: {self.violation}",
            len(self.database.orders),
            len(self.database.fills),
            self.starts,
            tuple(self._trace or ()),
        )

    async def live(self) -> None:
        """From the first start to the last check."""
        keeper = asyncio.ensure_future(self._keep_running())
        trouble = asyncio.ensure_future(self._make_trouble())
        try:
            await asyncio.wait([keeper, trouble], timeout=DAY_END_S, return_when=asyncio.FIRST_EXCEPTION)
            self.market.end_the_day()
            await asyncio.wait([keeper], timeout=REST_S - DAY_END_S)
            for task in (keeper, trouble):
                if task.done():
                    task.result()
            assert self._kept is not None, "the keeper makes one at once"
            self.checks.at_rest(self.database, self.market, self._kept.held())
        finally:
            keeper.cancel()
            trouble.cancel()
            await asyncio.wait([keeper, trouble])

    # -- who lives here

    async def _keep_running(self) -> None:
        """Start the engine again whenever it dies, as a supervisor does."""
        while True:
            self._kept = self._new_engine()
            await self._run_once(self._kept)
            await asyncio.sleep(self.chance.between(0.1, 2.0))

    def _new_engine(self) -> "_Engine":
        engine = _Engine(self, Process(f"p{self.starts}", self.chance, self.faults))
        self.starts += 1
        self._current = engine
        return engine

    async def _run_once(self, engine: "_Engine") -> None:
        name = engine.process.name
        self.note(f"{name} starts")
        task = asyncio.ensure_future(engine.run())
        engine.process.runs(task)
        try:
            await asyncio.wait([task])
        finally:
            engine.process.kill()
            await asyncio.wait([task])
            died_of = _leaves(None if task.cancelled() else task.exception())
        for error in died_of:
            if not isinstance(error, Killed | DatabaseGone | Fenced | asyncio.CancelledError):
                raise error
        self.note(f"{name} ended")

    async def _make_trouble(self) -> None:
        loop, chance, faults = asyncio.get_running_loop(), self.chance, self.faults
        stop_at = chance.up_to(TROUBLE_S) if chance.happens(0.3) else None
        others: list[asyncio.Task[None]] = []
        try:
            while loop.time() < TROUBLE_S:
                await asyncio.sleep(chance.up_to(2.0))
                now, engine = loop.time(), self._current
                # the worst moment to pull it is between a claim and its send
                if (
                    stop_at is not None
                    and self.checks.killed_at is None
                    and (now >= stop_at or _frozen(engine))
                ):
                    self._pull_the_switch(now)
                if engine is not None and chance.happens(faults.kill):
                    self.note(f"{engine.process.name} is killed")
                    engine.process.kill()
                if chance.happens(faults.split_brain):
                    others.append(asyncio.ensure_future(self._run_once(self._new_engine())))
                if chance.happens(faults.bus_outage):
                    self.bus.go_away(now + chance.up_to(8.0))
                if chance.happens(faults.broker_outage):
                    self.market.go_away(now + chance.up_to(8.0))
                if chance.happens(faults.clock_jump):
                    self.checks.clock_jumps += 1
                    self.wall.jumped_s += chance.choice((-3600.0, 3600.0))
                if chance.happens(faults.foreign_order):
                    self.market.take_foreign(STRANGE)
            faults.cease()
            self.note("no more faults")
        finally:
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others)

    def _pull_the_switch(self, now: float) -> None:
        self.note("killed by an operator")
        self.database.set_mode("killed")
        self.checks.killed_at = now
        self.bus.wake.set()

    # -- who watches

    def _accepted(self, order: MarketOrder, market: Market) -> None:
        self.checks.accepted(order, market, self.database)

    def _granted(self) -> None:
        self.checks.granted(asyncio.get_running_loop().time())

    def _written(self, before: Row | None, after: Row, epochs: tuple[int, int]) -> None:
        self.note(f"{after['coid']} {after['state']} {after['filled_qty']} {after['attempts']}")
        self.checks.written(before, after, epochs, self.market)

    def watch(self, error: BaseException) -> None:
        self.violation = self.violation or error


class _Engine:
    """What decides: the same on each start, at each instant of the market."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self.process = process
        self._held: dict[str, float] = defaultdict(float)

    def held(self) -> dict[str, float]:
        return {symbol: qty for symbol, qty in self._held.items() if qty}

    def on_fill(self, order: Row, fill: BrokerFill) -> None:
        self._held[fill.symbol] += signed(fill.side, float(fill.qty))

    def on_ended(self, order: Row) -> None:
        """Nothing is sized by what is in flight here."""

    async def run(self) -> None:
        world, process, settings = self._world, self.process, self._world.settings
        store = SimulatedStore(world.database, process, world.chance, world.faults, settings.rate)
        await store.take_lease()
        desk = OrderDesk(
            store,
            SimulatedBroker(world.market, process, self._sent, Allowance(store, settings.rate)),
            SimulatedHints(world.bus, process),
            SimulatedWakes(world.bus, process),
            ProcessClock(world.wall),
            settings,
            [],
        )
        async with asyncio.TaskGroup() as tasks:
            await desk.start(tasks)
            async with desk.ledger.handing_over(self):
                self._held.update(await store.book_positions())
            desk.serve(tasks)
            await self._decide(desk)

    async def _decide(self, desk: OrderDesk) -> None:
        loop = asyncio.get_running_loop()
        tick = int(loop.time())  # the one during which an engine died is decided again
        while tick < TROUBLE_S + 2:
            await asyncio.sleep(max(0.0, tick - loop.time()))
            for symbol in SYMBOLS:
                intent = self._intent(symbol, tick)
                if intent is not None and await desk.gateway.submit(intent) is None:
                    await self.process.turn(0.0)
                    self._world.checks.acknowledged.add(intent.coid)
            tick += 1

    def _intent(self, symbol: str, tick: int) -> Intent | None:
        told = hashlib.sha256(f"{self._world.seed} {symbol} {tick}".encode()).digest()
        if told[0] < 100:
            return None
        return Intent(
            coid=client_order_id(ACCOUNT, "artifact", "strategy", symbol, tick),
            account=ACCOUNT,
            artifact_hash="artifact",
            strategy="strategy",
            symbol=symbol,
            side="buy" if told[1] < 128 else "sell",
            qty=float(1 + told[2] % 15),
            target=None,
            bar_ts_us=tick * 1_000_000,
            reference_price=PRICE,
            decided_at_us=tick * 1_000_000,
        )

    def _sent(self, coid: str) -> None:
        now = asyncio.get_running_loop().time()
        self._world.note(f"{self.process.name} sends {coid}")
        self._world.checks.sent(now, coid, self._world.database)


def run_seed(seed: int, keep_trace: bool = False, faults: Mapping[str, float] | None = None) -> Outcome:
    """Live through one world, in which some faults may be as likely as one likes."""
    world = World(seed, keep_trace, faults)
    loop = VirtualLoop()
    loop.set_exception_handler(
        lambda _, context: world.watch(context.get("exception") or Violated(str(context)))
    )
    try:
        loop.run_until_complete(world.live())
    except (Exception, NothingLeft) as error:
        world.watch(error)
    finally:
        loop.close()
    return world.outcome()


@contextmanager
def silence() -> Iterator[None]:
    """Faults are logged as in production, millions of them; nobody reads that here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _frozen(engine: _Engine | None) -> bool:
    return engine is not None and engine.process.frozen


def _leaves(error: BaseException | None) -> list[BaseException]:
    if error is None:
        return []
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
