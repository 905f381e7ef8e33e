"""The ledger that the simulation tortures and the one in Postgres answer alike, whatever is asked of them."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from data import control
from data.errors import Refused
from data.orders import OPEN, OrderState
from data.postgres import Connections, connect
from execution.broker import BrokerFill, BrokerOrder
from execution.core.bucket import Rate
from execution.core.intents import Intent
from execution.core.lifecycle import BROKER_STATES
from execution.core.risk import Limits
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database, Fenced, SimulatedStore
from execution.simulation.process import Process, Wall
from execution.store import Store

ACCOUNT = "alike"
LIMITS = Limits(2_000.0, 3_000.0, 5_000.0)
FREE = Rate(0.0, 1.0, 0.0)
STEPS = 250
TOLD = (
    "state",
    "reason",
    "epoch",
    "attempts",
    "broker_id",
    "qty",
    "filled_qty",
    "reported_qty",
    "reduces",
    "occasion",
)


def row_told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in TOLD}


class Asked:
    """Random questions and orders, the same to both."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._intents: list[Intent] = []
        self._filled: dict[str, float] = {}

    def next(self) -> tuple[str, tuple[Any, ...]]:
        kinds = ["write"] * 4 + ["claim", "claim", "apply_fill", "apply_fill", "apply_order", "apply_order"]
        kinds += ["claim_again", "ack", "reject", "abandon", "withdraw", "halt", "keep_raw"]
        kind = self._random.choice(kinds)
        if kind == "write" or not self._intents:
            return "write", (self._intent(), LIMITS, self._random.choice((1_000.0, 1_000.0, -1.0)))
        intent = self._random.choice(self._intents)
        match kind:
            case "claim" | "claim_again":
                return kind, (intent.coid,)
            case "ack":
                return kind, (intent.coid, f"b-{intent.coid}")
            case "reject" | "abandon" | "withdraw":
                return kind, (intent.coid, f"because of {kind}")
            case "halt":
                return kind, (self._random.choice(["AAA", "BBB", "CCC", "DDD", "EEE"]), "a test says so")
            case "keep_raw":
                return kind, ("{", "not JSON")
            case "apply_order":
                return kind, (self._view(intent),)
            case _:
                return kind, (self._fill(intent), "stream")

    def _intent(self) -> Intent:
        if self._intents and self._random.random() < 0.2:
            return self._random.choice(self._intents)
        number = len(self._intents)
        made = Intent(
            coid=f"order-{number}",
            account=ACCOUNT,
            artifact_hash=self._random.choice([None, "hash"]),
            strategy="strategy",
            symbol=self._random.choice(["AAA", "BBB", "CCC"]),
            side=self._random.choice(["buy", "sell"]),  # type: ignore[arg-type]
            qty=float(self._random.randint(1, 25)),
            target=None,
            bar_ts_us=number * 1_000_000,
            reference_price=100.0,
            decided_at_us=number,
            occasion=self._random.choice(["", "", "", "kill 1"]),
        )
        self._intents.append(made)
        return made

    def _view(self, intent: Intent) -> BrokerOrder:
        status = self._random.choice([*BROKER_STATES, "quantum_leap"])
        return BrokerOrder(
            broker_id=f"b-{intent.coid}", coid=self._random.choice([intent.coid, "nobody's"]), symbol=intent.symbol,
            side=intent.side, qty=str(intent.qty), filled_qty=str(self._random.randint(0, int(intent.qty))),
            status=status, state=BROKER_STATES.get(status),
        )  # fmt: skip

    def _fill(self, intent: Intent) -> BrokerFill:
        done = self._filled.get(intent.coid, 0.0)
        again = done > 0.0 and (done == intent.qty or self._random.random() < 0.3)
        qty = 1.0
        if not again:
            self._filled[intent.coid] = done + qty
        number = int(done if again else done + qty)
        return BrokerFill(
            execution_id=f"x-{intent.coid}-{number}", coid=intent.coid, symbol=intent.symbol, side=intent.side,
            qty="1", price="100.5", commission="0", filled_at="2027-01-15T08:00:00Z", bar_ts_us=None, seq=None,
        )  # fmt: skip


