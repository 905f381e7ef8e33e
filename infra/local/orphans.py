"""Processes that a killed supervisor left behind: found by pid file and by mark, ended before anything starts."""

import os
import signal
from pathlib import Path

from infra.local.processes import ProcessId, read_pid_file, stop_group, wait_for
from infra.local.site import Site

MARK = "SLIPWAY_SUPERVISED"  # in the environment of everything the supervisor starts, and of what that starts
GRACE_S = 3.5
# Order of stopping: what uses the servers first. A server unknown here stops with the first wave.
SERVERS = ("postgres", "valkey")


def end_orphans(site: Site) -> list[str]:
    """End every process of this site but our own; returns the names of the services that were found."""
    files = {path.stem: path for path in (site.run_dir / "pids").glob("*.json")}
    found = {name: process for name, path in files.items() if (process := read_pid_file(path))}
    for wave in (
        [name for name in found if name not in SERVERS],
        [name for name in found if name in SERVERS],
    ):
        for name in wave:
            _signal(found[name], signal.SIGINT if name == "postgres" else signal.SIGTERM)
        wait_for(lambda wave=wave: not any(found[name].is_alive() for name in wave), GRACE_S)  # type: ignore[misc]
        for name in wave:
            stop_group(found[name], signal.SIGKILL, 1.0)
    children = marked(site)
    for process in children:
        _signal(process, signal.SIGKILL)
    wait_for(lambda: not any(process.is_alive() for process in children), 1.0)
    for path in files.values():
        path.unlink(missing_ok=True)
    (site.run_dir / "services.json").unlink(missing_ok=True)
    return sorted(found)


def marked(site: Site) -> list[ProcessId]:
    """What runs with this site's mark: children of services whose own process is already gone."""
    mark = f"{MARK}={site.state_dir}".encode()
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
        if (
            mark in environment
            and int(folder.name) != os.getpid()
            and (process := ProcessId.of(int(folder.name)))
        ):
            processes.append(process)
    return processes


def _signal(process: ProcessId, number: signal.Signals) -> None:
    if process.is_alive():
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return
