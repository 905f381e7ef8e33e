"""What this checkout has decided about its local services: folders, ports, secrets, addresses.

Ports and secrets are remembered over restarts in `run/ports.json`. What runs right now is told to every
other room by `run/services.json` (data.settings reads it), which is gone when nothing runs.
"""

import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from data.errors import SlipwayError, UsageError
from data.settings import ROOT, DataSettings
from infra.local.addresses import LOOPBACK, free_port, is_free, make_private, socket_folder
from infra.local.identity import Identity, choose_identity
from infra.local.postgres import Cluster, installation
from infra.local.processes import wait_for, write_private
from infra.local.valkey import Valkey
from infra.settings import InfraSettings

PORTS = {
    "api": 8400,
    "dagster-webserver": 8401,
    "lab": 8402,
    "exchange": 8403,
    "postgres": 8404,
    "valkey": 8405,
}
# The supervisor hands these to its services when they start; a change counts from the next start on.
DECIDED_AT_START = ("env", "database_url", "redis_url", "exchange_url", "lake_url", "lake_s3_endpoint")
MARKER_TEXT = "Local state of Slipway. `./slipway reset` empties this folder.\n"
FREE_WITHIN_S = 2.0  # the kernel takes the socket of a killed process back a moment after its end
CHECKOUTS_MAX = 20  # the second checkout on a machine tries 8410…, the third 8420…, and so on


