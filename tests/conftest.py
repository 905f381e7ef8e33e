"""What every test may ask for: a real PostgreSQL, a real Valkey, a browser, and a state folder of its own.

No test ever sees the checkout's own `.slipway` or a SLIPWAY_* setting of the person who runs it.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import redis
from psycopg import sql

from data.settings import get_settings
from infra.local.embedded import embedded_postgres, embedded_valkey
from infra.local.postgres import Cluster

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

ROOM_BYTES = 4 * 2**30
"""What a server of tests never fills: free memory below it means that its files go to the disk."""

NO_CHROMIUM = "no Chromium on this machine; on Debian: apt-get install chromium"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: looks at the page in Chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser its tests are left out, except in CI, where they fail."""
    for item in items:
        if CHROMIUM is None and not os.environ.get("CI") and "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out = [
        report.nodeid
        for report in terminalreporter.getreports("skipped")
        if NO_CHROMIUM in str(report.longrepr)
    ]
    if left_out:
        terminalreporter.section("not tested: " + NO_CHROMIUM, yellow=True)
        for name in left_out:
            terminalreporter.line(name)


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state folder, and no settings but the defaults."""
    for name in [name for name in os.environ if name.startswith("SLIPWAY_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "state"
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(folder))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One server for the whole run; its database "slipway" is migrated and serves as the template."""
    from data.migrations import upgrade

    with in_memory(tmp_path_factory) as folder, embedded_postgres(folder, durable=False) as cluster:
        upgrade(cluster.url())
        yield cluster


@contextmanager
def in_memory(on_disk: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is room: a new database is 300 new files, and a disk is ten times slower."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or not os.access(shared, os.W_OK) or shutil.disk_usage(shared).free < ROOM_BYTES:
        yield on_disk.mktemp("postgres")
        return
    for left in shared.glob("slipway-tests-*"):
        if not Path(f"/proc/{left.name.split('-')[2]}").exists():
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    with TemporaryDirectory(prefix=f"slipway-tests-{os.getpid()}-", dir=shared) as folder:
        yield Path(folder)


@pytest.fixture
def database_url(
    postgres: Cluster, state_dir: Path, monkeypatch: pytest.MonkeyPatch, new_database: Callable[[], str]
) -> str:
    """A fresh migrated database of this test's own, also as SLIPWAY_DATABASE_URL."""
    url = new_database()
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", url)
    get_settings.cache_clear()
    return url


@pytest.fixture(scope="session")
def september(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A database and a state folder that hold AAA and BBB in the first four sessions of September 2026."""
    from data.ingest import ingest
    from data.sources import source

    folder = tmp_path_factory.mktemp("september")
    with database_of(postgres) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLIPWAY_DATABASE_URL", url)
            patch.setenv("SLIPWAY_STATE_DIR", str(folder))
            get_settings.cache_clear()
            ingest(source("synthetic"), ["AAA", "BBB"], date(2026, 9, 1), date(2026, 9, 4))
        get_settings.cache_clear()
        _end_sessions(postgres, name_of(url))
        yield name_of(url), folder


@pytest.fixture
def market(
    september: tuple[str, Path], postgres: Cluster, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """AAA and BBB in the first four sessions of September 2026, in a database and a lake of this test's own."""
    template, folder = september
    with database_of(postgres, template) as url:
        shutil.copytree(folder, state_dir, dirs_exist_ok=True)
        monkeypatch.setenv("SLIPWAY_DATABASE_URL", url)
        get_settings.cache_clear()
        yield


@pytest.fixture(scope="module")
def module_database_url(postgres: Cluster) -> Iterator[str]:
    """A fresh migrated database that the tests of one file share."""
    with database_of(postgres) as url:
        yield url


@pytest.fixture
def new_database(postgres: Cluster) -> Iterator[Callable[[], str]]:
    """Makes further fresh migrated databases, for a test that needs two."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(database_of(postgres))


_numbers = itertools.count(1)
_done_with: list[str] = []
DROPPED_AT_ONCE = 16
"""The server writes everything down before it drops a database: once for all of these is enough."""


@contextmanager
def database_of(cluster: Cluster, template: str = "slipway") -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")  # half of what the log would cost
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))
        yield cluster.url(name)
        _done_with.append(name)
        if len(_done_with) == DROPPED_AT_ONCE:
            for each in _done_with:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(each)))
            _done_with.clear()


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def _end_sessions(cluster: Cluster, database: str) -> None:
    """Nobody may be connected to a database that is copied, and connections rest for a while."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [database]
        )


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def redis_url(valkey: str, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty Valkey, also as SLIPWAY_REDIS_URL."""
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    monkeypatch.setenv("SLIPWAY_REDIS_URL", valkey)
    get_settings.cache_clear()
    return valkey


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path. A test that asks for it is left out where there is none, and fails in CI."""
    if CHROMIUM is None:
        pytest.fail(NO_CHROMIUM)
    return CHROMIUM
