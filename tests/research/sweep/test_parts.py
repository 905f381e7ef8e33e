"""A sweep that was stopped or killed goes on where it was, and gives the bits of one that never was."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.errors import UsageError
from execution.strategy import Feature, Strategy, price
from research import sweep
from research.strategies.crossover import Crossover
from research.sweep import Sweep, SweepProgress, SweepStopped, guided, parts, random_search, running
from research.sweep import progress as telling

Walk = Callable[..., pl.DataFrame]

GRID: dict[str, Any] = {"fast": range(5, 25), "slow": range(30, 40)}


@pytest.fixture(autouse=True)
def _in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FIRST_CHUNK_BAR_SETS", 1)
    monkeypatch.setattr(running, "CHUNK_S", 1e-9)  # set by set
    monkeypatch.setattr(telling, "TELL_EVERY_S", 0.0)


def stop_at(count: int) -> Callable[[SweepProgress], None]:
    """Ctrl-C, once that many sets are done."""
    pressed: list[int] = []

    def hear(progress: SweepProgress) -> None:
        if progress.done >= count and not pressed:
            pressed.append(progress.done)
            os.kill(os.getpid(), signal.SIGINT)

    return hear


def same(a: Sweep, b: Sweep) -> bool:
    return a.frame.equals(b.frame) and a.blocks.totals.tobytes() == b.blocks.totals.tobytes()


@pytest.mark.full
@pytest.mark.parametrize(
    "search", [GRID, random_search(90, seed=2), guided(90, seed=2), [{"fast": each} for each in range(5, 45)]]
)
def test_a_sweep_stopped_by_ctrl_c_continues_to_the_same_bits(
    search: Any, walk: Walk, state_dir: Path
) -> None:
    whole = sweep(Crossover, walk(), search)
    with pytest.raises(
        SweepStopped, match=r"stopped by Ctrl-C with \d+ of \d+ sets finished\. They are kept"
    ):
        sweep(Crossover, walk(), search, threads=1, progress=stop_at(35))
    told: list[SweepProgress] = []
    resumed = sweep(Crossover, walk(), search, resume=True, progress=told.append)
    assert told[0].done >= 32
    assert told[-1].best_value == whole.frame["sharpe"].max()
    assert same(resumed, whole)
    assert list((state_dir / "sweeps").iterdir()) == []


def test_ctrl_c_is_what_it_was_after_a_sweep(walk: Walk) -> None:
    before = signal.getsignal(signal.SIGINT)
    sweep(Crossover, walk(bars=100), {})
    with pytest.raises(SweepStopped):
        sweep(Crossover, walk(), GRID, threads=1, progress=stop_at(1))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "other",
    [
        {"search": {"fast": range(5, 25), "slow": range(30, 41)}},
        {"bars": {"seed": 9}},
        {"capital": 99_999.0},
        {"lot": 10.0},
        {"delay_bars": 1},
    ],
)
def test_a_sweep_of_other_inputs_finds_nothing_to_resume(other: dict[str, Any], walk: Walk) -> None:
    with pytest.raises(SweepStopped):
        sweep(Crossover, walk(), GRID, threads=1, progress=stop_at(20))
    terms = {name: value for name, value in other.items() if name not in ("search", "bars")}
    with pytest.raises(UsageError, match="there is nothing to resume"):
        sweep(Crossover, walk(**other.get("bars", {})), other.get("search", GRID), resume=True, **terms)
    assert sweep(Crossover, walk(), GRID, resume=True).frame.height == 200


def test_a_finished_sweep_leaves_nothing_to_resume(walk: Walk) -> None:
    sweep(Crossover, walk(), GRID)
    with pytest.raises(UsageError, match="there is nothing to resume"):
        sweep(Crossover, walk(), GRID, resume=True)


@pytest.mark.full
def test_a_torn_part_is_run_again(walk: Walk, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FLUSH_EVERY_S", 0.0)
    with pytest.raises(SweepStopped):
        sweep(Crossover, walk(), GRID, threads=1, progress=stop_at(100))
    written = list((state_dir / "sweeps").glob("*/*.parquet"))
    assert len(written) > 2
    written[0].write_bytes(b"PAR1 torn")
    written[1].with_suffix(".unfinished").write_bytes(b"half")
    assert same(sweep(Crossover, walk(), GRID, resume=True), sweep(Crossover, walk(), GRID))


def test_where_nothing_can_be_kept_the_sweep_goes_on_and_a_stop_says_so(walk: Walk, state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "sweeps").write_text("a file where a folder should be")
    with pytest.raises(SweepStopped, match=r"They are lost: .*sweeps/.* cannot be written"):
        sweep(Crossover, walk(), GRID, threads=1, progress=stop_at(20))
    assert sweep(Crossover, walk(), GRID).frame.height == 200


def test_a_class_without_a_file_is_continued_only_while_it_lives(walk: Walk) -> None:
    def defined() -> type[Strategy]:
        class Typed(Strategy):
            def features(self) -> dict[str, Feature]:
                return {"close": price("close")}

            @staticmethod
            def decide(x: Any) -> float:
                return 1.0 if x.close > 100.0 else 0.0

        Typed.__module__ = "prompt"  # which has no file
        return Typed

    bars, terms = walk(bars=50), {"capital": 1.0}
    one, other = defined(), defined()
    assert parts.sweep_name(one, bars, terms, ["a"]) == parts.sweep_name(one, bars, terms, ["a"])
    assert parts.sweep_name(one, bars, terms, ["a"]) != parts.sweep_name(other, bars, terms, ["a"])
    assert parts.sweep_name(one, bars, terms, ["a"]) != parts.sweep_name(one, bars, terms, ["b"])


def test_what_nobody_continued_is_forgotten(walk: Walk, state_dir: Path) -> None:
    old = state_dir / "sweeps" / "old"
    old.mkdir(parents=True)
    os.utime(old, (1e9, 1e9))
    (state_dir / "sweeps" / "young").mkdir()
    with pytest.raises(SweepStopped):
        sweep(Crossover, walk(), GRID, threads=1, progress=stop_at(20))
    kept = {each.name for each in (state_dir / "sweeps").iterdir()}
    assert "old" not in kept
    assert "young" in kept


PROGRAM = """
import sys
import polars as pl
from research.strategies.crossover import Crossover
from research.sweep import parts, progress, running, sweep
running.FIRST_CHUNK_BAR_SETS, running.CHUNK_S, parts.FLUSH_EVERY_S, progress.TELL_EVERY_S = 1, 1e-9, 0.0, 0.0
waited = []
def hear(told):
    if told.done >= 100 and not waited:
        waited.append(told.done)
        print(told.done, flush=True)
        sys.stdin.readline()  # here the parent sends its signal
sweep(Crossover, pl.read_parquet(sys.argv[1]), {"fast": range(5, 25), "slow": range(30, 40)}, threads=1, progress=hear)
"""


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_was_signalled_lost_nothing(
    number: signal.Signals, walk: Walk, tmp_path: Path
) -> None:
    walk().write_parquet(tmp_path / "bars.parquet")
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "bars.parquet")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        at_least = int(child.stdout.readline())
        child.send_signal(number)
        _, said = child.communicate("go on\n")
    assert child.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 1)
    assert number == signal.SIGKILL or "SweepStopped: stopped by Ctrl-C with" in said
    told: list[SweepProgress] = []
    resumed = sweep(Crossover, walk(), GRID, resume=True, progress=told.append)
    assert told[0].done >= at_least
    assert same(resumed, sweep(Crossover, walk(), GRID))
    assert json.dumps(told[0].best)  # plain numbers
