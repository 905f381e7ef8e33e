"""Connections are lent: as good as new each time, and never a dead one."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus

from data import idle_connections, postgres
from data.errors import Unavailable, UsageError
from data.postgres import connect, one
from infra.local.addresses import free_port
from infra.local.embedded import embedded_postgres


@pytest.fixture(autouse=True)
def nobody_rests() -> Iterator[None]:
    postgres._idle.close()
    yield
    postgres._idle.close()


def backend() -> int:
    with connect() as connection:
        return connection.info.backend_pid


def sessions(database_url: str) -> int:
    """How many the server has to this database, beside the one that asks."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def ends(database_url: str, backend_pid: int) -> None:
    """Somebody ends that session, and it is gone."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", [backend_pid])


def test_the_next_block_gets_the_same_connection(database_url: str) -> None:
    assert backend() == backend()
    assert sessions(database_url) == 1


def test_two_blocks_at_once_have_two_connections(database_url: str) -> None:
    with connect() as first, connect() as second:
        assert first is not second
    assert sessions(database_url) == 2


def test_threads_never_share_one(database_url: str) -> None:
    together = threading.Barrier(4)
    met: list[int] = []

    def work() -> None:
        with connect() as connection:
            together.wait(10)
            met.append(connection.info.backend_pid)
            together.wait(10)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(met)) == 4


def test_a_block_that_ends_is_committed_and_one_that_raises_is_not(database_url: str) -> None:
    with connect() as connection:
        connection.execute("create table kept (n int)")

    def fails() -> None:
        with connect() as connection:
            connection.execute("insert into kept values (1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with connect() as connection:
        assert one(connection.execute("select count(*) as n from kept")) == {"n": 0}


@pytest.mark.parametrize("autocommit", [True, False])
def test_each_block_says_itself_whether_it_commits_by_statement(database_url: str, autocommit: bool) -> None:
    with connect(autocommit=not autocommit):
        pass
    with connect(autocommit=autocommit) as connection:
        connection.execute("select 1")
        expected = TransactionStatus.IDLE if autocommit else TransactionStatus.INTRANS
        assert connection.info.transaction_status == expected


def test_nothing_that_a_block_sets_reaches_the_next(database_url: str) -> None:
    with connect(autocommit=True) as connection:
        before = connection.info.backend_pid
        connection.execute("set statement_timeout = '7s'")
        connection.execute("select pg_advisory_lock(42)")
        connection.execute("listen gossip")
        connection.execute("create temporary table mine (n int)")
        connection.execute("set session characteristics as transaction read only")
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.row_factory = psycopg.rows.tuple_row  # type: ignore[assignment]
    with psycopg.connect(database_url) as somebody_else:
        assert somebody_else.execute("select pg_try_advisory_lock(42)").fetchone() == (True,)
    with connect() as connection:
        assert connection.info.backend_pid == before
        state = connection.execute(
            "select current_setting('statement_timeout') as patience, to_regclass('mine') as mine, "
            "(select count(*) from pg_listening_channels()) as channels, "
            "current_setting('transaction_read_only') as read_only, "
            "current_setting('transaction_isolation') as isolation"
        )
        assert one(state) == {
            "patience": "0",
            "mine": None,
            "channels": 0,
            "read_only": "off",
            "isolation": "read committed",
        }


def test_a_session_that_was_ended_while_it_rested_is_not_lent(database_url: str) -> None:
    before = backend()
    ends(database_url, before)
    assert backend() != before


def test_an_error_of_a_statement_costs_no_connection(database_url: str) -> None:
    before = backend()
    with pytest.raises(QueryCanceled), connect() as connection:
        connection.execute("set statement_timeout = '10ms'; select pg_sleep(5)")
    assert backend() == before


def test_postgres_gone_in_the_middle_is_said_and_everything_to_it_is_forgotten(database_url: str) -> None:

    def loses_it() -> int:
        with connect() as connection:
            with connect():
                pass  # a second one rests meanwhile
            ends(database_url, connection.info.backend_pid)
            connection.execute("select 1")
        raise AssertionError("not reached")

    with pytest.raises(Unavailable, match=r"Postgres does not answer.*\./slipway up"):
        loses_it()
    assert sessions(database_url) == 0
    assert backend() > 0


def test_a_block_that_ends_in_the_middle_of_a_copy_gives_back_nothing_to_lend(database_url: str) -> None:
    before = backend()

    def stops_half_way() -> None:
        with connect() as connection:
            connection.pgconn.exec_(b"copy catalog to stdout")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stops_half_way()
    assert backend() != before


def test_a_block_may_close_its_connection(database_url: str) -> None:
    with connect() as connection:
        connection.close()
    backend()


def test_no_more_than_a_few_rest_and_not_for_ever(
    database_url: str, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connections, "IDLE_MAX", 2)
    other = new_database()
    with connect(), connect(), connect(other):
        pass
    assert sessions(database_url) + sessions(other) == 2
    monkeypatch.setattr(idle_connections, "IDLE_S_MAX", 0)
    time.sleep(0.001)
    with connect():
        assert (sessions(database_url), sessions(other)) == (1, 0)


def test_a_forked_child_leaves_its_parents_connections_alone(database_url: str) -> None:
    before = backend()
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            os._exit(0 if backend() != before else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert backend() == before


def test_what_is_wrong_is_said_at_once() -> None:
    with (
        pytest.raises(Unavailable, match=r"Postgres does not answer: .*refused"),
        connect("postgresql://x@127.0.0.1:1/x"),
    ):
        pass
    with (
        pytest.raises(UsageError, match="not the address of a database") as told,
        connect("postgresql://x:secret@[/x"),
    ):
        pass
    assert "secret" not in str(told.value)


@pytest.mark.full
def test_a_restart_between_two_blocks_is_not_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr("infra.local.embedded.free_port", lambda: port)  # it comes back at the same address
    for _ in range(2):
        with (
            embedded_postgres(tmp_path) as server,
            connect(server.url()) as connection,
            connect(server.url()),
        ):
            assert one(connection.execute("select 1 as n")) == {"n": 1}
