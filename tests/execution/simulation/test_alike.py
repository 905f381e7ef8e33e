"""The ledger that the simulation tortures and the one in Postgres answer alike, whatever is asked of them."""

import asyncio
import random
from datetime import UTC, date, datetime
from typing import Any

import pytest

from data import control, limit_changes
from data.errors import Refused, UsageError
from data.limits import Limits
from data.orders import OPEN, OrderState
from data.postgres import Connections, connect
from execution.broker import BrokerFill, BrokerOrder
from execution.core.bucket import Rate
from execution.core.intents import Intent
from execution.core.lifecycle import BROKER_STATES
from execution.core.risk import Conditions, Refusal
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database
from execution.simulation.process import Process, Wall
from execution.simulation.store import Fenced, SimulatedStore
from execution.store import Store

ACCOUNT = "alike"
LIMITS = Limits(
    order_notional_max=2_000.0,
    position_notional_max=3_000.0,
    gross_exposure_max=5_000.0,
    duplicate_window_s=2.0,
    orders_per_minute_max=60.0,
    daily_loss_max=100.0,
)
STRATEGIES = ("fast", "slow")
SYMBOLS = ("AAA", "BBB", "CCC")
PROOFS = ("cancel_revision", "cancelled_revision")
VERBS = ("pause", "resume", "resume", "resume", "cancel", "flatten", "kill")
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
    "refused_by",
    "revision",
)


def row_told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in TOLD}


class Asked:
    """Random questions and orders, the same to both."""

    def __init__(self, seed: int, commands: bool) -> None:
        self._random = random.Random(seed)
        self._commands = commands
        self._now_s = 1_800_000_000.0
        self._intents: list[Intent] = []
        self._filled: dict[str, float] = {}

    def next(self) -> tuple[str, tuple[Any, ...]]:
        kinds = ["write"] * 4 + ["claim", "claim", "apply_fill", "apply_fill", "apply_order", "apply_order"]
        kinds += ["claim_again", "ack", "reject", "abandon", "withdraw", "halt", "keep_raw", "open_day"]
        kinds += ["set_limit", "set_limit", "clear_halts", "limits"]
        kinds += ["command", "cancelled", "verified_flat"] if self._commands else []
        kind = self._random.choice(kinds)
        if kind == "write" or not self._intents:
            ttl_s = self._random.choice((1_000.0, 1_000.0, -1.0))
            return "write", (self._intent(), LIMITS, self._conditions(), ttl_s)
        intent = self._random.choice(self._intents)
        match kind:
            case "claim" | "claim_again":
                return kind, (intent.coid,)
            case "ack":
                return kind, (intent.coid, f"b-{intent.coid}")
            case "reject" | "abandon" | "withdraw":
                return kind, (intent.coid, f"because of {kind}")
            case "halt":
                return kind, (self._random.choice([*SYMBOLS, "DDD", "EEE"]), "a test says so")
            case "clear_halts":
                return kind, (self._random.choice(SYMBOLS),)
            case "set_limit":
                name = self._random.choice(("order_qty_max", "position_qty_max", "restricted"))
                scope = self._random.choice((("", ""), ("", "AAA"), ("fast", ""), ("slow", "BBB")))
                return kind, (*scope, name, self._random.choice((None, None, 0.0, 8.0, 30.0)))
            case "limits":
                return kind, (LIMITS,)
            case "open_day":
                return kind, (
                    date(2027, 1, self._random.randint(1, 5)),
                    float(self._random.randint(-9, 9)),
                )
            case "command":
                verb, cause = self._random.choice(VERBS), self._random.choice(("", "", "loss 1", "loss 2"))
                return kind, (verb, "test", "a test says so", cause)
            case "cancelled" | "verified_flat":
                return kind, (self._random.randint(1, 12),)
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
            artifact_hash=self._random.choice([None, "one", "other"]),
            strategy=self._random.choice(STRATEGIES),
            symbol=self._random.choice(SYMBOLS),
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

    def _conditions(self) -> Conditions:
        self._now_s += self._random.choice((0.0, 0.5, 1.5, 30.0))
        return Conditions(
            now_us=int(self._now_s * 1e6),
            price=100.0,
            data_age_s=0.0,
            unhealthy=self._random.choice(["", "", "", "", "bad bars"]),
            day_loss=self._random.choice([0.0, 0.0, 0.0, 101.0]),
        )

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
        price = self._random.choice(["100.5", "99"])
        return BrokerFill(
            execution_id=f"x-{intent.coid}-{number}", coid=intent.coid, symbol=intent.symbol, side=intent.side,
            qty="1", price=price, commission="0", filled_at="2027-01-15T08:00:00Z", bar_ts_us=None, seq=None,
        )  # fmt: skip


