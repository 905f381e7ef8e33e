"""The protocol with one step taken out, as somebody might who thinks that it is not needed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from data.bus import Lost
from data.orders import OPEN, OrderState
from execution.broker import Watermark
from execution.core import lifecycle
from execution.core.lifecycle import Accepted, Duplicate, Rejected, Unknown
from execution.flow import carrier, desk, gateway, guard, ledger
from execution.simulation import database, engine, market, store, world


@dataclass(frozen=True)
class Mutant:
    """What is taken out; `masked` says why nothing can notice, where that is so.

    `faults`: what there must be much of before anybody notices soon.
    """

    name: str
    change: tuple[tuple[Any, str, Any], ...]
    masked: str = ""
    faults: Mapping[str, float] = field(default_factory=dict)

    @contextmanager
    def alive(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, attribute, replacement in self.change:
                stack.enter_context(patch.object(owner, attribute, replacement))
            yield


def _after_outcome(**states: Callable[[int], OrderState]) -> Any:
    kinds = {"accepted": Accepted, "rejected": Rejected, "duplicate": Duplicate, "unknown": Unknown}
    changed = {kinds[name]: state for name, state in states.items()}

    def after_outcome(outcome: Any, attempts: int) -> OrderState:
        state = changed.get(type(outcome))
        return state(attempts) if state else lifecycle.after_outcome(outcome, attempts)

    return after_outcome


async def _believe_every_no(self: Any, row: Any, before: float) -> None:
    outcome = await self._broker.submit(gateway.intent_of(row))
    if isinstance(outcome, Accepted):
        await self._store.intents.ack(row["coid"], outcome.broker_id)
    else:
        await self._store.intents.reject(row["coid"], "no")


async def _duplicates_are_rejects(self: Any, row: Any, before: float) -> None:
    outcome = await self._broker.submit(gateway.intent_of(row))
    if isinstance(outcome, Accepted):
        await self._store.intents.ack(row["coid"], outcome.broker_id)
    elif isinstance(outcome, Rejected | Duplicate):
        await self._store.intents.reject(row["coid"], "no")
    else:
        await self._resolve(row)


async def _give_up_at_once(self: Any, row: Any) -> None:
    if await self._broker.find(row["coid"]) is None:
        await self._store.intents.abandon(row["coid"], "not there")


async def _never_look_again(self: Any, row: Any) -> None:
    """It stays SENDING."""


async def _acknowledge_first(self: Any, intent: Any) -> None:
    try:
        await self._store.intents.write(
            intent, self._settings.limits, self._conditions(intent), self._settings.intent_ttl_s
        )
        await self._hints.send(intent.coid)
    except (store.DatabaseGone, Lost):
        return


def _claim_anything(self: Any, coid: str, from_state: OrderState) -> Any:
    row = self._database.orders.get(coid)
    if row is None or row["state"] != from_state:
        return None
    return self._change(row, state=OrderState.SENDING, epoch=self.epoch, attempts=row["attempts"] + 1)


def _end_anything(self: Any, coid: str, before: OrderState, after: OrderState, reason: str) -> None:
    row = self._database.orders.get(coid)
    if row is not None and row["state"] in OPEN:
        self._change(row, state=after, reason=reason)


def _coming_without(dropped: Callable[[Any], bool]) -> Any:
    whole = database.Database.coming
    return lambda self: [(row, left) for row, left in whole(self) if not dropped(row)]


def _apply_fill_twice(self: Any, fill: Any, heard_by: str) -> Any:
    known = self._database.fills.pop(fill.execution_id, None)
    if (
        known is not None
        and self._database.orders[fill.coid]["filled_qty"] == self._database.orders[fill.coid]["qty"]
    ):
        self._database.fills[fill.execution_id] = known
        return None
    return _APPLY_FILL(self, fill, heard_by)


_APPLY_FILL = store.SimulatedStore._apply_fill
_APPLY_ORDER = store.SimulatedStore._apply_order


def _no_fill_of_what_has_ended(self: Any, fill: Any, heard_by: str) -> Any:
    row = self._database.orders.get(fill.coid)
    if row is not None and row["state"] not in OPEN:
        return None
    return _APPLY_FILL(self, fill, heard_by)


def _invent_fills(self: Any, order: Any) -> Any:
    row = _APPLY_ORDER(self, order)
    if row is not None and row["state"] == OrderState.FILLED and row["filled_qty"] < row["qty"]:
        row = self._change(row, filled_qty=row["qty"])
    return row


def _fills_go_back(self: Any, order: Any) -> Any:
    row = _APPLY_ORDER(self, order)
    if row is not None and row["state"] in OPEN:
        row = self._change(row, filled_qty=min(row["qty"], store.Decimal(order.filled_qty)))
    return row


async def _same_epoch(self: Any) -> None:
    self._database.epoch = max(1, self._database.epoch)
    self.epoch = self._database.epoch


async def _do_nothing(*_: Any) -> bool:
    return True


class _HandOver:
    """Books recover while events are entered."""

    def __init__(self, owner: Any, listener: Any) -> None:
        self._owner, self._listener = owner, listener

    async def __aenter__(self) -> None:
        self._owner._listener = self._listener

    async def __aexit__(self, *_: Any) -> None:
        """Nothing is held."""


def _hand_over_at_once(self: Any, listener: Any) -> _HandOver:
    return _HandOver(self, listener)


def _random_names(*_: Any, **__: Any) -> str:
    _random_names.count = getattr(_random_names, "count", 0) + 1  # type: ignore[attr-defined]
    return f"name-{_random_names.count}"  # type: ignore[attr-defined]


async def _leave_the_ends_open(self: Any, tasks: Any) -> None:
    tasks.create_task(self.gateway.run())
    tasks.create_task(self.carrier.run())
    self.gateway.open()


async def _close_and_believe(self: Any, control: Any) -> None:
    await self._broker.cancel_all()
    await self._store.standing.verified_flat(control["revision"])


async def _believe_a_cancel(self: Any, revision: int) -> None:
    await self._broker.cancel_all()
    await self._store.standing.cancelled(revision)


async def _cancel_what_the_broker_shows(self: Any, revision: int) -> None:
    books = await self._ledger.reconcile()
    if any(carrier._is_open(order) for order in books.orders):
        await self._broker.cancel_all()
    else:
        await self._store.standing.cancelled(revision)


def _claim_what_was_cancelled(self: Any, coid: str, from_state: OrderState) -> Any:
    control = self._database.control
    self._database.control = {**control, "cancel_revision": 0}
    try:
        return _CLAIM(self, coid, from_state)
    finally:
        self._database.control = {**self._database.control, "cancel_revision": control["cancel_revision"]}


def _write_with_old_limits(self: Any, *asked: Any) -> Any:
    if asked[0].coid in self._database.orders:
        return _WRITE(self, *asked)
    limits, self._database.limits = self._database.limits, {}
    saw, self._database._saw = self._database._saw, lambda *_: None
    try:
        refused = _WRITE(self, *asked)
    finally:
        self._database.limits, self._database._saw = limits, saw
    saw(None, self._database.orders[asked[0].coid], (self.epoch, self.epoch))
    return refused


def _forget_the_loss(self: Any, intent: Any) -> Any:
    return self._surroundings.conditions(intent)


def _own_bucket(self: Any, kept: float) -> float:
    self._database.bucket = getattr(self, "_bucket", None)
    wait_s = _TAKE(self, kept)
    self._bucket = self._database.bucket
    return wait_s


_WRITE = store.SimulatedStore._write
_CLAIM = store.SimulatedStore._claim
_TAKE = store.SimulatedStore._take_request


async def _no_hints_no_sweep(self: Any) -> None:
    async with gateway.asyncio.TaskGroup() as self._tasks:
        for row in await self._store.standing.orders(gateway.UNKNOWN):
            self._work_on(row["coid"], self._resolve(row))
        await self._open.wait()
        self._tasks.create_task(self._listen())


async def _forget_what_was_sent(self: Any) -> None:
    async with gateway.asyncio.TaskGroup() as self._tasks:
        await self._open.wait()
        self._tasks.create_task(self._listen())
        waited: set[str] = set()
        while True:
            waiting = [row["coid"] for row in await self._store.standing.orders((OrderState.INTENT,))]
            for coid in waiting:
                if coid in waited:
                    self._work_on(coid, self._send(coid))
            waited = set(waiting)
            await gateway.asyncio.sleep(gateway.SWEEP_S)


STORE = store.SimulatedStore
MUTANTS = (
    Mutant("a timeout is a reject", ((gateway.Gateway, "_attempt", _believe_every_no),)),
    Mutant("a duplicate is a reject", ((gateway.Gateway, "_attempt", _duplicates_are_rejects),),
           masked="who sends again has asked through the quarantine: the broker would have shown it"),
    Mutant("a duplicate is a reject, and no quarantine", (
        (gateway.Gateway, "_attempt", _duplicates_are_rejects), (world.SETTINGS, "quarantine_s", 0.0),
        (world.SLOW, "quarantine_s", 0.0),
    )),
    Mutant("no quarantine", ((world.SETTINGS, "quarantine_s", 0.0), (world.SLOW, "quarantine_s", 0.0))),
    Mutant("what is absent once is given up", ((gateway.Gateway, "_resolve", _give_up_at_once),)),
    Mutant("nobody asks what became of a send", ((gateway.Gateway, "_resolve", _never_look_again),)),
    Mutant("what was sent before a restart is forgotten", (
        (gateway.Gateway, "run", _forget_what_was_sent), (gateway.Gateway, "resolved", _do_nothing),
        (gateway.Gateway, "settled", _do_nothing),
    )),
    Mutant("only hints, no sweep", (
        (gateway.Gateway, "run", _no_hints_no_sweep), (gateway.Gateway, "settled", _do_nothing),
    )),
    Mutant("acknowledged before it is durable", ((gateway.Gateway, "submit", _acknowledge_first),)),
    Mutant("a claim that looks at nothing but the state", ((STORE, "_claim", _claim_anything),)),
    Mutant("an end that looks at no state", ((STORE, "_end", _end_anything),)),
    Mutant("writes prove no epoch", ((STORE, "_prove_epoch", lambda self: None),)),
    Mutant("a frozen sender sends late", ((gateway, "LEASE_MARGIN_S", 1e9),),
           faults={"freeze_at_a_step": 0.01, "kill_at_a_step": 0.0, "kill": 0.0, "database_error": 0.0}),
    Mutant("unknown orders hold no risk", (
        (database.Database, "coming", _coming_without(lambda row: row["state"] == OrderState.SENDING)),
    )),
    Mutant("open orders hold no risk", (
        (database.Database, "coming", _coming_without(lambda row: row["state"] in OPEN)),
    )),
    Mutant("reported fills hold no risk", (
        (database.Database, "coming", _coming_without(lambda row: row["state"] not in OPEN)),
    ), faults={"lost_event": 0.5, "kill": 0.0, "kill_at_a_step": 0.0, "clock_jump": 0.0}),
    Mutant("a fill is entered each time that it is heard of", ((STORE, "_apply_fill", _apply_fill_twice),)),
    Mutant("an order that has ended takes no fills", ((STORE, "_apply_fill", _no_fill_of_what_has_ended),)),
    Mutant("fills are concluded from states", ((STORE, "_apply_order", _invent_fills),)),
    Mutant("the filled quantity follows the last event", ((STORE, "_apply_order", _fills_go_back),)),
    Mutant("no reconciliation at all", (
        (ledger.Ledger, "reconcile", _do_nothing), (carrier.Carrier, "run", _do_nothing),
    )),
    Mutant("no reconciliation by the clock", ((ledger.Ledger, "_keep_reconciling", _do_nothing),)),
    Mutant("what was open at the watermark is not asked for again", (
        (market, "Watermark", lambda at_us, then: Watermark(at_us, {})),
    ), faults={"lost_event": 0.5}),
    Mutant("books begin at the watermark, without an overlap", ((market, "OVERLAP_S", 0.0),),
           faults={"lost_event": 0.5, "invisible": 0.5}),
    Mutant("books recover while fills come in", ((ledger.Ledger, "handing_over", _hand_over_at_once),)),
    Mutant("names are made up", ((engine, "client_order_id", _random_names),)),
    Mutant("a kill is believed without proof", ((carrier.Carrier, "_bring_flat", _close_and_believe),)),
    Mutant("nobody pulls a kill through", ((carrier.Carrier, "run", _do_nothing),)),
    Mutant("a flatten is believed without proof", ((carrier.Carrier, "_bring_flat", _close_and_believe),),
           faults={"command": 0.5}),
    Mutant("a cancel is believed without proof", (
        (carrier.Carrier, "_cancel_what_was_before", _believe_a_cancel),
    ), faults={"command": 0.5}),
    Mutant("a cancel looks at the broker alone", (
        (carrier.Carrier, "_cancel_what_was_before", _cancel_what_the_broker_shows),
    ), faults={"command": 0.5}),
    Mutant("nobody pulls a cancel through", ((carrier.Carrier, "_cancel_what_was_before", _do_nothing),)),
    Mutant("what was cancelled before it was sent is sent", ((STORE, "_claim", _claim_what_was_cancelled),),
           faults={"command": 0.5}),
    Mutant("limits are those of the start", ((store.SimulatedStore, "_write", _write_with_old_limits),)),
    Mutant("nobody looks at the loss", ((guard.Guard, "_look_at_the_loss", _do_nothing),)),
    Mutant("who resumes after a loss may open", ((guard.Guard, "conditions", _forget_the_loss),),
           faults={"command": 0.5, "market_move": 0.6}),
    Mutant("a bucket for each process", ((STORE, "_take_request", _own_bucket),)),
    Mutant("trading begins before the past is known", ((desk.OrderDesk, "start", _leave_the_ends_open),),
           masked="what is unknown holds risk, and books are handed over between two events"),
    Mutant("a takeover keeps the epoch", ((STORE, "take_lease", _same_epoch),)),
)  # fmt: skip