@dataclass
class Site:
    """One state folder and the services that belong to it."""

    data: DataSettings = field(default_factory=DataSettings)
    infra: InfraSettings = field(default_factory=InfraSettings)

    def __post_init__(self) -> None:
        self.state_dir = self.data.state_dir.expanduser().absolute()
        self.run_dir = self.state_dir / "run"
        self.log_dir = self.state_dir / "logs"
        self.dagster_home = self.state_dir / "dagster"
        self._published: dict[str, str] = {}
        self._choosing = threading.RLock()  # services start side by side: two must not choose one port

    @property
    def marker(self) -> Path:
        return self.state_dir / "slipway-state"

    @property
    def is_ours(self) -> bool:
        """Whether `slipway reset` may empty this folder: a mistyped SLIPWAY_STATE_DIR may hold anything."""
        return self.state_dir == ROOT / ".slipway" or self.marker.exists()

    def make_folders(self) -> None:
        try:
            self.state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)  # whatever the umask: ours to write
            # numba/ may stand there before us: the launcher names it as the place of compiled code
            if self.is_ours or {each.name for each in self.state_dir.iterdir()} <= {"numba"}:
                write_private(self.marker, MARKER_TEXT)
            for folder in (self.run_dir, self.run_dir / "pids", self.log_dir):
                folder.mkdir(mode=0o700, exist_ok=True)
            make_private(self.sockets)
        except OSError as error:
            raise SlipwayError(
                f"{self.state_dir} cannot be written: {error.strerror}",
                "Free some space, run as the owner of that folder, or let SLIPWAY_STATE_DIR name another.",
            ) from error

    # ports and secrets

    def port(self, service: str) -> int:
        """The port this service listens on: the one asked for, else last time's, else a free one."""
        if chosen := self.infra.chosen_port(service):
            return chosen
        with self._choosing:
            remembered = self._remembered().get(service)
            return remembered if isinstance(remembered, int) else self._pick_port(service)

    def _pick_port(self, service: str) -> int:
        ours = {self.infra.chosen_port(name) or self._remembered().get(name) for name in PORTS}
        preferred = (PORTS[service] + 10 * checkout for checkout in range(CHECKOUTS_MAX))
        port = free_port(*(port for port in preferred if port not in ours))
        self._remember(service, port)
        return port

    def ensure_port_is_free(self, service: str, *, may_move: bool, within_s: float = FREE_WITHIN_S) -> None:
        """Move to another port where the person chose none and nobody knows the old one yet."""
        port, chosen = self.port(service), self.infra.chosen_port(service)
        may_move = may_move and not chosen
        if is_free(port) or (not may_move and wait_for(lambda: is_free(port), within_s)):
            return
        if may_move:
            with self._choosing:
                self._pick_port(service)
            return
        raise SlipwayError(
            f"port {port} for {service} is taken by another program",
            f"Stop that program, or unset {port_variable(service)}."
            if chosen
            else "Stop that program, or run `./slipway down` and `./slipway up`: the service then moves.",
        )

    def refuse_shared_ports(self) -> None:
        """Two services cannot have one port, whatever the person chose."""
        chosen = [(port, name) for name in PORTS if (port := self.infra.chosen_port(name))]
        for port, first in chosen:
            if others := [name for other, name in chosen if other == port and name != first]:
                raise UsageError(
                    f"{port_variable(first)} and {port_variable(others[0])} both say {port}",
                    "Give each service a port of its own, or unset both: free ones are found.",
                )

    @property
    def lab_token(self) -> str:
        with self._choosing:
            if not (token := self._remembered().get("lab_token")):
                self._remember("lab_token", token := secrets.token_urlsafe(24))
            return str(token)

    def _remembered(self) -> dict[str, Any]:
        """Read anew each time: the supervisor's choice is what counts for a command that looks on."""
        try:
            known = json.loads((self.run_dir / "ports.json").read_text())
        except (FileNotFoundError, ValueError):  # torn or missing: everything in it can be chosen again
            return {}
        return known if isinstance(known, dict) else {}

    def _remember(self, name: str, value: int | str) -> None:
        self.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        remembered = self._remembered() | {name: value}
        write_private(self.run_dir / "ports.json", json.dumps(remembered, indent=2))

    # the embedded servers, None where the person named one of their own

    @cached_property
    def sockets(self) -> Path:
        return socket_folder(self.state_dir)

    @property
    def postgres(self) -> Cluster | None:
        if self.data.database_url:
            return None
        return Cluster(self._postgres_identity, self.sockets, self.port("postgres"))

    @cached_property
    def _postgres_identity(self) -> Identity:
        return choose_identity(self.state_dir / "postgres", installation())

    @property
    def valkey(self) -> Valkey | None:
        if self.data.redis_url:
            return None
        return Valkey(self.state_dir / "valkey", self.sockets, self.port("valkey"))

    # addresses

    def settings_digest(self) -> dict[str, str]:
        """What the person chose, comparable but unreadable: an `up` with other settings must not pass for done."""
        chosen = {f"SLIPWAY_{name.upper()}": getattr(self.data, name) for name in DECIDED_AT_START}
        chosen |= {port_variable(service): self.infra.chosen_port(service) for service in PORTS}
        chosen["SLIPWAY_INFRA_DAGSTER_DATABASE_URL"] = self.infra.dagster_database_url
        return {name: _digest(value) for name, value in chosen.items()}

    def http(self, service: str) -> str:
        return f"http://{LOOPBACK}:{self.port(service)}"

    def database_url(self) -> str:
        embedded = self.postgres
        return embedded.url() if embedded else self.data.postgres()

    def dagster_database_url(self) -> str:
        if self.infra.dagster_database_url:
            return self.infra.dagster_database_url.get_secret_value()
        server, _, _ = self.database_url().partition("?")
        return server.rpartition("/")[0] + "/dagster"

    def redis_url(self) -> str:
        embedded = self.valkey
        return embedded.url() if embedded else self.data.redis()

    def exchange_url(self) -> str:
        return self.data.exchange_url or self.http("exchange")

    def environment(self) -> dict[str, str]:
        """Where the servers are, for processes of ours. Secrets travel here, never on a command line."""
        return {
            "SLIPWAY_DATABASE_URL": self.database_url(),
            "SLIPWAY_REDIS_URL": self.redis_url(),
            "SLIPWAY_EXCHANGE_URL": self.exchange_url(),
            "DAGSTER_HOME": str(self.dagster_home),
        }

    def publish(self, name: str, address: str) -> None:
        self._published[name] = address
        self._write_published()

    def withdraw(self, name: str) -> None:
        if self._published.pop(name, None):
            self._write_published()

    def _write_published(self) -> None:
        path = self.run_dir / "services.json"
        if self._published:
            write_private(path, json.dumps(self._published, indent=2))
        else:
            path.unlink(missing_ok=True)


def _digest(value: SecretStr | str | int | None) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def port_variable(service: str) -> str:
    return f"SLIPWAY_INFRA_{service.upper().replace('-', '_')}_PORT"
