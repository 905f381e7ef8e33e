"""The examples of the pages are run: Python in order, page by page, and commands on a local system of their own."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pages import ROOT, blocks, consoles

from data.settings import get_settings

# Pages whose commands tell one story, from an empty system on.
STORIES = ("data.md", "research.md", "execution.md")
TIMEOUT_S = 120


def test_the_strategy_of_the_readme_is_the_librarys() -> None:
    from research.strategies.crossover import Crossover

    told: dict[str, object] = {"__name__": "readme"}
    for block in blocks(ROOT / "README.md", "python"):
        exec(block, told)
    shown = told["Crossover"]
    assert isinstance(shown, type)
    assert shown(fast=5, slow=20).feature_specs() == Crossover(fast=5, slow=20).feature_specs()  # type: ignore[attr-defined]


@pytest.mark.full
@pytest.mark.parametrize("name", ["data.md", "research.md"])
def test_the_python_of_a_page_runs(name: str, database_url: str) -> None:
    from data.ingest import ingest
    from data.sources import source

    ingest(source("synthetic"), ["AAA"], date(2026, 8, 3), date(2026, 9, 30))
    ingest(source("synthetic"), ["BBB"], date(2026, 9, 28), date(2026, 9, 30))
    told: dict[str, object] = {"__name__": name.removesuffix(".md")}
    for block in blocks(ROOT / "docs" / name, "python"):
        exec(block, told)


class System:
    """PostgreSQL, Valkey and the exchange in a state folder of their own, and a folder to type commands in."""

    def __init__(self, state_dir: Path, desk: Path) -> None:
        self.desk = desk
        (desk / "slipway").symlink_to(ROOT / "slipway")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")},
            "SLIPWAY_STATE_DIR": str(state_dir),
            "SLIPWAY_EXECUTION_QUARANTINE_S": "1",  # the pages' 30 s are for people
            "COLUMNS": "100",
        }

    def type(self, line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", f"exec env {line}" if line.startswith("SLIPWAY_") else line],
            cwd=self.desk,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    (tmp_path / "desk").mkdir()
    here = System(tmp_path / "system", tmp_path / "desk")
    started = here.type("./slipway up --only postgres,valkey,exchange")
    assert started.returncode == 0, started.stderr
    try:
        yield here
    finally:
        here.type("./slipway down")
        get_settings.cache_clear()


@pytest.mark.full
@pytest.mark.parametrize("name", STORIES)
def test_the_commands_of_a_page_do_what_it_says(name: str, system: System) -> None:
    for shown in consoles(ROOT / "docs" / name):
        done = system.type(shown.line)
        said = f"$ {shown.line}\n{done.stdout}{done.stderr}"
        if shown.said == ("Killed",):
            assert done.returncode == -9, said
        elif shown.said and shown.said[0].startswith("error: "):
            assert done.returncode in (1, 2, 3), said
            assert shown.said[0] in done.stderr, said
        else:
            assert done.returncode == 0, said
            for line in shown.said:
                assert words(line) in words(done.stdout), said


def words(text: str) -> str:
    """What is said, without the lines of a table."""
    return " ".join(re.sub(r"[\u2500-\u257f]", " ", text).split())
