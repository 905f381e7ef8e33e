"""`slipway test`: every check the project has, in one go, as continuous integration runs it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from data.settings import ROOT

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHECKS = {
    "ruff check": ["ruff", "check", "-q", "."],
    "ruff format": ["ruff", "format", "-q", "--check", "."],
    "mypy": ["mypy", "--no-error-summary"],
    "layers": ["importlinter.cli", "lint"],
}


def check_all(*, fast: bool, pytest_arguments: Sequence[str]) -> int:
    """Run the static checks beside the tests; the exit code is pytest's unless a check failed."""
    if not fast:
        _install_chromium()
    # mypy and the tests keep one core each busy, so they run side by side.
    started = time.monotonic()
    checks = {
        name: subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in CHECKS.items()
    }
    tier = ["-m", "not full"] if fast else []
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *tier, *pytest_arguments], cwd=ROOT)
    failed = []
    for name, process in checks.items():
        said, _ = process.communicate()
        if process.returncode:
            failed.append(f"── {name} ──\n{said.strip()}")
    code = tests.wait()
    for report in failed:
        print(report)
    passed = ", ".join(
        name for name in CHECKS if not any(report.startswith(f"── {name} ") for report in failed)
    )
    print(f"static checks: {len(failed)} failed; passed: {passed}; {time.monotonic() - started:.0f} s in all")
    return code or (1 if failed else 0)


def _install_chromium() -> None:
    """Where we may: as root on a Debian. Elsewhere the run names the tests it could not do."""
    if any(shutil.which(name) for name in CHROMIUM_NAMES) or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print("▸ installing chromium for the browser tests …", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)
