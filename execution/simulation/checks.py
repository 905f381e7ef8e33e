"""The invariants: what must hold at every instant, and what must hold once the world has come to rest.

The numbers are those of docs/execution.md.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from data.orders import TERMINAL, OrderState, signed
from execution.core.bucket import Rate
from execution.settings import ExecutionSettings

if TYPE_CHECKING:
    from execution.simulation.database import Database
    from execution.simulation.market import Market, MarketOrder

NEGATIVE: Final = (OrderState.REJECTED, OrderState.ABANDONED)
STOP_GRACE_S: Final = 1.0
LOSS_GRACE_S: Final = 5.0  # a second between two looks, and a freeze


class Violated(AssertionError):
    """An invariant did not hold."""


@dataclass
class Checks:
    """Watches what is written and what is sent."""

    position_max: float
    settings: ExecutionSettings
    clock_jumps: int = 0
    acknowledged: set[str] = field(default_factory=set)
    """intents that the engine was told are durable"""
    stopped_at: float | None = None
    """since when nothing may be opened"""
    cancelled_at: float | None = None
    """when somebody said so last"""
    lost_at: float | None = None
    """since when the day's loss is beyond its limit"""
    _grants: list[float] = field(default_factory=list)
    _asked: int = 0
    _of_decision: dict[str, str] = field(default_factory=dict)

    @property
    def _rate(self) -> Rate:
        return self.settings.rate

    def commanded(self, now: float, verb: str, mode: str) -> None:
        """Somebody said something, and this is the mode."""
        self.cancelled_at = now if verb == "cancel" else self.cancelled_at
        self.stopped_at = None if mode == "running" else self.stopped_at or now

    def lost(self, now: float, loss: float) -> None:
        """What the ledger and the newest price make of the day."""
        self.lost_at = (self.lost_at or now) if loss > self.settings.daily_loss_max else None

    def decided(self, now: float, row: dict[str, Any], database: "Database") -> None:
        """A new row: refused, or an order that somebody will send."""
        if row["refused_by"] or row["reduces"]:
            return
        # What closes a strategy's own shares may be larger than its limit, even where it opens on the account.
        closes_own = (
            database.own_shares(row["strategy"], row["symbol"]) * (1 if row["side"] == "buy" else -1) < 0
        )
        for strategy in ("", row["strategy"]):
            limits = database.limits_of(strategy, row["symbol"], self.settings.limits)
            most = None if strategy and closes_own else limits.order_qty_max
            if limits.restricted or (most is not None and row["qty"] > most):
                raise Violated(f"I14: {row['coid']} of {row['qty']} is accepted against {limits}")
        if self.lost_at is not None and now > self.lost_at + LOSS_GRACE_S:
            raise Violated(f"I15: {row['coid']} opens {now - self.lost_at:.3f} s after the loss of the day")

    def believed(
        self, proved: dict[str, Any], database: "Database", market: "Market", symbols: Iterable[str]
    ) -> None:
        """An engine says that a command is carried through.  Only the market knows."""
        ours = [order for order in market.orders.values() if order.open and not order.foreign]
        if "verified_flat_at" in proved:
            held = {symbol: qty for symbol, qty in market.held().items() if symbol in symbols}
            if ours or held:
                raise Violated(f"I16: called flat with {held}, and {len(ours)} orders open")
        revision = proved["cancelled_revision"]
        left = [order.coid for order in ours if database.orders[order.coid]["revision"] < revision]
        if left:
            raise Violated(f"I17: called cancelled, and {left} are open")

    def granted(self, now: float) -> None:
        """A request is taken from the bucket, which a jump of the clock fills once."""
        self._grants.append(now)
        for earlier, since in enumerate(self._grants):
            allowed = self._rate.size * (1 + self.clock_jumps) + self._rate.per_second * (now - since)
            if len(self._grants) - earlier > allowed + 1e-6:
                raise Violated(f"I10: {len(self._grants) - earlier} requests in {now - since:.3f} s")

    def asked(self) -> None:
        """A request leaves for the broker."""
        self._asked += 1
        if self._rate.per_second > 0.0 and self._asked > len(self._grants):
            raise Violated(f"I10: {self._asked} requests leave, {len(self._grants)} were allowed")

    def sent(self, now: float, coid: str, database: "Database") -> None:
        row = database.orders.get(coid)
        if row is None or row["state"] == OrderState.INTENT or row["attempts"] < 1:
            raise Violated(f"I5: {coid} is sent without a durable SENDING before it")
        if self.stopped_at is not None and now > self.stopped_at + STOP_GRACE_S and not row["reduces"]:
            raise Violated(f"I11: {coid} opens and is sent {now - self.stopped_at:.3f} s after a stop")

        late = self.cancelled_at is not None and now > self.cancelled_at + STOP_GRACE_S
        if late and row["revision"] < database.control["cancel_revision"]:
            raise Violated(f"I17: {coid} was decided before a cancel of all, and is sent long after it")

    def accepted(self, order: "MarketOrder", market: "Market", database: "Database") -> None:
        row = database.orders[order.coid]
        earlier = self._of_decision.setdefault(row["decision_key"], order.broker_id)
        if earlier != order.broker_id:
            raise Violated(f"I1: {row['decision_key']} is two orders at the broker")
        if row["state"] in NEGATIVE:
            raise Violated(f"I7: {order.coid} is {row['state']} here, and the broker accepts it")
        longest, shortest = market.worst(order.symbol)
        if max(longest, -shortest) > self.position_max:
            raise Violated(f"I9: {order.symbol} may come to {longest:g} or {shortest:g} shares")

    def written(
        self, before: dict[str, Any] | None, after: dict[str, Any], epochs: tuple[int, int], market: "Market"
    ) -> None:
        ours, lease = epochs
        if ours != lease:
            raise Violated(f"I6: {after['coid']} is written under epoch {ours}, the lease has {lease}")
        if not 0 <= after["filled_qty"] <= after["qty"]:
            raise Violated(f"I8: {after['filled_qty']} of {after['qty']} is filled of {after['coid']}")
        if before is not None and after["filled_qty"] < before["filled_qty"]:
            raise Violated(f"I8: {after['coid']} is filled less than before")
        held = market.orders.get(after["coid"])
        if after["state"] in NEGATIVE and held is not None and held.status != "rejected":
            raise Violated(
                f"I7: {after['coid']} becomes {after['state']}, and the broker has it ({held.status})"
            )

    def at_rest(self, database: "Database", market: "Market", heard: dict[str, float], day: date) -> None:
        """Long after the last fault."""
        if database.alarms:
            raise Violated(f"an engine believes to have seen {database.alarms[0]}")
        for coid in sorted(self.acknowledged):
            row = database.orders.get(coid)
            if row is None:
                raise Violated(f"I2: {coid} was acknowledged and is gone")
            if coid not in market.orders and not (row["state"] in TERMINAL and row["reason"]):
                raise Violated(f"I2: {coid} is {row['state']}, and the broker never had it")
        theirs = {each.execution_id: (each.coid, each.qty, each.price) for each in market.ours()}
        ours = {key: (row["coid"], row["qty"], row["price"]) for key, row in database.fills.items()}
        if theirs != ours:
            raise Violated(f"I3: {sorted(theirs.keys() ^ ours.keys())} are not on both sides")
        added: dict[str, float] = defaultdict(float)
        for row in database.fills.values():
            added[row["symbol"]] += signed(row["side"], float(row["qty"]))
        sums = {symbol: qty for symbol, qty in added.items() if qty}
        if not sums == database.shares() == market.held(ours=True):
            raise Violated(f"I4: fills {sums}, ledger {database.shares()}, broker {market.held(ours=True)}")
        self._commands_are_carried_through(database, market, day)
        strangers = {order.symbol for order in market.orders.values() if order.foreign}
        if not strangers <= {symbol for symbol, _ in database.halts}:
            raise Violated(f"somebody else trades {sorted(strangers)}, and nothing is halted there")
        if heard != sums:
            raise Violated(f"the engine's books hold {heard}, the fills add up to {sums}")
        for coid, row in database.orders.items():
            if row["state"] in (OrderState.SENDING, OrderState.INTENT):
                raise Violated(f"I13: {coid} is {row['state']} long after the last fault")
            there = market.orders.get(coid)
            if there is not None and (there.open != (row["state"] not in TERMINAL)):
                raise Violated(f"{coid} is {row['state']} here and {there.status} there")

    def _commands_are_carried_through(self, database: "Database", market: "Market", day: date) -> None:
        control = database.control
        if control["mode"] == "flattening":
            raise Violated("I16: still not flat long after the last fault")
        if control["mode"] == "killed" and (market.held() or control["verified_flat_at"] is None):
            raise Violated(f"I16: killed, and the broker holds {market.held()}")
        if control["cancelled_revision"] < control["cancel_revision"]:
            raise Violated("I17: a cancel of all is not through long after the last fault")
        tripped = f"loss of {day} above {self.settings.daily_loss_max:g}"
        if self.lost_at is not None and control["mode"] != "killed" and tripped not in database.causes:
            raise Violated("I15: the loss of the day is beyond its limit, and nobody stops")
