"""A private world: its own PostgreSQL, Redis and exchange behind proxies, a lake, and a strategy that may trade.

Nothing in it is the person's own: it has a folder, ports that the kernel chose, and no setting from outside.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from signal import SIGCONT
from typing import Final

import polars as pl

from data import bus, query, registry
from data.ingest import ingest
from data.postgres import connect
from data.registry import Version
from data.settings import get_settings
from data.sources import source
from infra.local import services
from infra.local.addresses import free_port
from infra.local.kept import State
from infra.local.processes import ProcessId, working_in
from infra.local.site import Site
from infra.local.watched import Watched
from infra.proxy.control import controlled
from infra.proxy.wire import Proxy
from infra.settings import InfraSettings
from orchestration.chaos.deck import Target
from research.backtest import backtest
from research.gates import measure_parity
from research.publish import publish
from research.strategies.crossover import Crossover

SYMBOLS: Final = ["AAA", "BBB", "CCC", "DDD"]
RESEARCHED: Final = (date(2025, 11, 20), date(2025, 11, 26))
SESSION: Final = date(2025, 11, 28)  # a half day: 210 bars are soon traded
STRATEGY: Final = Crossover(fast=5, slow=20)
CAPITAL: Final = 200_000.0
READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.02

# An order that may have been sent is looked for no longer than faults of the exchange last, so that sessions go on
# quickly; longer freezes are survived by the broker's uniqueness of ids.  No intent expires, or parity could not hold.
ENGINE_SETTINGS: Final = {
    "SLIPWAY_EXECUTION_QUARANTINE_S": "2",
    "SLIPWAY_EXECUTION_REQUEST_TIMEOUT_S": "1",
    "SLIPWAY_EXECUTION_INTENT_TTL_S": "3600",
    "SLIPWAY_EXECUTION_RECONCILE_EVERY_S": "5",
    "SLIPWAY_EXECUTION_SILENCE_S": "3",
}


class Server:
    """One of the three, kept running by what `slipway up` keeps them running with."""

    def __init__(self, target: Target, service: services.Service, site: Site) -> None:
        self.target = target
        self._site = site
        self._kept = Watched(service, site, {})

    async def start(self) -> None:
        self._kept.start()
        async with asyncio.timeout(READY_WITHIN_S):
            await self._kept.ready.wait()

    async def back(self) -> None:
        """Wait until it is ready again after a kill, without the pause that follows many deaths in a row."""
        async with asyncio.timeout(READY_WITHIN_S):
            while not self._kept.ready.is_set():
                if self._kept.state is State.RESTARTING:
                    self._kept.start()
                await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        for process in self.processes():
            process.send(SIGCONT)
        await self._kept.stop(5.0)

    @property
    def main(self) -> ProcessId | None:
        pid = self._kept.describe()["pid"]
        return ProcessId.of(pid) if pid else None

    def processes(self) -> list[ProcessId]:
        """Its process; PostgreSQL is one for each connection besides."""
        found = {self.main}
        if self.target is Target.POSTGRES and (cluster := self._site.postgres):
            found |= {ProcessId.of(pid) for pid in working_in(cluster.data)}
        return [process for process in found if process is not None]


@dataclass(frozen=True)
class World:
    """What runs, and what research says that a session in it must come to."""

    folder: Path
    servers: dict[Target, Server]
    proxies: dict[Target, Proxy]
    version: Version
    wanted: pl.DataFrame
    """the orders of SESSION, as data.orders.ORDER_SCHEMA"""
    sockets: Path
    redis_url: str
    """past the proxy, as the next: what strikes must not be struck"""
    exchange_url: str

    def engine_environment(self) -> dict[str, str]:
        """How an engine of this world finds its servers: by way of the proxies."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # it doubles every start
        return {
            **kept,
            **ENGINE_SETTINGS,
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(self.folder / "numba")),
            "SLIPWAY_STATE_DIR": str(self.folder),
            "SLIPWAY_DATABASE_URL": self.proxies[Target.POSTGRES].url,
            "SLIPWAY_REDIS_URL": self.proxies[Target.REDIS].url,
            "SLIPWAY_EXCHANGE_URL": self.proxies[Target.EXCHANGE].url,
        }


@asynccontextmanager
async def private_world(folder: Path) -> AsyncIterator[World]:
    """Everything started, and the strategy published and promoted; stopped with the block."""
    async with AsyncExitStack() as stack:
        stack.enter_context(_settings_of(folder))
        site = Site(infra=_ports())
        site.make_folders()
        servers = {
            Target.POSTGRES: Server(Target.POSTGRES, services.postgres(site), site),
            Target.REDIS: Server(Target.REDIS, _valkey_on_tcp_only(site), site),
            Target.EXCHANGE: Server(Target.EXCHANGE, services.exchange(site), site),
        }
        for server in servers.values():
            stack.push_async_callback(server.stop)
        await asyncio.gather(*(server.start() for server in servers.values()))
        urls = {
            Target.POSTGRES: site.database_url(),
            Target.REDIS: site.redis_url(),
            Target.EXCHANGE: site.exchange_url(),
        }
        proxies = {target: await stack.enter_async_context(Proxy(url)) for target, url in urls.items()}
        redis_url = proxies[Target.REDIS].url
        assert await asyncio.to_thread(bus.nearest, redis_url) == redis_url, (
            "engines must not pass the proxy by"
        )
        await stack.enter_async_context(
            controlled({str(each): proxies[each] for each in proxies}, site.sockets / "proxies.sock")
        )
        version, wanted = await asyncio.to_thread(_researched)
        yield World(
            folder, servers, proxies, version, wanted, site.sockets, site.redis_url(), site.exchange_url()
        )


def _valkey_on_tcp_only(site: Site) -> services.Service:
    """An engine on the same machine takes the unix socket that it finds, past the proxy."""

    def hide_socket() -> None:
        (site.sockets / "valkey.sock").unlink(missing_ok=True)

    return replace(services.valkey(site), once_ready=hide_socket)


def _researched() -> tuple[Version, pl.DataFrame]:
    ingest(source("synthetic"), SYMBOLS, RESEARCHED[0], SESSION)
    version, _ = publish(STRATEGY, SYMBOLS, *RESEARCHED, capital=CAPITAL)
    assert measure_parity(version).holds, "faults come later: so far research and execution must agree"
    with connect() as connection:
        version = registry.promote(connection, version, "paper", actor="chaos", reason="chaos")
    bars = query.bars(SYMBOLS, start=RESEARCHED[0], end=SESSION)
    return version, backtest(STRATEGY, bars, capital=CAPITAL, trade_from=SESSION).orders


def _ports() -> InfraSettings:
    """Of the kernel's choice: the usual ones are left to the person's own system."""
    return InfraSettings(postgres_port=free_port(), valkey_port=free_port(), exchange_port=free_port())


@contextmanager
def _settings_of(folder: Path) -> Iterator[None]:
    """This process, too, means the private world, whatever the person has set."""
    before = {name: value for name, value in os.environ.items() if name.startswith("SLIPWAY_")}
    for name in before:
        del os.environ[name]
    os.environ["SLIPWAY_STATE_DIR"] = str(folder)
    get_settings.cache_clear()
    try:
        yield
    finally:
        del os.environ["SLIPWAY_STATE_DIR"]
        os.environ.update(before)
        get_settings.cache_clear()
