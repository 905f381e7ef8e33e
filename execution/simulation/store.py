"""A process's connection to the simulated database: the store of execution.flow.ports."""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from data.control import Verb
from data.errors import Corrupt
from data.limits import Limits
from data.orders import OPEN, OrderState
from execution.broker import BrokerFill, BrokerOrder
from execution.core.bucket import Bucket, Rate, take
from execution.core.intents import Intent
from execution.core.invariants import Entered
from execution.core.lifecycle import after_report
from execution.core.risk import Conditions, Refusal, reduces, refusal, take_turn
from execution.core.risk.checks import refusal_of, told_of
from execution.core.risk.day import Held
from execution.flow.ports import Row, Wait
from execution.flow.warden import WARDEN
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database
from execution.simulation.process import Process

T = TypeVar("T")
LATENCY_S: Final = 0.002
RECOVERY_S: Final = 1.0  # to read the lake and live through a session again


class DatabaseGone(Exception):
    """The connection broke; nobody knows whether the transaction committed."""


class Fenced(Exception):
    """Another process has a newer epoch."""


class SimulatedStore:
    """One connection."""

    def __init__(
        self, database: Database, process: Process, chance: Chance, faults: Faults, rate: Rate
    ) -> None:
        self.account = database.account
        self.epoch = 0
        self.intents = self.reports = self.standing = self
        self._database = database
        self._process = process
        self._chance = chance
        self._faults = faults
        self._rate = rate

    async def take_lease(self) -> None:
        def raise_the_epoch() -> None:
            self._database.epoch += 1
            self.epoch = self._database.epoch

        await self._ask(raise_the_epoch)

    # -- intents

    async def write(
        self, intent: Intent, limits: Limits, conditions: Conditions, ttl_s: float
    ) -> Refusal | None:
        return await self._transaction(lambda: self._write(intent, limits, conditions, ttl_s))

    def _write(self, intent: Intent, limits: Limits, conditions: Conditions, ttl_s: float) -> Refusal | None:
        database = self._database
        known = database.orders.get(intent.coid)
        if known is not None:
            if known["body_hash"] != intent.body_hash:
                raise Corrupt(f"the decision {intent.decision_key} was made twice, differently", "Stop.")
            return refusal_of(known)
        if intent.decision_key in database.decided:
            raise Corrupt(f"the decision {intent.decision_key} has another name already", "Stop.")
        situation = database.situation(intent, limits, conditions.now_us)
        refused = refusal(intent, situation, conditions)
        if refused is None and not intent.occasion:
            database.rates |= take_turn(intent, situation, conditions.now_us)
        now = database.now()
        database.put(
            {
                "coid": intent.coid,
                "account": intent.account,
                "decision_key": intent.decision_key,
                "state": OrderState.ABANDONED if refused else OrderState.INTENT,
                **told_of(refused),
                "revision": situation.revision,
                "epoch": None,
                "attempts": 0,
                "broker_id": None,
                "artifact_hash": intent.artifact_hash,
                "strategy": intent.strategy,
                "symbol": intent.symbol,
                "side": intent.side,
                "qty": Decimal(repr(intent.qty)),
                "filled_qty": Decimal(0),
                "reported_qty": Decimal(0),
                "occasion": intent.occasion,
                "reduces": reduces(intent, situation.account.exposure),
                "target": intent.target,
                "bar_ts_utc": datetime.fromtimestamp(intent.bar_ts_us / 1e6, UTC),
                "asked_at": datetime.fromtimestamp(conditions.now_us / 1e6, UTC),
                "reference_price": Decimal(repr(intent.reference_price)),
                "body_hash": intent.body_hash,
                "expires_at": now + timedelta(seconds=ttl_s),
                "decided_at": datetime.fromtimestamp(intent.decided_at_us / 1e6, UTC),
                "created_at": now,
            },
            self.epoch,
        )
        return refused

    async def claim(self, coid: str) -> Row | Wait | None:
        return await self._transaction(lambda: self._claim(coid, OrderState.INTENT))

    async def claim_again(self, coid: str) -> Row | Wait | None:
        return await self._transaction(lambda: self._claim(coid, OrderState.SENDING))

    def _claim(self, coid: str, from_state: OrderState) -> Row | Wait | None:
        row = self._database.orders.get(coid)
        if row is None or row["state"] != from_state or row["expires_at"] <= self._database.now():
            return None
        control = self._database.control
        if not (row["reduces"] or control["mode"] == "running"):
            return None
        if row["revision"] < control["cancel_revision"]:
            return None
        wait_s = self._take_request(0.0 if row["reduces"] else self._rate.kept)
        if wait_s > 0.0:
            return Wait(wait_s)
        return self._change(row, state=OrderState.SENDING, epoch=self.epoch, attempts=row["attempts"] + 1)

    async def withdraw(self, coid: str, reason: str) -> Row | None:
        return await self._transaction(
            lambda: self._end(coid, OrderState.INTENT, OrderState.ABANDONED, reason)
        )

    async def abandon(self, coid: str, reason: str) -> None:
        await self._transaction(lambda: self._end(coid, OrderState.SENDING, OrderState.ABANDONED, reason))

    async def reject(self, coid: str, reason: str) -> None:
        await self._transaction(lambda: self._end(coid, OrderState.SENDING, OrderState.REJECTED, reason))

    def _end(self, coid: str, before: OrderState, after: OrderState, reason: str) -> Row | None:
        row = self._database.orders.get(coid)
        if row is None or row["state"] != before:
            return None
        return self._change(row, state=after, reason=reason)

    async def ack(self, coid: str, broker_id: str) -> None:
        await self._transaction(lambda: self._ack(coid, broker_id))

    def _ack(self, coid: str, broker_id: str) -> None:
        row = self._database.orders[coid]
        if row["broker_id"] is None or row["state"] == OrderState.SENDING:
            state = OrderState.ACKED if row["state"] == OrderState.SENDING else row["state"]
            self._change(row, broker_id=broker_id, state=state)

    # -- reports

    async def apply_order(self, order: BrokerOrder) -> Row | None:
        return await self._transaction(lambda: self._apply_order(order))

    def _apply_order(self, order: BrokerOrder) -> Row | None:
        row = self._database.orders.get(order.coid)
        if row is None:
            return None
        if order.state is None:
            self._database.raw.append((repr(order), f"unknown status {order.status!r}"))
            return row
        state = after_report(
            row["state"],
            order.state,
            float(row["filled_qty"]),
            float(row["qty"]),
            known=row["broker_id"] is not None,
        )
        reported = max(row["reported_qty"], Decimal(order.filled_qty))
        if state != row["state"] or row["broker_id"] is None or reported != row["reported_qty"]:
            row = self._change(row, state=state, reported_qty=reported, broker_id=order.broker_id, reason="")
        return row

    async def apply_fill(self, fill: BrokerFill, heard_by: str) -> Row | None:
        return await self._transaction(lambda: self._apply_fill(fill, heard_by))

    def _apply_fill(self, fill: BrokerFill, heard_by: str) -> Row | None:
        database = self._database
        row = database.orders.get(fill.coid)
        if row is None:
            database.raw.append((repr(fill), "a fill for an order that we did not send"))
            return None
        if fill.execution_id in database.fills:
            return None
        database.fills[fill.execution_id] = {
            "coid": fill.coid, "symbol": fill.symbol, "side": fill.side, "qty": Decimal(fill.qty),
            "price": Decimal(fill.price), "heard_by": heard_by,
        }  # fmt: skip
        filled = row["filled_qty"] + Decimal(fill.qty)
        told = OrderState.PARTIAL if filled < row["qty"] else OrderState.FILLED
        state = after_report(
            row["state"], told, float(filled), float(row["qty"]), known=row["broker_id"] is not None
        )
        database.enter_fill(fill, row)
        return self._change(
            row, filled_qty=filled, reported_qty=max(row["reported_qty"], filled), state=state
        )

    async def keep_raw(self, payload: str, problem: str) -> None:
        await self._transaction(lambda: self._database.raw.append((payload, problem)))

    async def entered(self, coids: Collection[str]) -> dict[str, Entered]:
        orders = self._database.orders
        return await self._ask(
            lambda: {
                coid: Entered(
                    row["state"], float(row["qty"]), float(row["filled_qty"]), row["attempts"], row["reason"]
                )
                for coid, row in (
                    self._database.live | {coid: orders[coid] for coid in coids if coid in orders}
                ).items()
                if row["state"] in OPEN or coid in coids
            }
        )

    async def unequal_positions(self) -> dict[str, tuple[float, float]]:
        return await self._ask(self._unequal_positions)

    def _unequal_positions(self) -> dict[str, tuple[float, float]]:
        held, added = self._database.shares(), self._database.added_fills()
        return {
            symbol: (held.get(symbol, 0.0), added.get(symbol, 0.0))
            for symbol in held | added
            if held.get(symbol, 0.0) != added.get(symbol, 0.0)
        }

    async def known_executions(self) -> set[str]:
        return await self._ask(lambda: set(self._database.fills))

    async def order_states(self) -> dict[str, OrderState]:
        return await self._ask(lambda: {coid: row["state"] for coid, row in self._database.orders.items()})

    # -- standing

    async def orders(self, states: Collection[OrderState]) -> list[Row]:
        return await self._ask(
            lambda: [
                row
                for row in (
                    self._database.live if OPEN.issuperset(states) else self._database.orders
                ).values()
                if row["state"] in states
            ]
        )

    async def unfilled(self) -> list[Row]:
        return await self._ask(lambda: list(self._database.live.values()))

    async def of_occasion(self, occasion: str) -> set[str]:
        rows = self._database.orders
        return await self._ask(lambda: {coid for coid, row in rows.items() if row["occasion"] == occasion})

    async def take_request(self) -> float:
        return await self._transaction(lambda: self._take_request(0.0))

    def _take_request(self, kept: float) -> float:
        if self._rate.per_second <= 0.0:
            return 0.0
        now_s = self._database.now().timestamp()
        bucket = self._database.bucket or Bucket(self._rate.size, now_s)
        self._database.bucket, wait_s = take(bucket, now_s, self._rate, kept)
        if wait_s == 0.0:
            self._database.granted()
        return wait_s

    async def halt(self, symbol: str, reason: str) -> None:
        await self._transaction(lambda: self._database.halts.setdefault((symbol, reason), True))

    async def positions(self) -> dict[str, float]:
        return await self._ask(self._database.shares)

    async def held(self) -> list[Held]:
        return await self._ask(self._database.held)

    async def limits(self, defaults: Limits) -> Limits:
        return await self._ask(lambda: self._database.limits_of("", "", defaults))

    async def open_day(self, day: date, profit: float) -> float:
        return await self._transaction(lambda: self._database.days.setdefault(day, profit))

    async def command(self, verb: Verb, actor: str, reason: str, cause: str) -> bool:
        if actor == WARDEN:
            self._database.alarms.append(reason)
        return await self._transaction(lambda: self._database.command(verb, cause)) == "done"

    async def control(self) -> Row:
        return await self._ask(lambda: self._database.control)

    async def verified_flat(self, revision: int) -> None:
        await self._transaction(lambda: self._verified_flat(revision))

    def _verified_flat(self, revision: int) -> None:
        control = self._database.control
        if control["mode"] in ("flattening", "killed") and control["revision"] == revision:
            self._database.believe(
                mode="paused" if control["mode"] == "flattening" else "killed",
                verified_flat_at=self._database.now(),
                cancelled_revision=control["cancel_revision"],
            )

    async def cancelled(self, revision: int) -> None:
        await self._transaction(lambda: self._cancelled(revision))

    def _cancelled(self, revision: int) -> None:
        if self._database.control["cancelled_revision"] < revision:
            self._database.believe(cancelled_revision=revision)

    async def book_positions(self) -> dict[str, float]:
        """What the fills of every book add up to: an engine's recovery."""
        added = await self._ask(self._database.added_fills)
        await self._process.turn(RECOVERY_S)
        return added

    # -- how a transaction goes

    def _change(self, row: Row, **changes: Any) -> Row:
        changed = {**row, **changes}
        self._database.put(changed, self.epoch)
        return changed

    async def _transaction(self, work: Callable[[], T]) -> T:
        def fenced() -> T:
            self._prove_epoch()
            return work()

        return await self._ask(fenced)

    def _prove_epoch(self) -> None:
        if self.epoch != self._database.epoch:
            raise Fenced(f"epoch {self.epoch} is over, the lease has {self._database.epoch}")

    async def _ask(self, work: Callable[[], T]) -> T:
        await self._process.turn(LATENCY_S)
        breaks = self._chance.happens(self._faults.database_error)
        if breaks and self._chance.happens(0.5):
            raise DatabaseGone
        result = work()
        await self._process.turn(LATENCY_S)
        if breaks:
            raise DatabaseGone
        return result
