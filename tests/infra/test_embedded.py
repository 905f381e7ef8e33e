"""The throw-away servers every other test stands on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from data.settings import get_settings
from infra.local.embedded import embedded_postgres, embedded_valkey


def test_each_test_gets_a_migrated_database_of_its_own(
    database_url: str, new_database: Callable[[], str]
) -> None:
    with psycopg.connect(database_url) as connection:
        tables = {
            row[0]
            for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
    assert {"orders", "fills", "catalog"} <= tables
    assert new_database() != database_url == get_settings().postgres()


def test_redis_starts_empty_and_asks_for_its_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        address = client.get_connection_kwargs()
        once = Retry(NoBackoff(), 0)
    with (
        redis.Redis(host=address["host"], port=address["port"], retry=once) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


@pytest.mark.full
def test_a_cluster_keeps_its_data_in_a_folder_with_spaces(tmp_path: Path) -> None:
    folder = (
        tmp_path / "a long way down" / "where the sockets' path is far too long for the kernel to take, truly"
    )
    with embedded_postgres(folder) as server, psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    with embedded_postgres(folder) as server, psycopg.connect(server.url()) as connection:
        connection.execute("SELECT n FROM kept")


@pytest.mark.full
def test_an_initdb_killed_half_way_is_done_again(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as server:
        unfinished = server.folder / "data.unfinished"  # elsewhere than asked where root must be nobody
    server.data.rename(unfinished)
    for path in unfinished.iterdir():
        if path.name != "PG_VERSION":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with embedded_postgres(tmp_path) as server:
        assert server.is_ready()
    assert not unfinished.exists()


@pytest.mark.full
def test_a_lock_file_left_by_another_machines_pids_does_not_stop_postgres(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as server:
        lock = (server.data / "postmaster.pid").read_text()
    pid_of_somebody_else = "1"
    (server.data / "postmaster.pid").write_text("\n".join([pid_of_somebody_else, *lock.splitlines()[1:]]))
    with embedded_postgres(tmp_path) as server:
        assert server.is_ready()


@pytest.mark.full
def test_secrets_are_readable_by_their_owner_only_and_not_in_the_list_of_processes(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "valkey") as url:
        password = url.split(":")[2].split("@")[0]
        for secret in ("password", "valkey.conf"):
            assert (tmp_path / "valkey" / secret).stat().st_mode & 0o077 == 0
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert password.encode() not in process.read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
