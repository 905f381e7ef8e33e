"""Processes by identity: a pid alone may be somebody else's by now, a pid with its start time and boot is not."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

POLL_S = 0.02
PROC = Path("/proc")


@cache
def boot_id() -> str:
    """Which run of the machine this is: start ticks count from its boot."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # a sandbox that hides it: ticks alone must do
        return ""


@dataclass(frozen=True)
class ProcessId:
    """A process, the kernel's tick at which it started, and the boot that counts them: never reused together."""

    pid: int
    start_ticks: int
    boot: str = field(default_factory=boot_id)

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        stat = _stat(pid)
        return cls(pid, int(stat[19])) if stat else None

    def is_alive(self) -> bool:
        stat = self._own_stat()
        return stat is not None and stat[0] not in "ZX"

    def is_frozen(self) -> bool:
        """Stopped by a signal (SIGSTOP, SIGTSTP); one that a debugger holds is not."""
        stat = self._own_stat()
        return stat is not None and stat[0] == "T"

    def send(self, number: signal.Signals) -> None:
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _own_stat(self) -> list[str] | None:
        stat = _stat(self.pid) if self.boot == boot_id() else None
        return stat if stat and int(stat[19]) == self.start_ticks else None


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; the name before it may hold spaces and brackets."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def group_of(pgid: int) -> Iterator[int]:
    """The pids of a process group."""
    for pid in pids():
        if (stat := _stat(pid)) and int(stat[2]) == pgid:
            yield pid


def pids() -> Iterator[int]:
    return (int(folder.name) for folder in PROC.glob("[0-9]*"))


def working_in(folder: Path) -> Iterator[int]:
    """The pids whose working directory this is: how servers are known that write over their environment."""
    there = folder.resolve()
    for pid in pids():
        try:
            if (PROC / str(pid) / "cwd").readlink() == there:
                yield pid
        except OSError:  # it ended meanwhile, or is somebody else's
            continue


def write_pid_file(path: Path, process: ProcessId) -> None:
    write_private(path, json.dumps(asdict(process)))


def read_pid_file(path: Path) -> ProcessId | None:
    """The process the file names if it still runs; a torn or stale file names none."""
    try:
        process = ProcessId(**json.loads(path.read_text()))
        return process if process.is_alive() else None
    except (OSError, ValueError, TypeError):
        return None


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
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
        process.send(first_signal)
        wait_for(lambda: not process.is_alive(), grace_s)
    kill_group(process.pid)


def kill_group(pgid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)
