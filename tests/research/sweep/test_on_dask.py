"""On a cluster a sweep gives the same bits, also when a worker dies in the middle, and says so when all do."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from data.errors import Unavailable, UsageError
from execution.strategy import Feature, Strategy, load_strategy, price
from research import sweep
from research.strategies.crossover import Crossover
from research.sweep import SweepProgress, guided, on_dask, running
from research.sweep import progress as telling
from research.sweep.on_dask import local_cluster

Walk = Callable[..., pl.DataFrame]

GRID: dict[str, Any] = {"fast": range(5, 25), "slow": range(30, 40)}

EXPLODING = """
from execution.strategy import Strategy, constant, param

class Exploding(Strategy):
    level = param(1.0)

    def features(self):
        return {"level": constant(self.level)}

    @staticmethod
    def decide(x):
        return 1e308 * 1e10 + x.level
"""

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]  # distributed's own


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_cluster(2) as client:
        yield client


@pytest.fixture(autouse=True)
def _in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FIRST_CHUNK_BAR_SETS", 1)
    monkeypatch.setattr(on_dask, "CHUNK_S", 0.001)
    monkeypatch.setattr(telling, "TELL_EVERY_S", 0.0)


def test_a_killed_worker_changes_no_bit(client: Any, walk: Walk) -> None:
    bars = pl.concat([walk("A"), walk("B", 900)])
    killed: list[int] = []

    def kill_one(progress: SweepProgress) -> None:
        if progress.done > 10 and not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    found = sweep(Crossover, bars, GRID, engine="dask", client=client, progress=kill_one)
    whole = sweep(Crossover, bars, GRID)
    assert killed
    assert found.frame.equals(whole.frame)
    assert found.blocks.squares.tobytes() == whole.blocks.squares.tobytes()


def test_a_guided_search_runs_on_a_cluster_too(client: Any, walk: Walk) -> None:
    found = sweep(Crossover, walk(), guided(40, seed=1), engine="dask", client=client)
    assert found.frame.equals(sweep(Crossover, walk(), guided(40, seed=1)).frame)


def test_a_failing_set_is_said_as_on_one_machine(client: Any, walk: Walk) -> None:
    with pytest.raises(
        UsageError, match=r"Exploding.decide gave an infinite target for AAA at .* x.level = 1"
    ):
        sweep(load_strategy(EXPLODING), walk(), {}, engine="dask", client=client)


def test_a_class_without_a_file_does_not_travel(client: Any, walk: Walk) -> None:
    class Typed(Strategy):
        def features(self) -> dict[str, Feature]:
            return {"close": price("close")}

        @staticmethod
        def decide(x: Any) -> float:
            return 1.0

    Typed.__module__ = "somewhere_without_a_file"
    with pytest.raises(UsageError, match="Typed is defined in a notebook or a prompt"):
        sweep(Typed, walk(), {}, engine="dask", client=client)


def test_a_client_is_for_dask_only(client: Any, walk: Walk) -> None:
    with pytest.raises(UsageError, match="a dask client was given to the engine 'threads'"):
        sweep(Crossover, walk(), GRID, client=client)


def test_a_cluster_of_ones_own_is_made_and_closed(walk: Walk) -> None:
    found = sweep(Crossover, walk(), GRID, engine="dask", threads=1)
    assert found.frame.equals(sweep(Crossover, walk(), GRID).frame)


def test_losing_all_workers_is_said_and_what_was_finished_is_kept(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_dask, "LOST_WAIT_S", 1.0)
    with local_cluster(2) as client:
        gone: list[int] = []

        def retire(progress: SweepProgress) -> None:
            if progress.done > 20 and not gone:
                gone.append(progress.done)
                client.cluster.scale(0)

        with pytest.raises(Unavailable, match="the dask cluster had no worker left"):
            sweep(Crossover, walk(), GRID, engine="dask", client=client, progress=retire)
    resumed = sweep(Crossover, walk(), GRID, resume=True)
    assert resumed.frame.equals(sweep(Crossover, walk(), GRID).frame)
