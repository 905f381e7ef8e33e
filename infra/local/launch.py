"""Up and down, as functions: what the command line, the demo and the tests call."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from data.errors import Refused, SlipwayError, Unavailable, UsageError
from data.settings import ROOT
from infra.local.control import Control, Stopping, Told
from infra.local.identity import moved_home
from infra.local.logs import make_room
from infra.local.orphans import MARK, end_orphans
from infra.local.overview import externals_now
from infra.local.processes import ProcessId, kill_group, wait_for
from infra.local.services import services, with_needs
from infra.local.site import Site
from infra.local.tenure import failure_file, holder, is_taken, take_tenure

STARTS_WITHIN_S = 30.0
# Of the ten seconds that `down` promises: the supervisor needs at most 6.5 for its services and a moment for itself;
# one that needs longer hangs and is killed, and what it leaves behind is given the rest.
SUPERVISOR_STOPS_WITHIN_S = 7.5
ALL_STOPS_WITHIN_S = 9.0
ORPHANS_GRACE_S_MIN = 0.6
KEPT_AT_RESET = ("tools", "setup.lock", "slipway-state")
# Set by the supervisor for its children: in a terminal inside its own JupyterLab they are no choice of the person.
HANDED_DOWN = ("SLIPWAY_DATABASE_URL", "SLIPWAY_REDIS_URL", "SLIPWAY_EXCHANGE_URL")


def bring_up(site: Site, only: Sequence[str] = (), told: Told = lambda services: None) -> Control:
    """The supervisor and its services, running and ready. Nothing happens to what runs already."""
    names = with_needs(only, services(site))  # before anything is started for the sake of a typing error
    site.refuse_shared_ports()
    control = running_supervisor(site, names)
    try:
        control.up(only, told)
    except Stopping:  # by a `down` in another terminal: this one was typed later
        wait_for(lambda: not is_taken(site), ALL_STOPS_WITHIN_S)
        control = running_supervisor(site, names)
        control.up(only, told)
    return control


def running_supervisor(site: Site, needs: Sequence[str] = ()) -> Control:
    """The one that runs, or a new one; not before the servers of the person's own that it will need answer."""
    control = Control(site)
    if control.is_running():
        _refuse_other_settings(site, control)
        return control
    if not _is_inside(site):
        for server in externals_now(site, needs):
            if server["failed"]:
                raise Unavailable(server["note"], server["fix"])
    site.make_folders()
    child = _spawn(site)
    wait_for(
        lambda: control.is_running() or (child.poll() is not None and not is_taken(site)), STARTS_WITHIN_S
    )
    if control.is_running():
        child.returncode = 0  # it outlives us on purpose: Python need not warn of a process left running
        return control
    raise _why_it_failed(site)


def take_down(site: Site) -> list[str]:
    """End the supervisor and every service; the names of what was ended, none when there was nothing."""
    if not site.run_dir.exists():
        return []
    if not os.access(site.run_dir, os.W_OK):
        raise Refused(
            f"{site.run_dir} belongs to another user", "Run this as the user who started the system."
        )
    deadline = time.monotonic() + ALL_STOPS_WITHIN_S
    ended = _end_supervisor(site, holder(site))
    with take_tenure(site, deadline - time.monotonic()) as is_ours:
        if not is_ours:
            raise Unavailable(
                f"another process holds {site.run_dir / 'supervisor.lock'} and does not answer",
                "Find it with `fuser` on that file and end it, then run `./slipway down` again.",
            )
        return ended + end_orphans(site, max(ORPHANS_GRACE_S_MIN, deadline - time.monotonic()))


def reset(site: Site) -> list[Path]:
    """Stop everything and forget it: databases, lake, keys, logs. What set-up fetched stays."""
    if not site.is_ours:
        raise Refused(
            f"{site.state_dir} holds files that Slipway did not make",
            "Check SLIPWAY_STATE_DIR, or empty that folder yourself.",
        )
    take_down(site)
    inside = [entry for entry in site.state_dir.iterdir() if entry.name not in KEPT_AT_RESET]
    elsewhere = [site.sockets, moved_home(site.state_dir / "postgres")]
    deleted = sorted(inside) + [
        each for each in elsewhere if each.exists() and site.state_dir not in each.parents
    ]
    for entry in deleted:
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return deleted


def _end_supervisor(site: Site, supervisor: ProcessId | None) -> list[str]:
    """The services that it stopped; none where it was deaf, and what it started is still to be ended."""
    stopped = None
    with suppress(SlipwayError):  # there is none, or it hangs
        stopped = Control(site).shutdown()
    if supervisor is None:  # nobody, or one whose pid file was lost
        wait_for(lambda: not is_taken(site), SUPERVISOR_STOPS_WITHIN_S if stopped is not None else 0)
        return stopped or []
    if stopped is not None:
        wait_for(lambda: not supervisor.is_alive(), SUPERVISOR_STOPS_WITHIN_S)
    if supervisor.is_alive():
        kill_group(supervisor.pid)
        wait_for(lambda: not supervisor.is_alive(), 1.0)
    return stopped or ["supervisor"]


def _refuse_other_settings(site: Site, control: Control) -> None:
    if _is_inside(site):
        return
    runs_with, here = control.settings(), site.settings_digest()
    if other := sorted(name for name in here if here[name] != runs_with.get(name)):
        raise UsageError(
            f"the local system was started with another {' and '.join(other)} than this command has",
            "Run `./slipway down` first to change it, or set it here as it was there.",
        )


def _is_inside(site: Site) -> bool:
    """Whether this site's supervisor started us, somewhere up the line: our environment is then of its making."""
    return os.environ.get(MARK) == str(site.state_dir)


def _spawn(site: Site) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if environment.pop(MARK, None) == str(site.state_dir):
        for name in HANDED_DOWN:
            environment.pop(name, None)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # doubles the start of every Dagster process
    environment["SLIPWAY_STATE_DIR"] = str(site.state_dir)
    log_file = site.log_dir / "supervisor.log"
    make_room(log_file)
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # it outlives this terminal, and no Ctrl-C meant for a command reaches it
        )


def _why_it_failed(site: Site) -> SlipwayError:
    try:
        failure = json.loads(failure_file(site).read_text())
        return SlipwayError(failure["what"], failure["fix"])
    except (OSError, ValueError, KeyError, TypeError):
        return Unavailable(
            "the supervisor did not start",
            f"Its log is {site.log_dir / 'supervisor.log'}; `./slipway doctor` may know more.",
        )
