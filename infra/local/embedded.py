"""A PostgreSQL or a Valkey for as long as a `with` block lasts: what tests and one-off tools use."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import Unavailable
from infra.local.addresses import free_port, make_private, socket_folder
from infra.local.identity import choose_identity
from infra.local.logs import last_words
from infra.local.postgres import Cluster, installation
from infra.local.processes import ProcessId, stop_group, wait_for
from infra.local.valkey import Valkey

READY_WITHIN_S = 15
STARTS_MAX = 20  # after a kill -9 PostgreSQL refuses until the last orphan of the old one is gone, for 2–4 s
PAUSE_S = 0.25
# The block's process may be killed too; its servers then end by themselves.
WITH_PARENT = ("setpriv", "--pdeathsig", "INT", "--")


@contextmanager
def embedded_postgres(folder: Path, *, durable: bool = True) -> Iterator[Cluster]:
    """A running PostgreSQL in `folder`, with Slipway's databases; `.url(database)` addresses one."""
    identity = choose_identity(folder, installation())
    server = Cluster(identity, _sockets(folder), free_port(), durable)
    server.prepare()
    as_whom = identity.wrapper
    command = [*as_whom, *WITH_PARENT, *server.command()[len(as_whom) :]]
    with _running("PostgreSQL", command, folder / "log", server.is_ready, signal.SIGINT):
        server.create_databases()
        yield server


@contextmanager
def embedded_valkey(folder: Path) -> Iterator[str]:
    """The URL of a running Valkey."""
    server = Valkey(folder, _sockets(folder), free_port())
    server.prepare()
    with _running(
        "Valkey", [*WITH_PARENT, *server.command()], folder / "log", server.is_ready, signal.SIGTERM
    ):
        yield server.url()


def _sockets(folder: Path) -> Path:
    sockets = socket_folder(folder)
    make_private(sockets)
    return sockets


@contextmanager
def _running(
    name: str, command: list[str], log: Path, is_ready: Callable[[], bool], stop: signal.Signals
) -> Iterator[None]:
    process = _start(name, command, log, is_ready)
    try:
        yield
    finally:
        if identity := ProcessId.of(process.pid):
            process.send_signal(stop)
            wait_for(lambda: process.poll() is not None, 5)
            stop_group(identity, signal.SIGKILL, 1)
        process.wait()


def _start(name: str, command: list[str], log: Path, is_ready: Callable[[], bool]) -> subprocess.Popen[bytes]:
    for _ in range(STARTS_MAX):
        if process := _start_once(command, log, is_ready):
            return process
        time.sleep(PAUSE_S)
    said = log.read_text(errors="replace")
    raise Unavailable(f"{name} did not start: {last_words(said)}", f"Its log is {log}.")


def _start_once(
    command: list[str], log: Path, is_ready: Callable[[], bool]
) -> subprocess.Popen[bytes] | None:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
        )
    wait_for(lambda: process.poll() is not None or is_ready(), READY_WITHIN_S)
    if process.poll() is None and is_ready():
        return process
    process.kill()
    process.wait()
    return None
