"""The channel between the command line and the supervisor: JSON lines over a unix socket.

A request is {"do": "status" | "up" | "start" | "stop" | "restart" | "shutdown", "name": …}, an answer holds
"error" and "fix" when the request was refused.
"""

import json
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from data.errors import SlipwayError, Unavailable, UsageError
from infra.local.site import Site

ANSWER_WITHIN_S = 15.0
POLL_S = 0.1


class NotRunning(Unavailable):
    """No supervisor listens for this state folder."""


class Control:
    """One connection per request: the supervisor may be restarted between two of them."""

    def __init__(self, site: Site) -> None:
        self.path = site.sockets / "control.sock"

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_WITHIN_S)
            try:
                connection.connect(str(self.path))
                connection.sendall(json.dumps({"do": do} | details).encode() + b"\n")
                with connection.makefile() as lines:
                    answer: dict[str, Any] = json.loads(lines.readline() or "{}")
            except TimeoutError:
                raise Unavailable(
                    f"the supervisor did not answer within {ANSWER_WITHIN_S:.0f} s",
                    "Run `./slipway down` and `./slipway up`.",
                ) from None
            except OSError:  # no socket, no listener behind it, or not ours to reach
                raise NotRunning("the local system is not running", "Start it with `./slipway up`.") from None
        if "error" in answer:
            raise UsageError(answer["error"], answer["fix"])
        return answer

    def is_running(self) -> bool:
        with suppress(NotRunning):
            self.ask("status")
            return True
        return False

    def status(self) -> list[dict[str, Any]]:
        """Every service: name, state, pid, port, for_s, restarts, exit_code, failed, note, fix."""
        services: list[dict[str, Any]] = self.ask("status")["services"]
        return services

    def service(self, name: str) -> dict[str, Any]:
        return next(each for each in self.status() if each["name"] == name)

    def start(
        self,
        name: str,
        args: Sequence[str] = (),
        env: dict[str, str] | None = None,
        told: Callable[[list[dict[str, Any]]], None] = lambda services: None,
    ) -> None:
        """Start a service and what it needs; returns when it is ready."""
        names = self.ask("start", name=name, args=list(args), env=env or {})["names"]
        self.wait_until_ready(names, told)

    def up(
        self, only: Sequence[str] = (), told: Callable[[list[dict[str, Any]]], None] = lambda services: None
    ) -> None:
        """Start the default services, or only those named and what they need; returns when they are ready."""
        self.wait_until_ready(self.ask("up", only=list(only))["names"], told)

    def wait_until_ready(
        self, names: Sequence[str], told: Callable[[list[dict[str, Any]]], None] = lambda services: None
    ) -> None:
        while True:
            services = [each for each in self.status() if each["name"] in names]
            told(services)
            if failed := [each for each in services if each["failed"]]:
                raise SlipwayError(failed[0]["note"], failed[0]["fix"])
            if all(each["state"] in ("ready", "ended") for each in services):
                return
            time.sleep(POLL_S)

    def stop(self, name: str) -> None:
        self.ask("stop", name=name)

    def restart(self, name: str) -> None:
        self.ask("restart", name=name)
        self.wait_until_ready([name])

    def shutdown(self) -> None:
        with suppress(NotRunning):
            self.ask("shutdown")
