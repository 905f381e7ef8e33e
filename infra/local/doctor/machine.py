"""The machine: interpreter, installed packages, clock, memory."""

import ctypes
import errno
import hashlib
import os
import platform
import sys
import zoneinfo
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from data.settings import ROOT
from infra.local.doctor.findings import Finding, note, problem

PYTHON: Final = (3, 11)
MEMORY_GB_MIN: Final = 1.0  # the local system takes 0.6 GB, a small sweep some more
WRITTEN: Final = datetime(2026, 1, 1, tzinfo=UTC)  # this code is younger than that
EXCHANGE_ZONE: Final = "America/New_York"
# From the kernel's timex.h: `status` lies behind modes (int, padded) and four longs; adjtimex(2) returns the state.
TIMEX_BYTES: Final = 256
STATUS_OFFSET: Final = 40
STA_UNSYNC: Final = 0x40
TIME_ERROR: Final = 5


def examine_machine() -> Iterator[Finding]:
    yield python()
    yield packages(ROOT / "requirements" / "lock.txt", Path(sys.prefix) / "slipway.stamp")
    yield clock(datetime.now(UTC))
    yield time_zones()
    yield synchronisation()
    yield memory(Path("/proc/meminfo"), Path("/sys/fs/cgroup"))


def python() -> Finding:
    found = f"{platform.python_version()} at {sys.prefix}"
    if sys.version_info[:2] == PYTHON:
        return Finding("python", found)
    wanted = ".".join(map(str, PYTHON))
    return problem(
        "python", found, f"Run `./slipway`, which uses Python {wanted} (SLIPWAY_PYTHON may name one)."
    )


def packages(lock: Path, stamp: Path) -> Finding:
    """Set-up writes the lock's hash as its last act: anything else is another set of packages."""
    try:
        installed = stamp.read_text().split()
    except OSError:
        return note(
            "packages",
            "not installed by ./slipway",
            "Run `./slipway doctor`: it installs what the lock says.",
        )
    if installed[:1] == [hashlib.sha256(lock.read_bytes()).hexdigest()]:
        return Finding("packages", "as in requirements/lock.txt")
    return problem(
        "packages",
        "of another lock than requirements/lock.txt",
        "Run `./slipway doctor`: the launcher installs what changed.",
    )


def clock(now: datetime) -> Finding:
    if now < WRITTEN:
        return problem(
            "clock", f"{now:%Y-%m-%d}, which is past", "Set the clock: `timedatectl set-ntp true`."
        )
    return Finding("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def time_zones() -> Finding:
    """Stored times are UTC whatever the machine's zone; sessions need the exchange's."""
    try:
        zoneinfo.ZoneInfo(EXCHANGE_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return problem(
            "time zones", f"{EXCHANGE_ZONE} is not known here", "Install them: `apt-get install tzdata`."
        )
    zone = os.environ.get("TZ", "").lstrip(":")
    if zone and not zone.startswith("/"):
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            # The C library takes UTC for it and says nothing. POSIX forms like EST5EDT are in the database.
            return note("time zones", f"TZ={zone!r} is no time zone", "Correct TZ, or unset it.")
    return Finding("time zones", f"local {datetime.now().astimezone().tzname()}, stored as UTC")


def synchronisation() -> Finding:
    """What the kernel says of its clock. Sandboxes may not let us ask; that alone is no trouble."""
    what = "clock synchronisation"
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return Finding(what, "this C library cannot tell")
    timex = ctypes.create_string_buffer(TIMEX_BYTES)  # modes = 0: only asks
    state = ask(timex)
    if state < 0:
        return Finding(
            what, f"the kernel does not tell here ({errno.errorcode.get(ctypes.get_errno(), '?')})"
        )
    status = int.from_bytes(timex.raw[STATUS_OFFSET : STATUS_OFFSET + 4], sys.byteorder)
    if state == TIME_ERROR or status & STA_UNSYNC:
        return note(
            what,
            "the kernel knows of no time server",
            "Start one if this machine is to trade: `timedatectl set-ntp true`, or chrony.",
        )
    return Finding(what, "by a time server")


def memory(meminfo: Path, cgroup: Path) -> Finding:
    """What may still be used: of the machine, or of the container if it gives less."""
    try:
        facts = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return Finding("memory", "this machine does not tell")
    with suppress(OSError, ValueError, KeyError):  # no container, or one without a limit ("max")
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        free = min(free, limit - used + int(cached["inactive_file"]))  # files read once: given up on demand
    found = f"{free / 1e9:.1f} GB available"
    if free < MEMORY_GB_MIN * 1e9:
        return note(
            "memory", found, f"End other programs: with less than {MEMORY_GB_MIN:.0f} GB it may be killed."
        )
    return Finding("memory", found)
