"""Processes that a killed supervisor left behind: found by pid file and by mark, ended before anything starts."""

import os
import signal

from infra.local.identity import moved_home
from infra.local.processes import PROC, ProcessId, pids, read_pid_file, stop_group, wait_for, working_in
from infra.local.site import Site

MARK = "SLIPWAY_SUPERVISED"  # in the environment of everything the supervisor starts, and of what that starts
GRACE_S = 7.0  # for both waves; `down` promises ten seconds
# Order of stopping: what uses the servers first. A server unknown here stops with the first wave.
SERVERS = ("postgres", "valkey")


def orphans(site: Site) -> dict[str, ProcessId]:
    """Services that run, by their pid files; asked only where no supervisor is."""
    files = sorted((site.run_dir / "pids").glob("*.json"))
    return {path.stem: process for path in files if (process := read_pid_file(path))}


def end_orphans(site: Site, grace_s: float = GRACE_S) -> list[str]:
    """End every process of this site but our own; returns the names of the services that were found."""
    found = orphans(site)
    for wave in (
        [name for name in found if name not in SERVERS],
        [name for name in found if name in SERVERS],
    ):
        for name in wave:
            found[name].send(signal.SIGINT if name == "postgres" else signal.SIGTERM)
            found[name].send(signal.SIGCONT)  # a frozen one hears it, too
        wait_for(lambda wave=wave: not any(found[name].is_alive() for name in wave), grace_s / 2)  # type: ignore[misc]
        for name in wave:
            stop_group(found[name], signal.SIGKILL, 1.0)
    strays = left_over(site)
    for process in strays:
        process.send(signal.SIGKILL)
    wait_for(lambda: not any(process.is_alive() for process in strays), 1.0)
    for path in (site.run_dir / "pids").glob("*.json"):
        path.unlink(missing_ok=True)
    (site.run_dir / "services.json").unlink(missing_ok=True)
    return sorted(found) or (["nameless processes"] if strays else [])


def left_over(site: Site) -> list[ProcessId]:
    """What else belongs to this site: children of services whose own process is gone, services without a pid file.

    Known by the mark in their environment; PostgreSQL's backends, which write over theirs, by their folder.
    """
    mark = f"{MARK}={site.state_dir}".encode()
    home = site.state_dir / "postgres"
    ours = {pid for folder in (home, moved_home(home)) for pid in working_in(folder / "data")}
    ours |= {pid for pid in pids() if mark in _environment(pid)}
    return [process for pid in sorted(ours - {os.getpid()}) if (process := ProcessId.of(pid))]


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile, or is somebody else's
        return []
