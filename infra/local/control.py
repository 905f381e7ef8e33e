"""The channel between the command line and the supervisor: JSON lines over a unix socket.

A request is {"do": "status" | "up" | "start" | "stop" | "restart" | "shutdown", "name": …}, an answer holds
"error", "fix" and "exit_code" when the request was refused.
"""

import json
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from data.errors import SlipwayError, Unavailable, UsageError
from infra.local.site import Site

ANSWERS_WITHIN_S = 15.0  # a request may have to stop a service first
TELLS_WITHIN_S = 3.5  # status needs no thought; a supervisor silent for so long is frozen
HEARS_WITHIN_S = 2.5  # of the ten seconds that `down` promises
POLL_S = 0.1
Told = Callable[[list[dict[str, Any]]], None]


class NotRunning(Unavailable):
    """No supervisor listens for this state folder."""


class Stopping(Unavailable):
    """It was told to end, and is about to."""


# How an answer's exit code becomes an exception again; Stopping has one that no command ends with.
STOPPING_CODE = -1
REFUSALS: dict[int, type[SlipwayError]] = {STOPPING_CODE: Stopping, UsageError.exit_code: UsageError}


class Control:
    """One connection per request: the supervisor may be restarted between two of them."""

    def __init__(self, site: Site) -> None:
        self.path = site.sockets / "control.sock"

    def ask(self, do: str, *, within_s: float = ANSWERS_WITHIN_S, **details: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(within_s)
            try:
                connection.connect(str(self.path))
                connection.sendall(json.dumps({"do": do} | details).encode() + b"\n")
                with connection.makefile() as lines:
                    said = lines.readline()
            except TimeoutError:
                raise Unavailable(
                    f"the supervisor did not answer within {within_s:.0f} s",
                    "Run `./slipway down` and `./slipway up`.",
                ) from None
            except OSError:  # no socket, no listener behind it, or not ours to reach
                said = ""
        if not said.endswith("\n"):  # nobody, or somebody who died over the answer
            raise NotRunning("the local system is not running", "Start it with `./slipway up`.")
        answer: dict[str, Any] = json.loads(said)
        if "error" in answer:
            raise REFUSALS.get(answer["exit_code"], SlipwayError)(answer["error"], answer["fix"])
        return answer

    def is_running(self) -> bool:
        with suppress(NotRunning):
            self.ask("status", within_s=TELLS_WITHIN_S)
            return True
        return False

    def status(self) -> list[dict[str, Any]]:
        """Every service: name, kind, state, pid, port, where, for_s, restarts, exit_code, failed, note, fix."""
        services: list[dict[str, Any]] = self.ask("status", within_s=TELLS_WITHIN_S)["services"]
        return services

    def settings(self) -> dict[str, str]:
        """A digest of each setting that the supervisor was started with."""
        settings: dict[str, str] = self.ask("status", within_s=TELLS_WITHIN_S)["settings"]
        return settings

    def service(self, name: str) -> dict[str, Any]:
        return next(each for each in self.status() if each["name"] == name)

    def start(
        self,
        name: str,
        args: Sequence[str] = (),
        env: dict[str, str] | None = None,
        told: Told = lambda services: None,
    ) -> None:
        """Start a service and what it needs; returns when it is ready."""
        names = self.ask("start", name=name, args=list(args), env=env or {})["names"]
        self.wait_until_ready(names, told)

    def up(self, only: Sequence[str] = (), told: Told = lambda services: None) -> None:
        """Start the default services, or only those named and what they need; returns when they are ready."""
        self.wait_until_ready(self.ask("up", only=list(only))["names"], told)

    def wait_until_ready(self, names: Sequence[str], told: Told = lambda services: None) -> None:
        while True:
            try:
                services = [each for each in self.status() if each["name"] in names]
            except NotRunning:
                raise SlipwayError(
                    "the local system was stopped by somebody while it was awaited",
                    "Run `./slipway up` again.",
                ) from None
            told(services)
            if failed := [each for each in services if each["failed"]]:
                raise SlipwayError(failed[0]["note"], failed[0]["fix"])
            if stopped := [each["name"] for each in services if each["state"] == "stopped"]:
                raise SlipwayError(
                    f"{stopped[0]} was stopped by somebody while it was awaited", "Run `./slipway up` again."
                )
            if all(each["state"] in ("ready", "ended") for each in services):
                return
            time.sleep(POLL_S)

    def stop(self, name: str) -> None:
        self.ask("stop", name=name)

    def restart(self, name: str) -> None:
        self.ask("restart", name=name)
        self.wait_until_ready([name])

    def shutdown(self) -> list[str]:
        """Ask it to end; the names of the services that it will stop."""
        running: list[str] = self.ask("shutdown", within_s=HEARS_WITHIN_S)["running"]
        return running
