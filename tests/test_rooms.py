"""The house rules that no linter knows: what each room is, and what it never loads."""

import ast
import subprocess
import sys

import pytest

from data.settings import ROOT

ROOMS = ("data", "execution", "research", "api", "infra", "orchestration")
HEAVY = ("dagster", "vectorbt", "pandas", "matplotlib", "plotly")


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running `code`."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules, file=sys.__stderr__)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {name.partition(".")[0] for name in told.stderr.splitlines()[-1].split()}


@pytest.mark.full
@pytest.mark.parametrize(
    "code",
    [
        "import data.query, data.registry, data.artifacts",
        "import execution, execution.strategy",
        "import execution.__main__",
        "import execution.exchange.__main__",
        "import execution.feeds.__main__",
        "import api, api.__main__, api.app",
        "import infra.local.__main__",
        "from orchestration.cli import main; main(['--help'])",
        "from orchestration.cli import main; main(['trade', '--help'])",
    ],
)
def test_what_trades_and_what_answers_at_once_load_nothing_heavy(code: str) -> None:
    assert loaded_by(code).isdisjoint(HEAVY)


@pytest.mark.full
def test_the_definitions_leave_the_oracle_out() -> None:
    loaded = loaded_by("import orchestration.definitions")
    assert "dagster" in loaded
    assert loaded.isdisjoint({"vectorbt", "matplotlib", "plotly"})


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_opens_with_three_lines_and_its_types(room: str) -> None:
    said = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    assert said is not None
    owns, may, start = said.splitlines()
    assert owns
    assert may.startswith("May import ")
    assert start.startswith("Start reading ")
    assert (ROOT / room / "py.typed").exists()


def test_every_folder_of_code_is_a_package() -> None:
    without = [
        str(path.parent.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "node_modules" not in path.parts
        and not (path.parent / "__init__.py").exists()
        and path.parent.name != "versions"  # alembic's, loaded by path
    ]
    assert without == []


def test_no_module_lies_at_the_root() -> None:
    assert list(ROOT.glob("*.py")) == []  # it would shadow a package of its name


@pytest.mark.full
def test_nobody_waits_with_wait_for() -> None:
    """On Python 3.11 asyncio.wait_for can swallow a cancellation; asyncio.timeout does not."""
    callers = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.wait_for"
    ]
    assert callers == []
