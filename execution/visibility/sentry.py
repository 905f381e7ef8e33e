"""Looks once a second for what a person should know of, and says so once."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data import bus
from execution.feeds.status import FeedStatus, read_status
from execution.flow.carrier import TO_FLAT
from execution.flow.happenings import (
    BrokerSilent,
    Halted,
    Happening,
    ModeSeen,
    Reconciled,
    Unexplained,
    Violated,
)
from execution.settings import ExecutionSettings
from execution.visibility.alerts import Alerts
from execution.visibility.census import Census

UNKNOWN_MARGIN_S: Final = 10.0  # behind the quarantine: invariant I13
DISK_EVERY_S: Final = 30.0
GIGABYTE: Final = 1e9


@dataclass
class _Kill:
    """A kill or a flatten that is to be proved."""

    what: str
    revision: int
    seen_at: float
    proved: bool = False


class Sentry:
    """Raises the alerts of one account."""

    def __init__(self, alerts: Alerts, settings: ExecutionSettings, disk: Path) -> None:
        self._alerts = alerts
        self._settings = settings
        self._disk = disk
        self._silent_since: float | None = None
        self._why_silent = ""
        self._kill: _Kill | None = None
        self._feeds_heard_at: dict[str, float] = {}
        self._disk_looked_at = -DISK_EVERY_S

    def __call__(self, happening: Happening, _at_ns: int) -> None:
        """What is known at once."""
        match happening:
            case Violated(invariant, subject, facts):
                self._alerts.raise_alert("invariant", "critical", f"{invariant}: {subject}", **facts)
            case Halted(symbol, reason):
                self._alerts.raise_alert("symbol_halted", "critical", symbol, reason=reason)
            case Unexplained(problem):
                self._alerts.raise_alert("unexplained", "warning", problem)
            case BrokerSilent(why):
                self._silent_since = self._silent_since or time.monotonic()
                self._why_silent = why
            case Reconciled():
                self._silent_since = None
                self._alerts.over("broker_silent", "the broker")
            case ModeSeen(mode, revision, proved):
                self._look_at_kill(mode, revision, proved)
            case _:
                return

    def look(self, census: Census) -> None:
        """What only time shows."""
        now, settings = time.monotonic(), self._settings
        if census.oldest_unknown_s > settings.quarantine_s + UNKNOWN_MARGIN_S:
            self._alerts.raise_alert(
                "unknown_order",
                "critical",
                f"{census.unknown} orders",
                oldest_s=round(census.oldest_unknown_s),
            )
        if self._silent_since is not None and now - self._silent_since > settings.broker_silent_s:
            silent_s = round(now - self._silent_since)
            self._alerts.raise_alert(
                "broker_silent", "critical", "the broker", silent_s=silent_s, why=self._why_silent
            )
        kill = self._kill
        if kill is not None and not kill.proved and now - kill.seen_at > settings.flat_within_s:
            self._alerts.raise_alert(
                "kill_not_proved",
                "critical",
                f"{kill.what} {kill.revision}",
                waited_s=round(now - kill.seen_at),
            )
        if now - self._disk_looked_at > DISK_EVERY_S:
            self._disk_looked_at = now
            self._look_at_disk()

    def _look_at_kill(self, mode: str, revision: int, proved: bool) -> None:
        """A kill, or a flatten, which ends as a pause once it is proved."""
        kill = self._kill
        if kill is not None and kill.revision == revision:
            if proved and not kill.proved:
                kill.proved = True
                took_s = round(time.monotonic() - kill.seen_at, 1)
                self._alerts.raise_alert(
                    "kill", "info", f"{kill.what} {revision} is carried out", flat_after_s=took_s
                )
        elif mode in TO_FLAT:
            # one that was proved before us is no news
            self._kill = _Kill(TO_FLAT[mode], revision, time.monotonic(), proved)
        else:
            self._kill = None

    def _look_at_disk(self) -> None:
        free_gb = shutil.disk_usage(self._disk).free / GIGABYTE
        if free_gb < self._settings.disk_free_gb_min:
            self._alerts.raise_alert("disk", "warning", str(self._disk), free_gb=round(free_gb, 2))
        else:
            self._alerts.over("disk", str(self._disk))

    async def look_at_feed(self, redis: bus.AsyncRedis, feed: str) -> str:
        """The state of the feed.  A replay tells nothing of itself and waits for us: it is never late."""
        if feed.startswith("replay:"):
            return "replay"
        status: FeedStatus | None = await read_status(redis, feed)
        now = time.monotonic()
        if status is not None and status.reliable:
            self._feeds_heard_at[feed] = now
            self._alerts.over("feed_stale", feed)
        elif now - self._feeds_heard_at.setdefault(feed, now) > self._settings.feed_stale_s:
            why = status.why if status else "it says nothing of itself"
            self._alerts.raise_alert("feed_stale", "critical", feed, why=why)
        return status.state if status else "none"
