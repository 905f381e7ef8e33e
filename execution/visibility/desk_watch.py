"""What is wired to what: everything that watches one account's desk, from its start to its last words."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Final

from data import bus
from data.settings import get_settings
from execution.flow.gateway import Gateway
from execution.settings import ExecutionSettings
from execution.store import Fenced, Store
from execution.visibility import heartbeat, tracing
from execution.visibility.alerts import Alert, Alerts, People
from execution.visibility.census import Census, census_of
from execution.visibility.fan_out import FanOut, Listener
from execution.visibility.logs import log_orders
from execution.visibility.metrics import Metrics, served, worst_of
from execution.visibility.sentry import Sentry

LOOK_EVERY_S: Final = 1.0


class Outlets:
    """Who is told elsewhere.  Loading what speaks to them takes seconds: it is done before the lease is taken."""

    def __init__(self, account: str, settings: ExecutionSettings) -> None:
        self.people = People(settings.alert_urls.get_secret_value())
        self.traces = tracing.Traces(account) if tracing.wanted() else None


class DeskWatch:
    """Hand `told` to whatever trades."""

    def __init__(
        self,
        store: Store,
        epoch: int,
        redis: bus.AsyncRedis,
        settings: ExecutionSettings,
        outlets: Outlets,
    ) -> None:
        self._store = store
        self._epoch = epoch
        self._redis = redis
        self._settings = settings
        self.metrics = Metrics(store.account, epoch)
        self.alerts = Alerts(store.account, settings, outlets.people, store.standing.tell_alert, self._count)
        folder = get_settings().state_dir
        folder.mkdir(parents=True, exist_ok=True)
        self._sentry = Sentry(self.alerts, settings, folder)
        self._census, self._feed_state = Census(), "none"
        listeners: list[Listener] = [self.metrics, self._sentry, log_orders]
        self.told = FanOut(listeners if outlets.traces is None else [*listeners, outlets.traces])

    async def run(self, gateway: Gateway, feeds: Collection[str]) -> None:
        """Look around once a second, until cancelled."""
        while True:
            limits = await self._store.standing.limits(self._settings.limits)
            self._census = census_of(await self._store.standing.census(), limits)
            states = [await self._sentry.look_at_feed(self._redis, feed) for feed in sorted(feeds)]
            self._feed_state = worst_of(states)
            self._sentry.look(self._census)
            queues = {"sends": gateway.at_work, "alerts": self.alerts.waiting}
            self.metrics.counted(self._census, self._feed_state, queues)
            await asyncio.sleep(LOOK_EVERY_S)

    def status(self) -> dict[str, Any]:
        """What the heartbeat says besides what the engine does."""
        return heartbeat.told_of(self._census, self._feed_state, self._epoch)

    def _count(self, alert: Alert) -> None:
        self.metrics.alerts.labels(alert.kind, alert.severity).inc()


@asynccontextmanager
async def watching(
    store: Store,
    epoch: int,
    redis: bus.AsyncRedis,
    settings: ExecutionSettings,
    outlets: Outlets,
) -> AsyncIterator[DeskWatch]:
    """Watch while the block runs; what is to be told at its end is told, for a few seconds at most."""
    watch = DeskWatch(store, epoch, redis, settings, outlets)
    with served(watch.metrics.registry, settings.metrics_port):
        delivering = asyncio.create_task(watch.alerts.run())
        try:
            yield watch
        except BaseExceptionGroup as group:
            if (fenced := group.subgroup(Fenced)) is not None:
                watch.alerts.raise_alert("lease_taken", "critical", store.account, lost=str(_leaf(fenced)))
            raise
        finally:
            watch.told.tell()
            await watch.alerts.flush()
            delivering.cancel()
            await asyncio.wait([delivering])
            if outlets.traces is not None:
                await asyncio.to_thread(outlets.traces.close)


def _leaf(error: BaseException) -> BaseException:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
