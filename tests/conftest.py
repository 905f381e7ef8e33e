"""What every test may ask for: a real PostgreSQL, a real Valkey, a browser, and a state folder of its own.

No test ever sees the checkout's own `.slipway` or a SLIPWAY_* setting of the person who runs it.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from data.settings import get_settings
from infra.local.embedded import embedded_postgres, embedded_valkey
from infra.local.postgres import Cluster

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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

    with embedded_postgres(tmp_path_factory.mktemp("postgres"), durable=False) as cluster:
        upgrade(cluster.url())
        yield cluster


@pytest.fixture
def database_url(
    postgres: Cluster, state_dir: Path, monkeypatch: pytest.MonkeyPatch, new_database: Callable[[], str]
) -> str:
    """A fresh migrated database of this test's own, also as SLIPWAY_DATABASE_URL."""
    url = new_database()
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", url)
    get_settings.cache_clear()
    return url


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


@contextmanager
def database_of(cluster: Cluster) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    template = sql.Identifier("slipway")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
        yield cluster.url(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
