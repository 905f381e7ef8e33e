"""The state folder: whose it is, who may read what, how much room there is, and the ports that were chosen."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from data.errors import SlipwayError
from infra.local.addresses import listens_on
from infra.local.doctor.findings import Finding, note, of_error, problem
from infra.local.identity import moved_home
from infra.local.orphans import orphans
from infra.local.site import PORTS, Site

DISK_FREE_GB_MIN: Final = 1.0  # a demo writes some 0.2 GB; Postgres stops at a full disk
# Passwords, tokens and keys, below the state folder. keys/trusted holds public ones.
SECRETS: Final = (
    "run/*.json", "postgres/password", "valkey/password", "valkey/valkey.conf", "dagster/dagster.yaml",
    "keys/*.pem", "logs",
)  # fmt: skip


def examine_folders(site: Site) -> Iterator[Finding]:
    try:
        site.make_folders()
    except SlipwayError as error:
        yield of_error("state folder", error)
        return
    yield owner_and_mode(site.state_dir)
    yield secrets(site)
    yield disk("disk", site.state_dir)
    yield from ports(site)


def owner_and_mode(folder: Path) -> Finding:
    status = folder.stat()
    if status.st_uid != os.geteuid():
        owner = _name(status.st_uid)
        return problem(
            "state folder",
            f"{folder} belongs to {owner}",
            f"Run this as {owner}, or give it to yourself: `chown -R {_name(os.geteuid())} {folder}`.",
        )
    if status.st_mode & stat.S_IWOTH:
        return problem("state folder", f"everybody may write to {folder}", f"`chmod go-w {folder}`")
    if status.st_mode & stat.S_IWGRP:
        return note("state folder", f"its group may write to {folder}", f"`chmod g-w {folder}`")
    return Finding("state folder", str(folder))


def secrets(site: Site) -> Finding:
    """Others must not read what lets them log in, trade or sign."""
    found = [path for pattern in SECRETS for path in site.state_dir.glob(pattern)]
    moved = moved_home(site.state_dir / "postgres") / "password"
    found += [moved] if moved.exists() else []
    exposed = [path for path in sorted(found) if path.stat().st_mode & 0o077]
    if not exposed:
        return Finding("secrets", f"{len(found)} files, readable by their owner only")
    names = " ".join(str(path) for path in exposed)
    return problem("secrets", f"others may read {names}", f"`chmod go-rwx {names}`")


def disk(what: str, folder: Path) -> Finding:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    inodes = os.statvfs(there)
    if free_gb < DISK_FREE_GB_MIN:
        fix = f"Free some space: {DISK_FREE_GB_MIN:.0f} GB is the least to work with."
        return problem(what, f"{free_gb:.1f} GB free at {there}", fix)
    if inodes.f_files and not inodes.f_favail:
        return problem(what, f"no more files can be made at {there}", "Delete files: its inodes are used up.")
    return Finding(what, f"{free_gb:.1f} GB free")


def ports(site: Site) -> Iterator[Finding]:
    """Only ports the person chose can be in the way: others move."""
    try:
        site.refuse_shared_ports()
    except SlipwayError as error:
        yield of_error("ports", error)
    ours = {process.pid for process in orphans(site).values()}
    for service in PORTS:
        if not (port := site.infra.chosen_port(service)) or any(listens_on(pid, port) for pid in ours):
            continue
        try:
            site.ensure_port_is_free(service, may_move=False, within_s=0)
        except SlipwayError as error:
            yield of_error(f"port of {service}", error)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
