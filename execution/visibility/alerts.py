"""Calling a person: one function for everything that somebody should look at.

An alert is always logged and put in the outbox; people hear of it through apprise where SLIPWAY_ALERT_URLS says how.
Raising one never waits and never fails: a task of its own delivers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec
import structlog

from data.errors import UsageError
from execution.core.bucket import Bucket, Rate, take
from execution.settings import ExecutionSettings

Kind = Literal[
    "invariant",
    "unknown_order",
    "symbol_halted",
    "feed_stale",
    "kill",
    "kill_not_proved",
    "lease_taken",
    "disk",
    "broker_silent",
    "unexplained",
]
Severity = Literal["info", "warning", "critical"]

WAITING_MAX: Final = 1_000
LAST_WORDS_S: Final = 10.0
SUBJECTS_MAX: Final = 10_000
_APPRISE_TYPES: Final = {"info": "info", "warning": "warning", "critical": "failure"}

_log = structlog.get_logger()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is told."""

    account: str
    kind: Kind
    severity: Severity
    subject: str
    facts: dict[str, Any]
    suppressed: int = 0
    """equal ones since the last that was told"""

    @property
    def title(self) -> str:
        return f"Slipway {self.account}: {self.kind.replace('_', ' ')} ({self.severity})"

    @property
    def body(self) -> str:
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        again = [f"{self.suppressed} more like this since the last one"] if self.suppressed else []
        return "\n".join([self.subject, *facts, *again, f"What to do: docs/runbook.md, alert `{self.kind}`"])


class Alerts:
    """The alerts of one account."""

    def __init__(
        self,
        account: str,
        settings: ExecutionSettings,
        people: "People",
        record: Callable[[dict[str, Any]], Awaitable[None]],
        counted: Callable[[Alert], None],
    ) -> None:
        self._account = account
        self._repeat_s = settings.alert_repeat_s
        self._rate = Rate(settings.alerts_per_minute / 60.0, max(1.0, settings.alerts_per_minute), 0.0)
        self._bucket = Bucket(self._rate.size, time.monotonic())
        self._record = record
        self._counted = counted
        self._people = people
        self._told_at: dict[tuple[Kind, str], float] = {}
        self._suppressed: dict[tuple[Kind, str], int] = {}
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(WAITING_MAX)

    def raise_alert(self, kind: Kind, severity: Severity, subject: str, **facts: Any) -> None:
        """Tell whoever is on call, soon; the same about the same subject only once in a while."""
        key, now = (kind, subject), time.monotonic()
        if now - self._told_at.get(key, -self._repeat_s) < self._repeat_s:
            self._suppressed[key] = self._suppressed.get(key, 0) + 1
            return
        if len(self._told_at) >= SUBJECTS_MAX:
            self._told_at.clear()
        self._told_at[key] = now
        alert = Alert(
            account=self._account,
            kind=kind,
            severity=severity,
            subject=subject,
            facts=facts,
            suppressed=self._suppressed.pop(key, 0),
        )
        log = _log.info if severity == "info" else _log.warning if severity == "warning" else _log.error
        log("alert", kind=kind, severity=severity, subject=subject, facts=facts, suppressed=alert.suppressed)
        self._counted(alert)
        try:
            self._waiting.put_nowait(alert)
        except asyncio.QueueFull:
            _log.error("too many alerts wait to be told; this one is logged only", kind=kind, subject=subject)

    def over(self, kind: Kind, subject: str) -> None:
        """It is well again: should it come back, that is news."""
        self._told_at.pop((kind, subject), None)

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    async def run(self) -> None:
        """Deliver, until cancelled."""
        while True:
            alert = await self._waiting.get()
            try:
                await self._deliver(alert)
            except Exception as error:  # a pager that is broken must not stop trading
                _log.error(
                    "an alert could not be told", kind=alert.kind, error=f"{type(error).__name__}: {error}"
                )
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Wait until everything is told, for a while; `run` must be running."""
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self._waiting.join()
        except TimeoutError:
            _log.error("not every alert could be told before the end", left=self._waiting.qsize())

    async def _deliver(self, alert: Alert) -> None:
        self._bucket, wait_s = take(self._bucket, time.monotonic(), self._rate, 0.0)
        if wait_s == 0.0:
            await self._people.tell(alert)
        else:
            _log.warning(
                "too many alerts in a minute; this one is not sent", kind=alert.kind, subject=alert.subject
            )
        await self._record(msgspec.to_builtins(alert, enc_hook=str))


class People:
    """Whoever SLIPWAY_ALERT_URLS names.  The URLs hold tokens and are never printed."""

    def __init__(self, urls: str) -> None:
        self._targets: list[Any] = []
        if not urls.strip():
            return
        try:
            import apprise
        except ImportError as error:
            raise UsageError(
                "SLIPWAY_ALERT_URLS is set, and apprise is not installed",
                "Install the extra `slipway[alerts]`, or unset the variable.",
            ) from error
        book = apprise.Apprise()
        for number, url in enumerate(urls.replace(",", " ").split(), start=1):
            if not book.add(url):
                raise UsageError(
                    f"the {number}. address in SLIPWAY_ALERT_URLS is none that apprise knows",
                    "Write each as apprise does, like json://host/path or slack://tokens.",
                )
        self._targets = list(book)

    async def tell(self, alert: Alert) -> None:
        for number, target in enumerate(self._targets, start=1):
            told = await asyncio.to_thread(
                target.notify, body=alert.body, title=alert.title, notify_type=_APPRISE_TYPES[alert.severity]
            )
            if not told:
                _log.error(
                    "an alert did not arrive",
                    to=f"the {number}. address in SLIPWAY_ALERT_URLS, {target.service_name}",
                    kind=alert.kind,
                )
