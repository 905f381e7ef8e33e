"""`./slipway` on machines that lack something: one clear sentence, and nothing broken for the next run.

The real launcher runs in a folder with spaces; uv, pip, Python and df are small stand-ins on its PATH, so that no
test installs two gigabytes.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from data.settings import ROOT

TOOLS = (
    "awk",
    "bash",
    "cat",
    "chmod",
    "cut",
    "df",
    "dirname",
    "env",
    "find",
    "flock",
    "id",
    "ln",
    "mkdir",
    "mv",
)
MORE_TOOLS = ("readlink", "rm", "sha256sum", "sh", "sleep", "sort", "tail", "touch", "xargs")
PYTHON_311 = """#!/bin/sh
case "$*" in
    *version_info*) echo "$0" ;;
    *) exit 1 ;;
esac
"""
# `uv venv … <folder>` makes a folder with a python that prints its arguments; `uv pip sync` notes that it ran.
UV = """#!/bin/bash
[[ $1 != --version ]] || exit 0
echo "$1" >> "$(dirname "$0")/uv.calls"
[[ $1 == pip ]] || {
    folder="${@: -1}"
    mkdir -p "$folder/bin" "$folder/lib/python3.11/site-packages"
    printf '#!/bin/sh\\nfor word; do echo "<$word>"; done\\n' > "$folder/bin/python"
    chmod +x "$folder/bin/python"
}
"""


class Machine:
    """A checkout and a PATH of our own making."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in (*TOOLS, *MORE_TOOLS):
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        for name in ("infra/setup", "requirements"):
            shutil.copytree(ROOT / name, self.root / name)
        shutil.copy(ROOT / "slipway", self.root / "slipway")

    def has(self, name: str, script: str) -> "Machine":
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)
        return self

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "slipway", *words],
            capture_output=True,
            text=True,
            env={"PATH": str(self.bin), "HOME": "/nowhere", **environment},
            timeout=30,
        )

    def uv_calls(self) -> list[str]:
        return (self.bin / "uv.calls").read_text().split()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A machine on which set-up goes well."""
    return machine.has("python3.11", PYTHON_311).has("uv", UV)


def test_no_python_names_the_apt_line(machine: Machine) -> None:
    done = machine.run("--help")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: Slipway needs Python 3.11 and found no Python at all. On Debian 12 run: apt-get install"
    )


def test_another_python_is_named(machine: Machine) -> None:
    machine.has("python3", '#!/bin/sh\ncase "$*" in *platform*) echo only Python 3.13.1 ;; esac\n')
    assert "needs Python 3.11 and found only Python 3.13.1." in machine.run("--help").stderr


def test_a_wrong_slipway_python_is_named(ready: Machine) -> None:
    done = ready.run("--help", SLIPWAY_PYTHON="/usr/bin/perl")
    assert done.stderr.startswith("error: SLIPWAY_PYTHON=/usr/bin/perl is not a Python 3.11.")


def test_python_without_pip_and_venv_names_the_apt_line(machine: Machine) -> None:
    machine.has("python3.11", PYTHON_311)
    done = machine.run("--help")
    assert done.returncode == 1
    assert (
        "has neither pip nor venv. On Debian 12 run: apt-get install python3.11 python3.11-venv"
        in done.stderr
    )


def test_a_full_disk_is_named_before_anything_is_written(ready: Machine) -> None:
    ready.has("df", "#!/bin/sh\necho head\necho /dev/disk 100 99 1 99% /\n")
    done = ready.run("--help")
    assert "error: Set-up needs 2600 MB of disk" in done.stderr
    assert "has 1 MB left. Free some space" in done.stderr
    assert not (ready.root / ".venv").exists()


def test_set_up_happens_once_and_words_arrive_whole(ready: Machine) -> None:
    first = ready.run("two words")
    assert first.stdout.splitlines() == ["<-P>", "<-m>", "<orchestration.cli>", "<two words>"]
    assert "installing the packages" in first.stderr
    again = ready.run("two words")
    assert (again.stdout, again.stderr) == (first.stdout, "")
    assert ready.uv_calls() == ["venv", "pip"]


def test_a_changed_lock_installs_again(ready: Machine) -> None:
    ready.run("--help")
    with (ready.root / "requirements" / "lock.txt").open("a") as lock:
        lock.write("# another day\n")
    assert ready.run("--help").returncode == 0
    assert ready.uv_calls() == ["venv", "pip"] * 2


def test_a_failed_update_leaves_the_old_environment_working(ready: Machine) -> None:
    ready.run("--help")
    lock = ready.root / "requirements" / "lock.txt"
    old = lock.read_text()
    lock.write_text("# a lock that cannot be had\n")
    ready.has("uv", UV + 'echo "no route to host" >&2; [[ $1 == venv ]]\n')
    failed = ready.run("--help")
    assert failed.returncode == 1
    assert "no route to host" in failed.stderr
    assert "error: " in failed.stderr
    lock.write_text(old)
    assert ready.run("--help").returncode == 0


def test_a_set_up_killed_half_way_starts_over(ready: Machine) -> None:
    half_made = ready.root / ".venv" / "bin"
    half_made.mkdir(parents=True)
    (half_made / "python").write_text("#!/bin/sh\nexit 7\n")
    (half_made / "python").chmod(0o755)
    assert ready.run("--help").returncode == 0


def test_an_environment_whose_python_is_gone_is_made_again(ready: Machine) -> None:
    ready.run("--help")
    python = ready.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/python3.11-of-yesterday")
    assert ready.run("--help").returncode == 0


@pytest.mark.full
def test_two_starts_at_once_set_up_once(ready: Machine) -> None:
    ready.has("uv", UV + "[[ $1 == venv ]] || sleep 0.3\n")
    command = [str(ready.root / "slipway"), "--help"]
    both = [
        subprocess.Popen(
            command, env={"PATH": str(ready.bin)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=30)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert ready.uv_calls() == ["venv", "pip"]
    assert any("waiting for another ./slipway" in each for each in said)


def test_a_moved_checkout_still_works(ready: Machine) -> None:
    ready.run("--help")
    ready.root = ready.root.rename(ready.root.with_name("else where"))
    assert ready.run("--help").returncode == 0
    assert ready.uv_calls() == ["venv", "pip"]
    assert (ready.root / ".venv/lib/python3.11/site-packages/slipway.pth").read_text() == "../../../..\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write here")
def test_a_folder_one_may_not_write_to_is_named(ready: Machine) -> None:
    for folder in (ready.root, *ready.root.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    setpriv = shutil.which("setpriv") or "setpriv"
    done = subprocess.run(
        [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", ready.root / "slipway", "--help"],
        capture_output=True,
        text=True,
        env={"PATH": str(ready.bin)},
    )
    assert done.returncode == 1
    assert (
        f"error: The user nobody may not write to {ready.root}. Run as the owner of that folder"
        in done.stderr
    )


NPM = """#!/bin/sh
echo "npm $1" >> "$(dirname "$0")/npm.calls"
[ "$1" = ci ] || { mkdir -p dist && cp index.html dist/; }
"""


@pytest.fixture
def with_page(ready: Machine) -> Machine:
    web = ready.root / "api" / "web"
    web.mkdir(parents=True)
    (web / "package.json").write_text("{}")
    (web / "index.html").write_text("<p>one")
    (ready.bin / "cp").symlink_to(shutil.which("cp") or "cp")
    return ready.has("node", "#!/bin/sh\n").has("npm", NPM)


def test_the_page_is_built_when_its_sources_changed_and_only_for_who_needs_it(with_page: Machine) -> None:
    page = with_page.root / "api" / "web" / "dist" / "index.html"
    with_page.run("--help")
    assert not page.exists()
    with_page.run("up")
    with_page.run("demo")
    assert (with_page.bin / "npm.calls").read_text().splitlines() == ["npm ci", "npm run"]
    page.parents[1].joinpath("index.html").write_text("<p>two")
    with_page.run("up")
    assert page.read_text() == "<p>two"


def test_a_page_that_cannot_be_built_says_why(with_page: Machine) -> None:
    with_page.has("npm", "#!/bin/sh\necho ENOTFOUND the registry; exit 1\n")
    done = with_page.run("up")
    assert done.returncode == 1
    assert "ENOTFOUND the registry\nerror: The monitor page could not be built; its log is" in done.stderr
    assert with_page.has("npm", NPM).run("up").returncode == 0
