"""What decides in a world: the same on each start, at each instant of the market."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from data.orders import signed
from execution.broker import BrokerFill
from execution.core.intents import Intent, client_order_id
from execution.core.risk import Conditions
from execution.flow.allowance import Allowance
from execution.flow.desk import OrderDesk
from execution.flow.ports import Row
from execution.settings import ExecutionSettings
from execution.simulation.bus import Bus, SimulatedHints, SimulatedWakes
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database
from execution.simulation.market import Market, SimulatedBroker
from execution.simulation.process import Process, ProcessClock, Wall
from execution.simulation.store import SimulatedStore

ACCOUNT: Final = "sim"
STRATEGY: Final = "strategy"
ARTIFACT: Final = "artifact"
SYMBOLS: Final = ("AAA", "BBB")
PRICE: Final = 100.0  # at which everything is decided


@dataclass(frozen=True, slots=True)
class Place:
    """What an engine finds around it."""

    seed: int
    chance: Chance
    faults: Faults
    settings: ExecutionSettings
    wall: Wall
    market: Market
    database: Database
    bus: Bus
    until: float  # when the last decision is taken
    sent: Callable[[Process, str], None]
    acknowledged: set[str]


class SimulatedSurroundings:
    """A market of which everybody sees the price."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def now_us(self) -> int:
        return self._place.wall.now_us()

    def conditions(self, intent: Intent) -> Conditions:
        return Conditions(now_us=self.now_us(), price=float(self._place.market.price), data_age_s=0.0)

    def prices(self) -> Mapping[str, float]:
        return dict.fromkeys(SYMBOLS, float(self._place.market.price))

    def calendars(self) -> Collection[str]:
        return ()


class Engine:
    """One start of the process that trades."""

    def __init__(self, place: Place, process: Process) -> None:
        self._place = place
        self.process = process
        self._held: dict[str, float] = defaultdict(float)

    def held(self) -> dict[str, float]:
        return {symbol: qty for symbol, qty in self._held.items() if qty}

    def on_fill(self, order: Row, fill: BrokerFill) -> None:
        self._held[fill.symbol] += signed(fill.side, float(fill.qty))

    def on_ended(self, order: Row) -> None:
        """Nothing is sized by what is in flight here."""

    async def run(self) -> None:
        place, process, settings = self._place, self.process, self._place.settings
        store = SimulatedStore(place.database, process, place.chance, place.faults, settings.rate)
        await store.take_lease()
        allowance = Allowance(store, settings.rate)
        desk = OrderDesk(
            store,
            SimulatedBroker(place.market, process, self._sent, allowance),
            SimulatedHints(place.bus, process),
            SimulatedWakes(place.bus, process),
            ProcessClock(place.wall),
            SimulatedSurroundings(place),
            settings,
            [],
        )
        allowance.granted = desk.warden.granted
        async with asyncio.TaskGroup() as tasks:
            await desk.start(tasks)
            async with desk.ledger.handing_over(self):
                self._held.update(await store.book_positions())
            await desk.serve(tasks)
            await self._decide(desk)

    async def _decide(self, desk: OrderDesk) -> None:
        loop = asyncio.get_running_loop()
        tick = int(loop.time())  # the one during which an engine died is decided again
        while tick < self._place.until:
            await asyncio.sleep(max(0.0, tick - loop.time()))
            for symbol in SYMBOLS:
                intent = self._intent(symbol, tick)
                if intent is not None and await desk.gateway.submit(intent) is None:
                    await self.process.turn(0.0)
                    self._place.acknowledged.add(intent.coid)
            tick += 1

    def _intent(self, symbol: str, tick: int) -> Intent | None:
        told = hashlib.sha256(f"{self._place.seed} {symbol} {tick}".encode()).digest()
        if told[0] < 100:
            return None
        return Intent(
            coid=client_order_id(ACCOUNT, ARTIFACT, STRATEGY, symbol, tick),
            account=ACCOUNT,
            artifact_hash=ARTIFACT,
            strategy=STRATEGY,
            symbol=symbol,
            side="buy" if told[1] < 128 else "sell",
            qty=float(1 + told[2] % 15),
            target=None,
            bar_ts_us=tick * 1_000_000,
            reference_price=PRICE,
            decided_at_us=tick * 1_000_000,
        )

    def _sent(self, coid: str) -> None:
        self._place.sent(self.process, coid)
