"""Who computes this, where, and with which code: what a record says beside its inputs, and its id leaves out."""

import platform
import shlex
import socket
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from data.lake import sha256
from data.settings import ROOT

LIBRARIES: Final = ("numpy", "numba", "polars", "TA-Lib")  # what the bytes of a result depend on
COMMAND_MAX: Final = 300  # characters


def where_from() -> str:
    """The host, and the command, script or notebook."""
    return f"{socket.gethostname()}: {_program()}"


def _program() -> str:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        return "notebook" if hasattr(shell, "kernel") else "IPython"
    path = Path(sys.argv[0]) if sys.argv else Path()
    if path.name == "slipway" or path.parts[-2:] == ("cli", "__main__.py"):
        return shlex.join(["slipway", *sys.argv[1:]])[:COMMAND_MAX]
    # Of other programs only the name: their arguments are not ours to keep.
    return path.name if path.name not in ("", "-c") else "python"


@lru_cache(maxsize=1)
def code() -> dict[str, Any]:
    """The commit, whether it had changes that no commit names, and the versions that the bytes depend on."""
    commit, is_dirty = commit_of_checkout()
    return {
        "commit": commit,
        "is_dirty": is_dirty,
        "lock_sha256": _lock(),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def commit_of_checkout() -> tuple[str, bool]:
    """The checkout's commit, and whether it had changes that no commit names."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "unknown", True  # no checkout: nothing proves what this code is


def _lock() -> str | None:
    path = ROOT / "requirements" / "lock.txt"
    return sha256(path.read_bytes()) if path.is_file() else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
