"""Up and down, as functions: what the command line, the demo and the tests call."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from data.errors import Refused, SlipwayError, Unavailable
from data.settings import ROOT
from infra.local.control import Control
from infra.local.identity import moved_home
from infra.local.orphans import MARK, end_orphans
from infra.local.processes import kill_group, wait_for
from infra.local.services import known, services
from infra.local.site import Site
from infra.local.tenure import failure_file, holder, is_taken, take_tenure

STARTS_WITHIN_S = 30.0
STOPS_WITHIN_S = 9.0
KEPT_AT_RESET = ("tools", "setup.lock", "slipway-state")
# Set by the supervisor for its children: in a terminal inside its own JupyterLab they are no choice of the person.
HANDED_DOWN = ("SLIPWAY_DATABASE_URL", "SLIPWAY_REDIS_URL", "SLIPWAY_EXCHANGE_URL")


def bring_up(
    site: Site,
    only: Sequence[str] = (),
    told: Callable[[list[dict[str, Any]]], None] = lambda services: None,
) -> Control:
    """The supervisor and its services, running and ready. Nothing happens to what runs already."""
    for name in only:
        known(name, services(site))  # before anything is started for the sake of a typing error
    control = running_supervisor(site)
    control.up(only, told)
    return control


def running_supervisor(site: Site) -> Control:
    control = Control(site)
    if control.is_running():
        return control
    site.make_folders()
    child = _spawn(site)
    wait_for(
        lambda: control.is_running() or (child.poll() is not None and not is_taken(site)), STARTS_WITHIN_S
    )
    if control.is_running():
        child.returncode = 0  # it outlives us on purpose: Python need not warn of a process left running
        return control
    try:
        failure = json.loads(failure_file(site).read_text())
    except (FileNotFoundError, ValueError):
        log = site.log_dir / "supervisor.log"
        raise Unavailable(
            "the supervisor did not start", f"Its log is {log}; `./slipway doctor` may know more."
        ) from None
    raise SlipwayError(failure["what"], failure["fix"])


def take_down(site: Site) -> bool:
    """End the supervisor and every service; False when there was nothing to end."""
    if not site.run_dir.exists():
        return False
    if not os.access(site.run_dir, os.W_OK):
        raise Refused(
            f"{site.run_dir} belongs to another user", "Run this as the user who started the system."
        )
    supervisor = holder(site)
    if supervisor:
        Control(site).shutdown()
        if not wait_for(lambda: not supervisor.is_alive(), STOPS_WITHIN_S):
            kill_group(supervisor.pid)
            wait_for(lambda: not supervisor.is_alive(), 1.0)
    with take_tenure(site) as is_ours:
        orphans = end_orphans(site) if is_ours else []
    return bool(supervisor or orphans)


def _spawn(site: Site) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if environment.pop(MARK, None) == str(site.state_dir):
        for name in HANDED_DOWN:
            environment.pop(name, None)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # doubles the start of every Dagster process
    environment["SLIPWAY_STATE_DIR"] = str(site.state_dir)
    with (site.log_dir / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # it outlives this terminal, and no Ctrl-C meant for a command reaches it
        )


def reset(site: Site) -> None:
    """Stop everything and forget it: databases, lake, keys, logs. What set-up fetched stays."""
    if not site.is_ours:
        raise Refused(
            f"{site.state_dir} holds files that Slipway did not make",
            "Check SLIPWAY_STATE_DIR, or empty that folder yourself.",
        )
    take_down(site)
    for entry in site.state_dir.iterdir():
        if entry.name not in KEPT_AT_RESET:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for elsewhere in (site.sockets, moved_home(site.state_dir / "postgres")):
        shutil.rmtree(elsewhere, ignore_errors=True)
