"""The notebooks run from the first cell to the last, show pictures and say what they must; their two forms agree."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LINES_MAX: Final = 20
"""Of a cell: what a reader sees at once."""


@dataclass(frozen=True)
class Promise:
    """What a notebook shows."""

    charts: int
    says: tuple[str, ...]
    pages: int = 0
    says_again: tuple[str, ...] = ()
    """when it runs a second time"""


PROMISED: Final = {
    "01_explore_data": Promise(
        charts=10,
        says=(
            "20 rows set aside, 5 sessions refused",
            "1,940 bars in snapshot 3, 3,900 in 4",
            "39 of 390 bars are missing",
            "2025-11-28",
            "2024-08-05",
        ),
    ),
    "02_idea_to_sweep": Promise(
        charts=8,
        says=(
            "DipBuyer.depth is 50, out of bounds. Use a value from 0.5 to 5.0.",
            "In order, warm after 40 bars.",
            "Not in order: look-ahead (score), live form (score), orders.",
            "it looks 20 bars ahead",
            " sets of dipbuyer tried in 4 runs, the best Sharpe ratio ",
            "vectorbt: 64 orders compared one by one, agrees: True",
            "reference: 64 orders compared one by one, agrees: True",
        ),
    ),
    "03_validate_and_report": Promise(
        charts=5,
        pages=2,
        says=(
            "reaches into dipbuyer's holdout from 2025-12-01 to 2025-12-31, which is sealed",
            "Not passed: 2 of 14 checks (deflated Sharpe, neighbourhood).",
            "gave identical bytes",
            "3 runs compared",
            "Validation not passed: 2 of 14 checks",
        ),
        says_again=("is sealed already", "gave identical bytes"),
    ),
}


def test_every_notebook_is_there_with_its_script_and_a_promise() -> None:
    scripts = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.py")}
    assert {path.stem for path in NOTEBOOKS} == scripts == set(PROMISED)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_script_and_notebook_say_the_same_and_outputs_are_stripped(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    script = jupytext.read(path.with_suffix(".py"))
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in script.cells
    ], f"pair them again: jupytext --to ipynb notebooks/{path.stem}.py"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code) <= LINES_MAX


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # Jupyter's own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_an_empty_folder_and_shows_what_it_must(
    path: Path, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _run(path, tmp_path, monkeypatch)
    promised = PROMISED[path.stem]
    assert shown.errors == "", "a warning or an error was printed"
    assert shown.charts >= promised.charts
    assert shown.pages == promised.pages
    for words in promised.says:
        assert words in shown.text, words
    if promised.says_again:
        again = _run(path, tmp_path, monkeypatch)
        assert again.errors == ""
        for words in promised.says_again:
            assert words in again.text, words


@dataclass(frozen=True)
class _Shown:
    charts: int
    pages: int
    text: str
    errors: str


def _run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> _Shown:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return _shown(outputs)


def _shown(outputs: list[Any]) -> _Shown:
    data = [output.data for output in outputs if "data" in output]
    streams = [output for output in outputs if output.output_type == "stream"]
    html = [each.get("text/html", "") for each in data]
    return _Shown(
        charts=sum("image/svg+xml" in each for each in data),
        pages=sum("<iframe srcdoc" in each for each in html),
        text="".join([*(each.text for each in streams if each.name == "stdout"), *html]),
        errors="".join(each.text for each in streams if each.name == "stderr"),
    )
