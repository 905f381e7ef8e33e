"""The event-level backtest: books, gateway, ledger and the exchange's matching in one process, bar by bar.

No network, no clock, no server: the code that trades, under virtual time, on a ledger in memory.  What it orders is
what research is compared with.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from math import inf
from typing import Final

import polars as pl

from data.bar import Bar, bars_of
from data.limits import NAMES, off
from data.orders import ORDER_SCHEMA
from execution.broker import BrokerFill
from execution.broker.in_process import InProcessBroker
from execution.core.book import Book, Owner, books_of
from execution.core.intents import Intent
from execution.core.risk import Conditions
from execution.core.roster import Roster
from execution.deployments import Deployment
from execution.engine import Engine
from execution.exchange.matching import Account
from execution.exchange.terms import Terms
from execution.flow.desk import OrderDesk
from execution.flow.ports import Row
from execution.settings import ExecutionSettings
from execution.simulation.bus import Bus, SimulatedHints, SimulatedWakes
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database
from execution.simulation.process import Process, ProcessClock, Wall
from execution.simulation.store import SimulatedStore
from execution.simulation.virtual_time import VirtualLoop
from execution.strategy import CostModel, Portfolio, Strategy

ACCOUNT: Final = "rehearsal"
NO_LIMITS: Final = ExecutionSettings(intent_ttl_s=86_400.0).model_copy(
    update={name: off(name) for name in NAMES}
)
"""Research has none; what an account allows is another question than whether two computations agree."""


def rehearse(deployed: Deployment, bars: pl.DataFrame, trade_from: date) -> pl.DataFrame:
    """The orders, with their fills, that the engine sends over these bars for a deployment."""
    return rehearse_strategy(
        deployed.strategy, bars, deployed.universe,
        capital=deployed.capital, costs=deployed.costs, timeframe=deployed.timeframe, trade_from=trade_from,
    )  # fmt: skip


def rehearse_strategy(
    strategy: Strategy | Portfolio,
    bars: pl.DataFrame,
    symbols: Sequence[str],
    *,
    capital: float,
    costs: CostModel,
    timeframe: str,
    trade_from: date | datetime | None = None,
) -> pl.DataFrame:
    """The orders that the engine sends, with their fills (data.orders.ORDER_SCHEMA).

    Bars before `trade_from` only warm up features.
    """
    books = books_of(strategy, Owner(ACCOUNT, "rehearsed", type(strategy).__name__), symbols, capital)
    past, traded = _parted(bars, trade_from)
    for book in books:
        book.warm(past.filter(pl.col("symbol").is_in(book.symbols)))
    loop = VirtualLoop()
    try:
        journal = loop.run_until_complete(_trade(books, list(bars_of(traded, timeframe)), capital, costs))
    finally:
        loop.close()
    return _frame(journal)


class _Nothing:
    """The surroundings of orders that nobody checks."""

    def now_us(self) -> int:
        return 0

    def conditions(self, intent: Intent) -> Conditions:
        return Conditions(now_us=0, price=None, data_age_s=0.0)

    def prices(self) -> Mapping[str, float]:
        return {}

    def calendars(self) -> Collection[str]:
        return ()


@dataclass
class _Journal:
    """Listens for the engine, and remembers."""

    engine: Engine
    sent: list[Intent] = field(default_factory=list)
    fills: dict[str, BrokerFill] = field(default_factory=dict)

    def on_fill(self, order: Row, fill: BrokerFill) -> None:
        self.fills[fill.coid] = fill
        self.engine.on_fill(order, fill)

    def on_ended(self, order: Row) -> None:
        self.engine.on_ended(order)


async def _serve(desk: OrderDesk, journal: _Journal, ready: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        await desk.start(tasks)
        async with desk.ledger.handing_over(journal):
            ready.set()  # the books begin with nothing to recover
        await desk.serve(tasks)


async def _trade(books: Sequence[Book], tape: Sequence[Bar], capital: float, costs: CostModel) -> _Journal:
    engine = Engine(Roster(books))
    broker = InProcessBroker(
        Account(
            Terms(
                name=ACCOUNT,
                cash=capital,
                slippage_bps=costs.slippage_bps,
                commission_bps=costs.commission_bps,
                commission_min=costs.commission_min,
                multiplier=inf,
            )
        )
    )
    journal = _Journal(engine)
    desk = _desk(broker, books)
    async with asyncio.TaskGroup() as tasks:
        ready = asyncio.Event()
        serving = tasks.create_task(_serve(desk, journal, ready))
        await ready.wait()
        for _, instant in groupby(tape, lambda bar: bar.ts_us):
            shown = list(instant)
            broker.show(shown)
            await desk.ledger.caught_up(broker.seq)
            intents = engine.roster.on_bars(shown, shown[0].ts_us)
            journal.sent += [each for each in intents if await engine.submit(each, desk.gateway)]
            if intents:
                await desk.gateway.settled()
        serving.cancel()
    return journal


def _desk(broker: InProcessBroker, books: Sequence[Book]) -> OrderDesk:
    chance, faults, wall = Chance(0), Faults(), Wall()
    process, bus = Process(ACCOUNT, chance, faults), Bus(chance, faults)
    database = Database(ACCOUNT, wall, lambda *_: None, lambda: None)
    return OrderDesk(
        SimulatedStore(database, process, chance, faults, NO_LIMITS.rate),
        broker,
        SimulatedHints(bus, process),
        SimulatedWakes(bus, process),
        ProcessClock(wall),
        _Nothing(),
        NO_LIMITS,
        books,
    )


def _parted(bars: pl.DataFrame, trade_from: date | datetime | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    ordered = bars.sort("ts_utc", "symbol")
    if trade_from is None:
        return ordered.clear(), ordered
    at = pl.col("ts_utc") if isinstance(trade_from, datetime) else pl.col("ts_utc").dt.date()
    return ordered.filter(at < trade_from), ordered.filter(at >= trade_from)


def _frame(journal: _Journal) -> pl.DataFrame:
    rows = []
    for intent in journal.sent:
        fill = journal.fills.get(intent.coid)
        rows.append(
            (
                intent.symbol,
                intent.bar_ts_us,
                intent.side,
                intent.qty,
                intent.target,
                fill.bar_ts_us if fill else None,
                float(fill.price) if fill else None,
                float(fill.commission) if fill else None,
            )
        )
    stamps = {"bar_ts_utc": pl.Int64(), "fill_ts_utc": pl.Int64()}
    raw = pl.DataFrame(rows, schema={**ORDER_SCHEMA, **stamps}, orient="row")
    return raw.cast(ORDER_SCHEMA).sort("symbol", "bar_ts_utc")
