"""One seed's world: an engine that decides, a market that fills, and everything that goes wrong in between.

For a while there are faults, then there are none, and once all is quiet the books must be right.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import structlog

from data.control import Verb
from execution.core.risk.day import day_of, profit
from execution.flow.ports import Row
from execution.settings import ExecutionSettings
from execution.simulation.bus import Bus
from execution.simulation.chance import Chance
from execution.simulation.checks import Checks, Violated
from execution.simulation.database import Database
from execution.simulation.engine import ACCOUNT, PRICE, SYMBOLS, Engine, Place
from execution.simulation.market import LATENESS_S, Market, MarketOrder
from execution.simulation.people import People
from execution.simulation.process import FROZEN_S, Killed, Process, Wall
from execution.simulation.store import DatabaseGone, Fenced
from execution.simulation.virtual_time import NothingLeft, VirtualLoop

STRANGE: Final = "CCC"  # what somebody else trades on our account
SHARES_MAX: Final = 30.0
MOVES: Final = (Decimal("0.9"), Decimal("0.97"), Decimal("1.03"), Decimal("1.1"))  # of the price, at once
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
    daily_loss_max=250.0,
    price_collar_bps=float("inf"),  # decisions know nothing of the price
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
        self.checks = Checks(SHARES_MAX, self.settings)
        self.market = Market(self.chance, self.faults, numbered, self._accepted, self.checks.asked, self.note)
        self.database = Database(
            ACCOUNT, self.wall, self._written, self._granted, self._commanded, self._believed
        )
        self.bus = Bus(self.chance, self.faults)
        self.place = Place(
            seed, self.chance, self.faults, self.settings, self.wall, self.market, self.database, self.bus,
            TROUBLE_S + 2, self._sent, self.checks.acknowledged,
        )  # fmt: skip
        self.people = People(self.chance, self.faults, self.database, self.bus)
        self.starts = 0
        self.violation: BaseException | None = None
        self._current: Engine | None = None  # the youngest: whom faults meet
        self._kept: Engine | None = None  # the one that is started again
        self._digest = hashlib.blake2b(digest_size=16)
        self._trace: list[str] | None = [] if keep_trace else None

    def note(self, what: str) -> None:
        line = f"{asyncio.get_running_loop().time():.9f} {what}\n"
        self._digest.update(line.encode())
        if self._trace is not None:
            self._trace.append(line)

    def outcome(self) -> Outcome:
        return Outcome(
            self.place.seed,
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
            self._watch_the_loss()
            self.checks.at_rest(self.database, self.market, self._kept.held(), day_of(self.wall.now_us()))
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

    def _new_engine(self) -> "Engine":
        engine = Engine(self.place, Process(f"p{self.starts}", self.chance, self.faults))
        self.starts += 1
        self._current = engine
        return engine

    async def _run_once(self, engine: "Engine") -> None:
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
        others: list[asyncio.Task[None]] = []
        try:
            while loop.time() < TROUBLE_S:
                await asyncio.sleep(chance.up_to(2.0))
                now, engine = loop.time(), self._current
                # the worst moment to say something is between a claim and its send
                self.people.act(at_once=_frozen(engine))
                if chance.happens(faults.market_move):
                    self.market.move(chance.choice(MOVES))
                    self._watch_the_loss()
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

    # -- who watches

    def _accepted(self, order: MarketOrder, market: Market) -> None:
        self.checks.accepted(order, market, self.database)

    def _granted(self) -> None:
        self.checks.granted(self._now())

    def _written(self, before: Row | None, after: Row, epochs: tuple[int, int]) -> None:
        self.note(f"{after['coid']} {after['state']} {after['filled_qty']} {after['attempts']}")
        self.checks.written(before, after, epochs, self.market)
        if before is None:
            self.checks.decided(self._now(), after, self.database)
        self._watch_the_loss()

    def _commanded(self, verb: Verb) -> None:
        self.note(f"somebody says {verb}")
        self.checks.commanded(self._now(), verb, self.database.control["mode"])

    def _believed(self, proved: Row) -> None:
        self.note(f"proved: {sorted(proved)}")
        self.checks.believed(proved, self.database, self.market, SYMBOLS)

    def _watch_the_loss(self) -> None:
        day = self.database.days.get(day_of(self.wall.now_us()))
        made = profit(self.database.held(), dict.fromkeys(SYMBOLS, float(self.market.price)))
        self.checks.lost(self._now(), 0.0 if day is None else day - made)

    def _sent(self, process: Process, coid: str) -> None:
        self.note(f"{process.name} sends {coid}")
        self.checks.sent(self._now(), coid, self.database)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def watch(self, error: BaseException) -> None:
        self.violation = self.violation or error


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


def _frozen(engine: Engine | None) -> bool:
    return engine is not None and engine.process.frozen


def _leaves(error: BaseException | None) -> list[BaseException]:
    if error is None:
        return []
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
