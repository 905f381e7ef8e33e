"""From a durable intent to a known answer: claim, send, and find out what became of it.

Protocol steps 4 to 7.  A send is never repeated before the broker was asked, through the whole
quarantine, whether it has the order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from data.bus import Lost
from data.errors import Corrupt
from data.orders import OrderState
from execution.broker import Broker, BrokerDown
from execution.core.intents import Intent
from execution.core.lifecycle import Accepted, Outcome, Rejected, Unknown, after_outcome
from execution.core.risk import Conditions
from execution.failpoint import reach
from execution.flow.allowance import nobody_counts
from execution.flow.happenings import Refused, Took, Watcher, moved, name_of, named, nobody
from execution.flow.ports import Clock, Hints, OrderStore, Row, Wait
from execution.settings import ExecutionSettings

Claim = Callable[[str], Awaitable[Row | Wait | None]]

SWEEP_S: Final = 0.25  # an intent whose hint was lost waits no longer than this
LEASE_MARGIN_S: Final = 1.0  # between claim and send; a process frozen for longer must not send
LOOK_UP_S: Final = (0.05, 2.0)  # first and longest wait between questions about an unknown order
UNKNOWN: Final = (OrderState.SENDING,)
UNSETTLED: Final = (OrderState.INTENT, OrderState.SENDING)

_log = structlog.get_logger()


class Gateway:
    """Sends the intents of one account."""

    def __init__(
        self,
        store: OrderStore,
        broker: Broker,
        hints: Hints,
        clock: Clock,
        conditions: Callable[[Intent], Conditions],
        settings: ExecutionSettings,
        told: Watcher = nobody,
        granted: Callable[[], None] = nobody_counts,
    ) -> None:
        self._store = store
        self._broker = broker
        self._hints = hints
        self._clock = clock
        self._conditions = conditions
        self._settings = settings
        self._limits = settings.limits
        self._told = told
        self._granted = granted
        self._open = asyncio.Event()
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def at_work(self) -> int:
        """Orders that are being sent or looked for."""
        return len(self._at_work)

    async def submit(self, intent: Intent) -> str | None:
        """Steps 2 and 3: make the intent durable, then hint.  Returns why a limit refused it, if one did."""
        reach("before_intent")
        before = self._clock.monotonic()
        refused = await self._store.intents.write(
            intent, self._limits, self._conditions(intent), self._settings.intent_ttl_s
        )
        reach("after_intent")
        came_of_it = "refused" if refused else "durable"
        self._told(Took(named(intent), "intent", self._clock.monotonic() - before, came_of_it))
        if refused is not None:
            self._told(Refused(named(intent), refused.limit, refused.why))
        else:
            try:
                await self._hints.send(intent.coid)
            except Lost as error:
                _log.warning("the hint was lost; the sweep finds the intent", error=str(error))
            reach("after_hint")
        return refused.why if refused else None

    async def run(self) -> None:
        """Find out what became of what was sent before us; once open, send every new intent, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            for row in await self._store.standing.orders(UNKNOWN):
                self._work_on(row["coid"], self._resolve(row))
            await self._open.wait()
            self._tasks.create_task(self._listen())
            waited: set[str] = set()
            while True:
                waiting = [row["coid"] for row in await self._store.standing.orders((OrderState.INTENT,))]
                for coid in waiting:
                    if coid in waited:
                        self._work_on(coid, self._send(coid))
                waited = set(waiting)
                await asyncio.sleep(SWEEP_S)

    def open(self) -> None:
        """Everything before us is known: intents may be sent."""
        self._open.set()

    async def resolved(self) -> None:
        """Wait until it is known what became of everything that was sent."""
        await self._without(UNKNOWN)

    async def settled(self) -> None:
        """Wait until the broker's answer to every intent so far is known."""
        await self._without(UNSETTLED)

    async def _without(self, states: tuple[OrderState, ...]) -> None:
        while await self._store.standing.orders(states):
            tasks = list(self._at_work.values())
            if tasks:
                await asyncio.wait(tasks, timeout=SWEEP_S)
            else:
                await asyncio.sleep(0.001)  # between the hint's arrival and the claim

    async def _listen(self) -> None:
        while True:
            try:
                for coid in await self._hints.heard():
                    self._work_on(coid, self._send(coid))
            except Lost as error:
                _log.warning("redis is away; intents are found by the sweep", error=str(error))
                await asyncio.sleep(SWEEP_S)

    def _work_on(self, coid: str, work: Coroutine[Any, Any, None]) -> None:
        if coid in self._at_work or self._tasks is None:
            work.close()
            return
        task = self._tasks.create_task(work)
        self._at_work[coid] = task
        task.add_done_callback(lambda _: self._at_work.pop(coid, None))

    async def _allowed(self, claim: Claim, coid: str) -> tuple[Row | None, float]:
        """The row once the account's rate lets it be claimed, and an instant before it was."""
        claimed: Row | Wait | None = Wait(0.0)
        while isinstance(claimed, Wait):
            await asyncio.sleep(claimed.seconds)
            before = self._clock.monotonic()
            claimed = await claim(coid)
        return claimed, before

    async def _send(self, coid: str) -> None:
        row, before = await self._allowed(self._store.intents.claim, coid)
        reach("after_claim")
        if row is None:
            reason = "expired, or stopped by an operator, before it was sent"
            withdrawn = await self._store.intents.withdraw(coid, reason)
            if withdrawn is not None:
                self._told(moved(withdrawn))
            return
        self._claimed(row, before)
        await self._attempt(row, before)

    async def _attempt(self, row: Row, before: float) -> None:
        """Send a row that was claimed after `before`."""
        began = self._clock.monotonic()
        if began - before > LEASE_MARGIN_S:
            outcome: Outcome = Unknown("this process was frozen between claim and send; nothing was sent")
        else:
            outcome = await self._broker.submit(intent_of(row))
        reach("after_send")
        answered = self._clock.monotonic()
        order, attempt = name_of(row), str(row["attempts"])
        self._told(Took(order, "send", answered - began, type(outcome).__name__.lower(), attempt))
        state = after_outcome(outcome, row["attempts"])
        if isinstance(outcome, Accepted):
            await self._store.intents.ack(row["coid"], outcome.broker_id)
            self._told(Took(order, "ack", self._clock.monotonic() - answered))
            self._told(moved(row, OrderState.ACKED))
        elif isinstance(outcome, Rejected) and state is OrderState.REJECTED:
            await self._store.intents.reject(row["coid"], outcome.reason)
            self._told(moved(row, OrderState.REJECTED, outcome.reason))
        else:
            _log.warning("the outcome of a send is not known", outcome=repr(outcome))
            await self._resolve(row)

    async def _resolve(self, row: Row) -> None:
        """Ask until the broker has it, or has been without it for a whole quarantine.

        The quarantine begins with our first question, not when some clock says that it was sent: that is later.
        """
        _log_as(row)
        wait_s, longest_s = LOOK_UP_S
        absent_since = self._clock.monotonic()
        while True:
            asked_at = self._clock.monotonic()
            reach("before_question")
            try:
                order = await self._broker.find(row["coid"])
            except BrokerDown as error:
                _log.warning("the broker did not answer about an order", error=str(error))
            else:
                if order is not None:
                    found = await self._store.reports.apply_order(order)
                    self._told(moved(found or row))
                    return
                if asked_at - absent_since > self._settings.quarantine_s:
                    break
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, longest_s)
        again, before = await self._allowed(self._store.intents.claim_again, row["coid"])
        if again is None:
            reason = "expired or stopped while the broker did not have it"
            await self._store.intents.abandon(row["coid"], reason)
            self._told(moved(row, OrderState.ABANDONED, reason))
        else:
            self._claimed(again, before)
            await self._attempt(again, before)

    def _claimed(self, row: Row, before: float) -> None:
        self._granted()
        _log_as(row)
        attempt = str(row["attempts"])
        self._told(Took(name_of(row), "claim", self._clock.monotonic() - before, part=attempt))
        self._told(moved(row))


def _log_as(row: Row) -> None:
    """What this task logs from here on carries the order's names."""
    structlog.contextvars.bind_contextvars(coid=row["coid"], symbol=row["symbol"], strategy=row["strategy"])


def intent_of(row: Row) -> Intent:
    """The order as it was decided, from its row: to the last digit, or it is not sent."""
    intent = Intent(
        coid=row["coid"],
        account=row["account"],
        artifact_hash=row["artifact_hash"],
        strategy=row["strategy"],
        symbol=row["symbol"],
        side=row["side"],
        qty=float(row["qty"]),
        target=row["target"],
        bar_ts_us=int(row["bar_ts_utc"].timestamp() * 1e6),
        reference_price=float(row["reference_price"]),
        decided_at_us=int(row["decided_at"].timestamp() * 1e6),
        occasion=row["occasion"],
    )
    if intent.body_hash != row["body_hash"]:
        raise Corrupt(
            f"the row of order {intent.coid} is not the order that was decided",
            "Do not trade this account; look at who changed the row, or at terms that the ledger cannot hold yet.",
        )
    return intent
