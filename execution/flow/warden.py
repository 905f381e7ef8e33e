"""The invariants, asserted in production: at every reconciliation the ledger and the broker's books are held together.

What stays wrong pauses the account, is kept as evidence, and is told.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import structlog

from execution.broker import Books
from execution.core.invariants import Entered, Finding, Grace, RateWitness, Shown, findings
from execution.flow.happenings import Violated, Watcher, nobody
from execution.flow.ports import Clock, OrderStore
from execution.settings import ExecutionSettings

WARDEN: Final = "invariant"  # who pauses, as the audit log names it
LATE_S: Final = 5.0  # at least: the broker's answers are not of one instant
MARGIN_S: Final = 10.0  # behind the longest that an order may be unknown (I13)
CLOCK_SET_S: Final = 1.0  # the wall's clock has not gone with ours by so much: somebody set it

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Name:
    """Which finding; the same one a moment later may have other numbers."""

    invariant: str
    subject: str


class Warden:
    """Watches over one account."""

    def __init__(
        self, store: OrderStore, clock: Clock, settings: ExecutionSettings, told: Watcher = nobody
    ) -> None:
        self._store = store
        self._clock = clock
        self._told = told
        self._witness = RateWitness(settings.rate)
        self._overdrawn: Finding | None = None
        self._drift_s = self._drift()
        late_s = max(settings.quarantine_s, LATE_S)
        unknown_s = max(settings.quarantine_s, settings.intent_ttl_s) + MARGIN_S
        self._graces: dict[Grace, float] = {"none": 0.0, "late": late_s, "unknown": unknown_s}
        self._look_at_least_every_s = settings.reconcile_every_s + MARGIN_S
        self._looked_at = clock.monotonic()
        self._since: dict[_Name, float] = {}
        self._reported: set[_Name] = set()
        self._filled: dict[str, float] = {}

    def granted(self) -> None:
        """A request to the broker was granted just now."""
        drift_s = self._drift()
        if abs(drift_s - self._drift_s) > CLOCK_SET_S:
            self._drift_s = drift_s
            self._witness.forget()
        if not self._witness.granted(self._clock.monotonic()):
            self._overdrawn = Finding(
                "I10", self._store.account, "more requests than the rate allows", "none"
            )

    def broker_silent(self) -> None:
        """While the broker does not answer, what is unknown may stay so."""
        self._since = {name: since for name, since in self._since.items() if name.invariant != "I13"}

    async def look(self, books: Books) -> None:
        """Hold the ledger, in which `books` are entered, against them."""
        now = self._clock.monotonic()
        if now - self._looked_at > self._look_at_least_every_s:
            self._since.clear()  # we were frozen, or the broker away: nobody was here to make things right
        self._looked_at = now
        entered, shown = await self._both(books)
        unequal = await self._store.reports.unequal_positions()
        found = {
            _Name(each.invariant, each.subject): each
            for each in findings(entered, shown, unequal, self._filled)
        }
        if self._overdrawn is not None:
            found[_Name(self._overdrawn.invariant, self._overdrawn.subject)] = self._overdrawn
            self._overdrawn = None
        self._filled = {coid: order.filled_qty for coid, order in entered.items() if order.filled_qty}
        self._since = {name: self._since.get(name, now) for name in found}
        self._reported &= found.keys()
        for name, finding in found.items():
            stays_s = now - self._since[name]
            if name not in self._reported and stays_s >= self._graces[finding.grace]:
                self._reported.add(name)
                coid = finding.subject.partition(" ")[0]
                await self._violated(finding, stays_s, entered.get(coid), shown.get(coid))

    async def _both(self, books: Books) -> tuple[dict[str, Entered], dict[str, Shown]]:
        shown = {
            order.coid: Shown(
                order.state, None if order.qty is None else float(order.qty), float(order.filled_qty)
            )
            for order in books.orders
        }
        return await self._store.reports.entered(shown.keys()), shown

    async def _violated(
        self, finding: Finding, stays_s: float, ours: Entered | None, theirs: Shown | None
    ) -> None:
        facts: dict[str, Any] = {
            "told": finding.told,
            "stays_s": round(stays_s, 1),
            "ledger": ours._asdict() if ours else None,
            "broker": theirs._asdict() if theirs else None,
        }
        what = f"{finding.invariant}: {finding.subject}: {finding.told}"
        _log.critical("an invariant does not hold; the account is paused", what=what, facts=facts)
        evidence = {"invariant": finding.invariant, "subject": finding.subject, **facts}
        await self._store.reports.keep_raw(json.dumps(evidence, default=str), f"violated {what}")
        cause = f"{finding.invariant} {finding.subject}"
        await self._store.standing.command("pause", WARDEN, what, cause)
        self._told(Violated(finding.invariant, finding.subject, facts))

    def _drift(self) -> float:
        return self._clock.now_us() / 1e6 - self._clock.monotonic()
