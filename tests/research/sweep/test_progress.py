"""A sweep tells how far it is, what is left and the best so far."""

import pytest

from research.sweep import SweepProgress

CELL = """
import polars as pl
from research.strategies.crossover import Crossover
from research.sweep import progress, running, sweep
progress.SHOW_AFTER_S, progress.TELL_EVERY_S = -1.0, 0.0
running.FIRST_CHUNK_BAR_SETS, running.CHUNK_S = 1, 1e-9
shown = []
bar = progress._bar
progress._bar = lambda told: shown.append(told) or bar(told)
days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 12, 31), "1d", time_zone="UTC", eager=True)
price = pl.int_range(len(days), eager=True).cast(pl.Float64) % 17 + 100.0
prices = {name: price for name in ("open", "high", "low", "close", "volume")}
bars = pl.DataFrame({"symbol": ["A"] * len(days), "ts_utc": days, **prices})
found = sweep(Crossover, bars, {"fast": range(5, 15), "slow": [30, 40]}, threads=1)
print(len(shown) > 2, str(shown[-1]).startswith(f"{shown[-1].done} of 20 sets"))
"""


def test_progress_reads_as_a_sentence() -> None:
    told = SweepProgress(1200, 10_000, 3.0, 22.0, "max_drawdown", {"fast": 5, "stop": 0.0123456}, -0.08123)
    assert str(told) == "1,200 of 10,000 sets, 22 s left, best max drawdown -0.0812 at fast=5, stop=0.01235"
    assert str(SweepProgress(0, 10, 0.0, None, "sharpe", None, None)) == "0 of 10 sets"
    assert SweepProgress(1, 1, 0.0, 0.0, "sharpe", {}, 2.0).so_far == "best sharpe 2 at its defaults"


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # Jupyter's own
def test_a_notebook_shows_a_bar_that_goes_when_the_sweep_is_over() -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    bar, printed = notebook.cells[0].outputs
    assert bar.data["text/html"] == ""
    assert printed.text == "True True\n"
