"""One session traded under faults: cards are played while its engines trade, until the session is over."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TextIO

from data import bus
from execution.exchange.control import ExchangeControl
from execution.exchange.faults import FaultKind
from orchestration.chaos.deck import Card, Deck, Kind, Target
from orchestration.chaos.lives import Lives
from orchestration.chaos.steps import Steps, Trap
from orchestration.chaos.strikes import Ending, Strikes
from orchestration.chaos.world import CAPITAL, World

AT_ONCE: Final = 4  # faults that may overlap
BREATH_EVERY: Final = 8  # cards, after which a bar must be decided: a world that only fails shows nothing
SESSION_CARDS: Final = 24  # then it is traded to its end in peace, and judged
GAP_S: Final = (0.02, 0.3)  # between one fault and the next
STUCK_AFTER_S: Final = (
    60.0  # without a bar: the longest freeze and every time-out behind it are over long before
)

# Steps that an undisturbed session does not come to, and what brings it there.
_PROVOKED: Final = {
    "before_question": Card(Kind.KNOB, Target.EXCHANGE, knob=FaultKind.LOSE_REPLY),
    "after_books": Card(Kind.KNOB, Target.EXCHANGE, knob=FaultKind.DROP_SOCKETS),
    "after_takeover": Card(Kind.KILL, Target.ENGINE),
}


@dataclass
class Told:
    """What became of one session."""

    account: str
    struck: list[Card] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    engines: int = 0
    seconds: float = 0.0
    complaints: list[str] = field(default_factory=list)


class Turmoil:
    """One session of one account."""

    def __init__(self, world: World, account: str, deck: Deck, chance: Random, journal: TextIO) -> None:
        self._world = world
        self._deck = deck
        self._chance = chance
        self._journal = journal
        self._steps = Steps()
        self._path = world.sockets / f"{account}.sock"
        self._lives = Lives(world, account, self._path)
        self._free = asyncio.Semaphore(AT_ONCE)
        self.told = Told(account)

    async def live(self, until: Callable[[], bool]) -> None:
        """Trade the session whole; no fault is begun any more once `until` says so."""
        began = time.monotonic()
        url = self._world.exchange_url
        async with ExchangeControl(url) as opening:
            keys = await opening.open_account(self.told.account, cash=CAPITAL)
        redis = bus.connect_async(self._world.redis_url)
        try:
            async with ExchangeControl(url, keys) as exchange, self._steps.heard(self._path):
                strikes = Strikes(self._world, self._lives, exchange, redis)
                async with asyncio.TaskGroup() as tasks:
                    stuck = tasks.create_task(self._end_what_is_stuck())
                    player = tasks.create_task(self._play(strikes, until))
                    await self._lives.keep()
                    player.cancel()
                    stuck.cancel()
                await exchange.clear_faults()
        finally:
            await self._lives.end()
            await redis.aclose()
            self._path.unlink(missing_ok=True)
        await self._steps.trading_goes_on()
        self.told.recoveries_s = self._steps.recoveries_s
        self.told.engines = self._lives.started
        self.told.complaints += self._lives.complaints
        self.told.seconds = time.monotonic() - began

    async def _play(self, strikes: Strikes, until: Callable[[], bool]) -> None:
        """Cards one after the other, a few at a time, with a breath now and then."""
        async with asyncio.TaskGroup() as faults:
            played = 0
            while played < SESSION_CARDS and not until():
                await self._free.acquire()
                faults.create_task(self._strike(strikes, self._deck.deal()))
                played += 1
                if played % BREATH_EVERY == 0:
                    await self._steps.next_bar()
                await asyncio.sleep(self._chance.uniform(*GAP_S))

    async def _strike(self, strikes: Strikes, card: Card) -> None:
        try:
            if card.step or card.kind is Kind.CLOCK:
                if provoking := _PROVOKED.get(card.step):
                    await self._carry_out(strikes, provoking, None)
                await self._trap(strikes, card)
            else:
                await self._carry_out(strikes, card, None)
        finally:
            self._free.release()

    async def _trap(self, strikes: Strikes, card: Card) -> None:
        """Wait until an engine comes to the step, strike there, let it go, and wait for the end of the fault."""
        endings: list[Ending] = []

        async def spring(engine: int) -> str:
            endings.append(await self._begin(strikes, card, engine))
            return strikes.told(card)

        trap = Trap(card.step, spring)
        self._steps.set_trap(trap)
        try:
            await trap.sprung.wait()
        finally:
            if not trap.sprung.is_set():  # the session ended before any engine came here
                self._steps.take_away(trap)
                self._deck.put_back(card)
            for ending in endings:
                await self._see_out(card, ending)

    async def _carry_out(self, strikes: Strikes, card: Card, engine: int | None) -> None:
        await self._see_out(card, await self._begin(strikes, card, engine))

    async def _see_out(self, card: Card, ending: Ending) -> None:
        """A server that was killed comes back by itself: that is part of the recovery, not of the fault."""
        if card.kind is Kind.KILL:
            self._steps.fault_ends()
            await ending
            return
        try:
            await ending
        finally:
            self._steps.fault_ends()

    async def _begin(self, strikes: Strikes, card: Card, engine: int | None) -> Ending:
        self.told.struck.append(card)
        line = {"at": time.time(), "account": self.told.account, "fault": str(card), "seconds": card.seconds}
        self._journal.write(json.dumps(line) + "\n")
        self._journal.flush()
        self._steps.fault_begins()
        return await strikes.begin(card, engine)

    async def _end_what_is_stuck(self) -> None:
        """An engine that decides nothing for long is a finding: it tells where it hangs, and another is started."""
        while True:
            await asyncio.sleep(1.0)
            still_s = time.monotonic() - self._steps.last_bar_at
            if still_s > STUCK_AFTER_S:
                self.told.complaints.append(f"{self.told.account}: no bar was decided for {still_s:.0f} s")
                self._lives.send(signal.SIGABRT)
                self._steps.last_bar_at = time.monotonic()
