"""What takes its time shows a bar in a notebook, which goes when it is over; a plain script shows nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]

AT_ONCE = """
from data import notebook_bar
from research.sweep import progress, running
notebook_bar.SHOW_AFTER_S, progress.TELL_EVERY_S = -1.0, 0.0
running.FIRST_CHUNK_BAR_SETS, running.CHUNK_S = 1, 1e-9
"""
MARKET = """
from research import check_strategy, sweep, validate
from research.detectors import practice_market
from research.strategies.crossover import Crossover
minutes = practice_market(("AAA",))
"""
SWEEP = (
    'swept = sweep(Crossover, minutes, {"fast": range(5, 15), "slow": [30, 40]}, threads=1, record=False);'
)
VALIDATE = "judged = validate(swept, minutes, record=False);"
CHECK = "checked = check_strategy(Crossover(), minutes);"


class Watching(NotebookClient):
    """Remembers every HTML that a cell showed, also what took its place."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.shown: dict[str, list[str]] = {}

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] in ("display_data", "update_display_data"):
            self.shown.setdefault(cell.source, []).append(msg["content"]["data"]["text/html"])
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def watched() -> Watching:
    cells = [nbformat.v4.new_code_cell(source) for source in (AT_ONCE, MARKET, SWEEP, VALIDATE, CHECK)]
    client = Watching(nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        client.execute()
    return client


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # Jupyter's own
@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        (SWEEP, ["of 20 sets", "best sharpe"]),
        (VALIDATE, ["sweep, step 1 of 10", "walk-forward, rolling, step 6 of 10", "regimes, step 10 of 10"]),
        (CHECK, ["look-ahead, step 1 of 5", "decisions, step 5 of 5"]),
    ],
    ids=["sweep", "validate", "check_strategy"],
)
def test_a_bar_stands_under_the_cell_until_the_work_is_over(
    watched: Watching, cell: str, lines: list[str]
) -> None:
    *while_it_ran, last = watched.shown[cell]
    assert all(html.startswith("<progress ") for html in while_it_ran)
    for line in lines:
        assert any(line in html for html in while_it_ran), line
    assert last == ""
    (left,) = next(each for each in watched.nb.cells if each.source == cell).outputs
    assert left.data["text/html"] == ""


@pytest.mark.full
def test_a_plain_script_shows_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\n".join(["import IPython", AT_ONCE, MARKET, SWEEP, VALIDATE, CHECK]))
    ran = subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