async def answers(store: Any, people: Any, seed: int, commands: bool) -> list[Any]:
    """What a store says to the questions of a seed, and where it stands after each."""
    asked, told = Asked(seed, commands), []
    parts = {
        **dict.fromkeys(
            ("write", "claim", "claim_again", "ack", "reject", "abandon", "withdraw"), store.intents
        ),
        **dict.fromkeys(("apply_fill", "apply_order", "keep_raw"), store.reports),
        **dict.fromkeys(
            ("halt", "limits", "open_day", "command", "cancelled", "verified_flat"), store.standing
        ),
        **dict.fromkeys(("set_limit", "clear_halts"), people),
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
    told.append([(each[0], *(round(number, 9) for number in each[1:])) for each in await standing.held()])
    now = await standing.control()
    told.append({name: now[name] for name in ("mode", "revision", "cause", *PROOFS)})
    told.append(now["verified_flat_at"] is None)
    told.append(sorted(await standing.of_occasion("kill 1")))
    told.append(sorted(await store.reports.known_executions()))
    told.append(sorted((await store.reports.order_states()).items()))
    told.append(sorted((await store.reports.entered([f"order-{number}" for number in range(9)])).items()))
    told.append(await store.reports.unequal_positions())
    return told


class InMemory:
    """What people do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_limit(self, strategy: str, symbol: str, name: str, value: float | None) -> None:
        self._database.limits[strategy, symbol, name] = value

    async def clear_halts(self, symbol: str) -> bool:
        halted = [key for key, on in self._database.halts.items() if on and key[0] == symbol]
        self._database.halts |= dict.fromkeys(halted, False)
        return bool(halted)


class InPostgres:
    """The same, done the way people do it."""

    async def set_limit(self, strategy: str, symbol: str, name: str, value: float | None) -> None:
        limit_changes.set_limit(
            ACCOUNT, name, value, strategy=strategy, symbol=symbol, actor="test", reason="test"
        )

    async def clear_halts(self, symbol: str) -> bool:
        try:
            return bool(control.clear_halts(ACCOUNT, symbol, actor="test", reason="test"))
        except UsageError:
            return False


async def in_memory(seed: int, verb: control.Verb, commands: bool) -> list[Any]:
    database = Database(ACCOUNT, Wall(), lambda *_: None, lambda: None)
    database.command(verb)
    chance, nothing_wrong = Chance(0), Faults()
    store = SimulatedStore(database, Process("test", chance, nothing_wrong), chance, nothing_wrong, FREE)
    await store.take_lease()
    told = await answers(store, InMemory(database), seed, commands)
    database.epoch += 1
    with pytest.raises(Fenced):
        await store.ack("order-0", "b")
    return told


async def in_postgres(seed: int, commands: bool) -> list[Any]:
    async with Connections(2) as pool:
        told = await answers(Store(pool, ACCOUNT, 1, FREE), InPostgres(), seed, commands)
        with pytest.raises(Refused, match="was taken over by"):
            await Store(pool, ACCOUNT, 2, FREE).intents.ack("order-0", "b")
        return told


@pytest.mark.parametrize(
    ("seed", "verb", "commands"),
    [
        (1, "resume", False),
        (2, "resume", True),
        (3, "pause", False),
        (4, "resume", True),
        (5, "resume", True),
    ],
)
@pytest.mark.full
def test_both_ledgers_say_the_same(seed: int, verb: control.Verb, commands: bool, database_url: str) -> None:
    with connect() as connection:
        control.ensure_account(connection, ACCOUNT, "sim", 1e6)
        connection.execute("update lease set epoch = 1 where account = %s", [ACCOUNT])
        connection.execute("insert into strategies (name) select unnest(%s::text[])", [list(STRATEGIES)])
    control.give(ACCOUNT, verb, actor="test", reason="test")
    theirs = asyncio.run(in_postgres(seed, commands))
    ours = asyncio.run(in_memory(seed, verb, commands))
    for step, (real, simulated) in enumerate(zip(theirs, ours, strict=True)):
        assert simulated == real, f"step {step}"
    refusals = {answer.limit for kind, answer in theirs[:STEPS] if isinstance(answer, Refusal)}
    assert len(refusals) > 3 or verb == "pause", refusals


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
