"""`slipway sweep` as a person types it: every kind of search, its files, and a Ctrl-C that --resume makes good."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer import Typer
from typer.testing import CliRunner

from data.errors import SlipwayError
from orchestration.cli import INTERRUPTED, research

app = Typer()
app.add_typer(research.app)

RANGE = ["--start", "2026-09-01", "--end", "2026-09-04"]
SEARCH = ["--random", "8000", "--seed", "1"]


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["sweep", *words])
    if isinstance(done.exception, SlipwayError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def fails(*words: str) -> str:
    with pytest.raises(SlipwayError) as raised:
        run(*words)
    assert raised.value.exit_code == 2
    return str(raised.value)


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_random_and_guided_searches_look_where_they_are_told(tmp_path: Path) -> None:
    where = ["-p", "fast=5:20", "-p", "slow=30:60:10", "--seed", "3", "--top", "3", "--json"]
    for search in ("--random", "--guided"):
        rows: list[dict[str, Any]] = json.loads(run("crossover", "AAA", *RANGE, search, "12", *where))
        assert len(rows) == 3
        assert all(5 <= row["fast"] <= 20 and row["slow"] in (30, 40, 50, 60) for row in rows)
        assert rows == json.loads(run("crossover", "AAA", *RANGE, search, "12", *where))
    assert "The best 2 of 7 sets by calmar" in run(
        "crossover", "AAA", *RANGE, "--random", "7", "--by", "calmar", "--top", "2"
    )


@pytest.mark.usefixtures("market")
def test_refused_sets_and_the_record_are_told() -> None:
    said = run("crossover", "AAA", *RANGE, "-p", "fast=20,30,40", "-p", "slow=30")
    assert "The best 1 of 1 sets by sharpe" in said
    assert "2 sets refused by the strategy; run " in said


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_heat_map_is_drawn(tmp_path: Path) -> None:
    grid = ["-p", "fast=5:15:5", "-p", "slow=30,60"]
    for name, begins in (("map.svg", "<"), ("map.html", "<!doctype html>")):
        run("crossover", "AAA", *RANGE, *grid, "--heat-map", str(tmp_path / name))
        assert (tmp_path / name).read_text().startswith(begins)
        assert "<svg" in (tmp_path / name).read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--random", "5", "--guided", "5"], "a sweep is random or guided, not both"),
        (["--engine", "gpu"], "there is no engine 'gpu'"),
        (["--out", "sets.xlsx"], "a sweep cannot be written as sets.xlsx"),
        (["--heat-map", "map.gif"], "a heat map cannot be drawn as map.gif"),
        (["--out", "nowhere/sets.csv"], "there is no folder nowhere for sets.csv"),
        (["--resume"], "there is nothing to resume"),
    ],
)
@pytest.mark.usefixtures("market")
def test_what_makes_no_sense_is_said_in_a_sentence(words: list[str], says: str) -> None:
    assert says in fails("crossover", "AAA", *RANGE, *words)


@pytest.mark.full
@pytest.mark.usefixtures("market")
@pytest.mark.parametrize("engine", ["threads", "dask"])
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(engine: str, tmp_path: Path, state_dir: Path) -> None:
    """The signal goes to the whole process group, as a terminal sends it: a cluster's workers get it too."""

    def start(*words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "orchestration.cli", "sweep", "crossover", "AAA", "BBB", *RANGE]
        search = [*SEARCH, "--engine", engine, "--out", str(tmp_path / "sets.parquet")]
        return subprocess.Popen(
            [*command, *search, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    stopped = start()
    until = time.monotonic() + 60
    while not list(state_dir.glob("sweeps/*/*.parquet")) and time.monotonic() < until:
        with_some_patience(stopped)
    os.killpg(stopped.pid, signal.SIGINT)
    _, said = stopped.communicate(timeout=60)
    assert stopped.returncode == INTERRUPTED, said
    assert "error: stopped by Ctrl-C with" in said
    assert "They are kept; add --resume to the same command to continue." in said
    assert not (tmp_path / "sets.parquet").exists()
    resumed = start("--resume")
    _, said = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, said
    run("crossover", "AAA", "BBB", *RANGE, *SEARCH, "--out", str(tmp_path / "whole.parquet"))
    found = pl.read_parquet(tmp_path / "sets.parquet")
    assert found.height == 8000
    assert found.equals(pl.read_parquet(tmp_path / "whole.parquet"))


def with_some_patience(process: "subprocess.Popen[str]") -> None:
    """A twentieth of a second, or an error when the process ended."""
    try:
        ended = process.wait(0.05)
    except subprocess.TimeoutExpired:
        return
    pytest.fail(f"it ended with {ended} before anything was kept")
