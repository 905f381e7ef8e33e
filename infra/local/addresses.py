"""Where services listen: TCP ports on the loopback, and a folder for unix sockets whose path is short enough."""

import hashlib
import os
import socket
import stat
from pathlib import Path

from data.errors import SlipwayError
from infra.local.processes import PROC, group_of

LOOPBACK = "127.0.0.1"
SOCKET_PATH_BYTES_MAX = 107  # sun_path in linux/un.h, less its terminating zero
LONGEST_SOCKET_NAME = "/.s.PGSQL.65535.lock"
LISTENING = "0A"  # TCP_LISTEN in the kernel's net/tcp_states.h


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(*preferred: int) -> int:
    """The first preferred port that is free, else one the kernel picks."""
    for port in preferred:
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listens_on(pgid: int, port: int) -> bool:
    """Whether it is this process group that listens there, as far as the kernel tells.

    Two checkouts may try the same port at the same moment; what answers the loser is then the winner's service.
    """
    sockets = _listening_sockets(port)
    if not sockets or "0" in sockets:  # nobody, or a sandbox that does not tell: no evidence against it
        return True
    return any(_holds(pid, sockets) for pid in group_of(pgid))


def _listening_sockets(port: int) -> set[str]:
    """The inodes of the sockets on which anybody listens at this port."""
    found = set()
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows = [line.split() for line in (PROC / table).read_text().splitlines()[1:]]
        except OSError:
            continue
        found |= {
            row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port
        }
    return found


def _holds(pid: int, sockets: set[str]) -> bool:
    names = {f"socket:[{inode}]" for inode in sockets}
    try:
        return any(str(entry.readlink()) in names for entry in (PROC / str(pid) / "fd").iterdir())
    except OSError:  # it ended, or closed one meanwhile: asked again in a moment
        return False


def socket_folder(state_dir: Path) -> Path:
    """Where unix sockets go: inside the state folder, or in /tmp where that path is too long for the kernel."""
    folder = state_dir / "run" / "sockets"
    if len(os.fsencode(folder)) + len(LONGEST_SOCKET_NAME) <= SOCKET_PATH_BYTES_MAX:
        return folder
    name = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
    return Path("/tmp") / f"slipway-{os.getuid()}-{name}"


def make_private(folder: Path) -> None:
    """Make the folder, or make sure that the one which is there is ours alone: /tmp belongs to everybody."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SlipwayError(f"{folder} is not a private folder of this user", "Remove it and start again.")
