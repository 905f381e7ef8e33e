"""A monitor, and a trading floor for it to watch.

One database and one monitor serve the whole run: a test finds them empty, and may start further
monitors with settings of its own choice over the same database.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from running_monitor import Monitor, running
from trading_floor import Floor

from api.settings import get_api_settings
from data.settings import DataSettings, get_settings
from infra.local.postgres import Cluster

# Children before parents.  Deleting a handful of rows is faster than a fresh database.
EMPTY = """
    delete from outbox; delete from fills; delete from orders; delete from positions; delete from lease;
    delete from commands; delete from controls; delete from runs; delete from accounts; delete from gate_evidence;
    delete from versions; delete from strategies; delete from candles; delete from catalog; delete from lake_files;
    delete from snapshots; delete from users;
"""


@pytest.fixture(scope="session")
def desk_settings(postgres: Cluster, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> DataSettings:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("create database desk template slipway")
    return DataSettings.model_validate(
        {
            "database_url": postgres.url("desk"),
            "redis_url": valkey,
            "state_dir": tmp_path_factory.mktemp("desk"),
        }
    )


@pytest.fixture(scope="session")
def desk_monitor(desk_settings: DataSettings) -> Iterator[Monitor]:
    with running(desk_settings) as monitor:
        yield monitor


@pytest.fixture
def desk(
    desk_settings: DataSettings, redis_url: str, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> DataSettings:
    """Settings of the shared database, emptied, which are also the environment's."""
    url = desk_settings.postgres()
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", url)
    get_settings.cache_clear()
    get_api_settings.cache_clear()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EMPTY)
    return desk_settings


@pytest.fixture
def monitor(desk: DataSettings, desk_monitor: Monitor) -> Monitor:
    return desk_monitor


@pytest.fixture
def start_monitor(desk: DataSettings) -> Iterator[Callable[..., Monitor]]:
    """Starts monitors with settings of the test's choice; they stop when it ends."""
    with ExitStack() as stack:
        yield lambda data=desk, **overrides: stack.enter_context(running(data, **overrides))


@pytest.fixture
def floor(desk: DataSettings) -> Iterator[Floor]:
    opened = Floor(desk.postgres(), desk.redis())
    yield opened
    opened.close()
