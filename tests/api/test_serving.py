"""`python -m api` as the supervisor starts it: it serves, or says in one sentence why not."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import psycopg
import pytest

from api.security import read_login

pytestmark = pytest.mark.full


def start(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "api", "--port", str(port)], stderr=subprocess.PIPE, text=True
    )


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_it_serves_with_a_first_user_and_stops_when_told(
    database_url: str, redis_url: str, state_dir: Path
) -> None:
    port = a_free_port()
    with start(port) as process:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                    assert answer.status == 200
                break
            except URLError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert read_login(state_dir) is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def refused(port: int) -> tuple[int, str]:
    with start(port) as process:
        assert process.stderr is not None
        return process.wait(20), process.stderr.read()


def test_a_taken_port_is_one_clear_sentence(database_url: str, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, told = refused(taken.getsockname()[1])
    assert code == 1
    assert told.startswith("error: the monitor cannot listen on 127.0.0.1:")
    assert "--port" in told
    assert len(told.splitlines()) == 1


def test_a_ledger_that_is_away_or_empty_is_one_clear_sentence(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop table users")
    assert refused(a_free_port()) == (
        1,
        "error: the database has no tables yet. Run `./slipway up`, which makes them.\n",
    )
    monkeypatch.setitem(os.environ, "SLIPWAY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
    code, told = refused(a_free_port())
    assert code == 1
    assert told.startswith("error: Postgres does not answer")
    assert len(told.splitlines()) == 1
