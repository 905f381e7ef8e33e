"""`slipway test`: every check the project has, in one go, as continuous integration runs it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from ctypes.util import find_library
from typing import TYPE_CHECKING

from data.settings import ROOT
from orchestration.debian import install

if TYPE_CHECKING:
    import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FAST = (
    "-m",
    "not full",
    "--ignore",
    "tests/notebooks",
)  # to load Jupyter takes longer than what is quick in there
CHECKS = {
    "ruff check": ("-m", "ruff", "check", "--quiet", "."),
    "ruff format": ("-m", "ruff", "format", "--quiet", "--diff", "."),
    "mypy": ("-m", "mypy", "--no-error-summary"),
    "layers": ("-c", "from importlinter.cli import lint_imports_command as lint; lint()"),
}


def check_all(*, fast: bool, pytest_arguments: Sequence[str]) -> int:
    """Run the static checks beside the tests; 0 only if all of them are well."""
    import pytest

    if not fast:
        _install_browser()
    os.chdir(ROOT)
    tier = FAST if fast else ()
    return int(pytest.main([*tier, *(pytest_arguments or _on_all_cores())], plugins=[StaticChecks()]))


def _on_all_cores() -> list[str]:
    """A process for each core, each with servers of its own; a file's tests stay together and share its fixtures."""
    cores = len(os.sched_getaffinity(0))
    return ["-n", str(cores), "--dist", "loadfile", "--no-loadscope-reorder"] if cores > 1 else []


class StaticChecks:
    """Linters as a plugin of pytest: they run while it does, and its last line counts them in."""

    def __init__(self) -> None:
        self._running = {
            name: subprocess.Popen(
                [sys.executable, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                # Their own bytecode and caches, but no settings of the person who runs them.
                env={name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")},
            )
            for name, arguments in CHECKS.items()
        }
        self._failures: dict[str, str] = {}

    def pytest_sessionfinish(self, session: "pytest.Session") -> None:
        for name, process in self._running.items():
            said, _ = process.communicate()
            if process.returncode:
                self._failures[name] = said.strip()
        if self._failures and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        well = [name for name in self._running if name not in self._failures]
        for name, said in self._failures.items():
            terminalreporter.section(name, red=True)
            terminalreporter.line(said)
        terminalreporter.line(f"static checks passed: {', '.join(well) or 'none'}")
        if self._failures:
            terminalreporter.line(f"static checks FAILED: {', '.join(self._failures)}", red=True)


def _install_browser() -> None:
    """Where we may: as root on a Debian. Elsewhere the run names the tests it could not do."""
    missing = [] if any(shutil.which(name) for name in CHROMIUM_NAMES) else ["chromium"]
    if find_library("atomic") is None:
        missing.append("libatomic1")  # the browser driver's own Node is linked against it
    install(missing, "the browser tests")
