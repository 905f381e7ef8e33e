"""What the supervisor keeps an eye on: processes of its own, and servers of the person's own."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol


class State(StrEnum):
    STOPPED = "stopped"
    WAITING = "waiting"  # for another service
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    ENDED = "ended"
    UNREACHABLE = "unreachable"  # an external server that does not answer
    ORPHANED = "orphaned"  # runs on though its supervisor was killed


class Kind(StrEnum):
    EMBEDDED = "embedded"  # a server of ours
    PROCESS = "process"  # Slipway's own
    EXTERNAL = "external"  # a server of the person's own: used, never started


class Kept(Protocol):
    """One row of `slipway status`."""

    ready: asyncio.Event

    @property
    def is_wanted(self) -> bool: ...

    def start(self, arguments: Sequence[str] = (), environment: dict[str, str] | None = None) -> None: ...

    async def stop(self, grace_s: float) -> None: ...

    async def restart(self) -> None: ...

    def describe(self) -> dict[str, Any]: ...


def row(name: str, kind: Kind, state: State, **facts: Any) -> dict[str, Any]:
    """One service as `slipway status --json` tells of it, whoever looked."""
    empty = {
        "pid": None, "port": None, "where": None, "for_s": 0, "restarts": 0, "exit_code": None, "failed": False,
        "by_default": True, "note": "", "fix": "",
    }  # fmt: skip
    return {"name": name, "kind": kind.value, "state": state.value} | empty | facts
