"""Who is the supervisor of a state folder: a lock that the kernel drops with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from infra.local.processes import ProcessId, read_pid_file, wait_for, write_pid_file
from infra.local.site import Site

LAST_BREATH_S: Final = 1.0  # a killed process looks dead a moment before its last thread drops the lock


@contextmanager
def take_tenure(site: Site, within_s: float = 0.0) -> Iterator[bool]:
    """Whether nobody else supervises this site, for as long as the block lasts."""
    with _lock_file(site).open("a") as lock:
        yield wait_for(lambda: _is_locked_by_us(lock), max(LAST_BREATH_S, within_s))


def _is_locked_by_us(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def in_office(site: Site) -> Iterator[None]:
    """Tells others who we are: `slipway down` ends this process if it does not listen."""
    failure_file(site).unlink(missing_ok=True)
    if identity := ProcessId.of(os.getpid()):
        write_pid_file(_pid_file(site), identity)
    yield
    _pid_file(site).unlink(missing_ok=True)


def is_taken(site: Site) -> bool:
    try:
        with _lock_file(site).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def holder(site: Site) -> ProcessId | None:
    """The supervisor's process; none when nobody supervises, or when its pid file was lost."""
    return read_pid_file(_pid_file(site))


def failure_file(site: Site) -> Path:
    """Why the last supervisor could not start, for the command that started it."""
    return site.run_dir / "failure.json"


def _lock_file(site: Site) -> Path:
    return site.run_dir / "supervisor.lock"


def _pid_file(site: Site) -> Path:
    return site.run_dir / "supervisor.json"
