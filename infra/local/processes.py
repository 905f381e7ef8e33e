"""Processes by identity: a pid alone may be somebody else's by now, a pid with its start time is not."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

POLL_S = 0.02


@dataclass(frozen=True)
class ProcessId:
    """A process and the kernel's tick at which it started: together they are never reused."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        stat = _stat(pid)
        return cls(pid, int(stat[19])) if stat else None

    def is_alive(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and int(stat[19]) == self.start_ticks and stat[0] not in "ZX"


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; the name before it may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def write_pid_file(path: Path, process: ProcessId) -> None:
    write_private(path, json.dumps(asdict(process)))


def read_pid_file(path: Path) -> ProcessId | None:
    """The process the file names if it still runs; a torn or stale file names none."""
    try:
        process = ProcessId(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return process if process.is_alive() else None


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.replace(path)
    except OSError:  # a full disk must not be littered on top
        draft.unlink(missing_ok=True)
        raise


def wait_for(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def stop_group(process: ProcessId, first_signal: signal.Signals, grace_s: float) -> None:
    """Ask the leader of a process group to stop, then end whatever of the group is left."""
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, first_signal)
        wait_for(lambda: not process.is_alive(), grace_s)
    kill_group(process.pid)


def kill_group(pgid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)