async def answers(store: Any, seed: int) -> list[Any]:
    """What a store says to the questions of a seed, and where it stands after each."""
    asked, told = Asked(seed), []
    parts = {
        **dict.fromkeys(
            ("write", "claim", "claim_again", "ack", "reject", "abandon", "withdraw"), store.intents
        ),
        **dict.fromkeys(("apply_fill", "apply_order", "keep_raw"), store.reports),
        "halt": store.standing,
    }
    for _ in range(STEPS):
        kind, arguments = asked.next()
        answer = await getattr(parts[kind], kind)(*arguments)
        told.append((kind, row_told(answer) if isinstance(answer, dict) else answer))
    standing = store.standing
    told.append(sorted((row["coid"], row_told(row)) for row in await standing.orders(list(OrderState))))
    told.append(sorted(row["coid"] for row in await standing.orders(OPEN)))
    told.append(sorted(row["coid"] for row in await standing.unfilled()))
    told.append(sorted((await standing.positions()).items()))
    told.append(sorted(await standing.of_occasion("kill 1")))
    told.append(sorted(await store.reports.known_executions()))
    told.append(sorted((await store.reports.order_states()).items()))
    return told


async def in_memory(seed: int, mode: str) -> list[Any]:
    database = Database(ACCOUNT, Wall(), lambda *_: None, lambda: None)
    database.set_mode(mode)
    chance, nothing_wrong = Chance(0), Faults()
    store = SimulatedStore(database, Process("test", chance, nothing_wrong), chance, nothing_wrong, FREE)
    await store.take_lease()
    told = await answers(store, seed)
    database.epoch += 1
    with pytest.raises(Fenced):
        await store.ack("order-0", "b")
    return told


async def in_postgres(seed: int) -> list[Any]:
    async with Connections(2) as pool:
        told = await answers(Store(pool, ACCOUNT, 1, FREE), seed)
        with pytest.raises(Refused, match="was taken over by"):
            await Store(pool, ACCOUNT, 2, FREE).intents.ack("order-0", "b")
        return told


@pytest.mark.parametrize(("seed", "mode"), [(1, "running"), (2, "running"), (3, "paused"), (4, "running")])
@pytest.mark.full
def test_both_ledgers_say_the_same(seed: int, mode: control.Mode, database_url: str) -> None:
    with connect() as connection:
        control.ensure_account(connection, ACCOUNT, "sim", 1e6)
        connection.execute("update lease set epoch = 1 where account = %s", [ACCOUNT])
    control.set_mode(ACCOUNT, mode, actor="test", reason="test")
    theirs, ours = asyncio.run(in_postgres(seed)), asyncio.run(in_memory(seed, mode))
    for step, (real, simulated) in enumerate(zip(theirs, ours, strict=True)):
        assert simulated == real, f"step {step}"
    assert any(answer for kind, answer in theirs[:STEPS] if kind == "write"), "some order was refused"


def test_a_bucket_in_postgres_fills_and_empties_as_the_pure_one(database_url: str) -> None:
    rate = Rate(per_second=0.001, size=5.0, kept=2.0)

    async def takes() -> list[float]:
        async with Connections(1) as pool:
            store = Store(pool, ACCOUNT, 0, rate)
            return [await store.standing.take_request() for _ in range(7)]

    with connect() as connection:
        control.ensure_account(connection, ACCOUNT, "sim", 1e6)
    waits = asyncio.run(takes())
    assert waits[:5] == [0.0] * 5
    assert all(990.0 < wait_s <= 1000.0 for wait_s in waits[5:])


def test_time_of_day_is_what_the_wall_says() -> None:
    async def told() -> datetime:
        return Database(ACCOUNT, Wall(), lambda *_: None, lambda: None).now()

    assert asyncio.run(told()) > datetime(2027, 1, 1, tzinfo=UTC)
