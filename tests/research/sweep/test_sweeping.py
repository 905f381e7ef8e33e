"""A sweep is many backtests in one pass, number for number."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.errors import UsageError
from data.ingest import ingest
from data.sources import source
from execution.strategy import CostModel, Strategy, constant, load_strategy, strategy_source
from research import backtest, sweep
from research.records import bars
from research.statistics import NAMES
from research.strategies.crossover import Crossover
from research.sweep import SweepProgress

Walk = Callable[..., pl.DataFrame]

GRID: dict[str, Any] = {"fast": range(5, 20, 5), "slow": [20, 40]}


@pytest.mark.parametrize("symbols", [1, 2])
def test_every_row_is_the_backtest_of_its_parameters_bit_for_bit(symbols: int, walk: Walk) -> None:
    bars = pl.concat([walk(name, 900 - 100 * seed, seed) for seed, name in enumerate("AB"[:symbols])])
    costs = CostModel(1.0, 0.5, 1.0)
    rows = sweep(Crossover, bars, GRID, costs=costs, trade_from=bars["ts_utc"][50]).frame
    assert rows.columns == ["fast", "slow", *NAMES]
    assert rows.select("fast", "slow").rows() == [(f, s) for f in (5, 10, 15) for s in (20, 40)]
    for row in rows.iter_rows(named=True):
        strategy = Crossover(fast=row["fast"], slow=row["slow"])
        alone = backtest(strategy, bars, costs=costs, trade_from=bars["ts_utc"][50])
        assert {name: row[name] for name in NAMES} == alone.statistics


@pytest.mark.usefixtures("database_url")
def test_a_row_is_the_backtest_over_a_split_of_the_lake_too() -> None:
    """DDD split two for one on 14 June 2021: a sweep that did not know would halve every position."""
    ingest(source("synthetic"), ["DDD"], date(2021, 6, 10), date(2021, 6, 16))
    minutes = bars("DDD", "1m", date(2021, 6, 10), date(2021, 6, 16))
    row = sweep(Crossover, minutes, {"fast": [5], "slow": [20]}).frame.row(0, named=True)
    alone = backtest(Crossover(fast=5, slow=20), minutes)
    assert alone.actions is not None
    assert alone.actions["kind"].to_list() == ["split"]
    assert {name: row[name] for name in NAMES} == alone.statistics


def test_threads_and_progress_change_nothing(walk: Walk) -> None:
    told: list[SweepProgress] = []
    one = sweep(Crossover, walk(), GRID, threads=1, progress=told.append)
    assert (told[-1].done, told[-1].total, told[-1].eta_s) == (6, 6, 0.0)
    assert [each.done for each in told] == sorted(each.done for each in told)
    best = one.best()
    assert (told[-1].best, told[-1].best_value) == (best.params(), one.frame["sharpe"].max())
    assert one.frame.equals(sweep(Crossover, walk(), GRID, threads=4).frame)


@pytest.mark.full
def test_the_result_says_what_was_swept(walk: Walk) -> None:
    bars = pl.concat([walk("A"), walk("B", 900)])
    found = sweep(Crossover, bars, GRID, capital=5_000.0, trade_from=bars["ts_utc"][50])
    assert (found.strategy, found.symbols, found.capital, found.skipped) == (
        Crossover,
        ("A", "B"),
        5_000.0,
        0,
    )
    assert (found.first_utc, found.last_utc) == (bars["ts_utc"][50], bars["ts_utc"].max())
    assert found.blocks.totals.shape == (6, len(found.blocks.counts))
    assert "6 sets" in found._repr_html_()
    assert found.heat_map("fast", "slow", by="total_return").svg.startswith("<svg")


def test_a_sweep_without_a_record_says_so(walk: Walk) -> None:
    assert (
        str(sweep(Crossover, walk(), {}, record=False).record) == "not recorded: switched off by record=False"
    )
    assert str(sweep(Crossover, walk(), {}).record).startswith("not recorded: no database_url is configured")


@pytest.mark.usefixtures("database_url")
def test_a_sweep_is_a_run_on_record(walk: Walk) -> None:
    first, again = sweep(Crossover, walk(), GRID), sweep(Crossover, walk(), GRID, threads=1)
    assert str(first.record).startswith("run ")
    assert str(again.record) == str(first.record)


def test_the_best_is_the_highest_and_equals_stay_in_their_order(walk: Walk) -> None:
    flat = walk().with_columns(pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close"))
    found = sweep(Crossover, flat, GRID)
    assert (
        found.ranked("total_return").select("fast", "slow").rows()
        == found.frame.select("fast", "slow").rows()
    )
    with pytest.raises(UsageError, match="no set of the sweep has a sharpe"):
        found.best()
    with pytest.raises(UsageError, match="there is no statistic 'luck'"):
        found.best("luck")
    with pytest.raises(UsageError, match="there is no statistic 'luck'"):
        sweep(Crossover, flat, GRID, by="luck")


def test_an_engine_that_is_none_is_refused(walk: Walk) -> None:
    with pytest.raises(UsageError, match="there is no engine 'gpu'"):
        sweep(Crossover, walk(), GRID, engine="gpu")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cannot run on 0 threads"):
        sweep(Crossover, walk(), GRID, threads=0)


def test_what_the_grid_leaves_out_keeps_its_default(walk: Walk) -> None:
    assert sweep(Crossover, walk(), {"fast": 7}).frame.select("fast", "slow").rows() == [(7, 50)]
    assert sweep(Crossover, walk(), {}).frame.select("fast", "slow").rows() == [(10, 50)]


def test_a_set_that_never_trades_has_null_where_nothing_exists(walk: Walk) -> None:
    row = sweep(Crossover, walk(bars=30), {"slow": 60}).frame.row(0, named=True)
    assert (row["trades"], row["sharpe"], row["win_rate"]) == (0, None, None)


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"fast": []}, "the grid has no values for fast"),
        ({"fats": [5]}, "Crossover has no parameter 'fats'"),
        ({"fast": [5, 900]}, "Crossover.fast is 900, out of bounds"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(grid: dict[str, Any], says: str, walk: Walk) -> None:
    with pytest.raises(UsageError, match=says):
        sweep(Crossover, walk(bars=100), grid)


def test_a_sweep_too_large_for_memory_is_refused_with_its_size(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda _: 270)  # a machine of 73 kB
    with pytest.raises(UsageError, match=r"the sweep's 5 distinct features need 0\.0 GB"):
        sweep(Crossover, walk(), GRID)


@pytest.mark.full
def test_a_strategy_from_a_file_sweeps_like_one_from_the_library(walk: Walk, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(strategy_source(Crossover))
    assert sweep(load_strategy(path), walk(), GRID).frame.equals(sweep(Crossover, walk(), GRID).frame)


@pytest.mark.full
def test_a_failing_set_stops_the_sweep_with_the_bar(walk: Walk) -> None:
    class Exploding(Strategy):
        def features(self) -> Any:
            return {"zero": constant(0.0)}

        @staticmethod
        def decide(x: Any) -> float:
            return 1e308 * 1e10 + x.zero

    with pytest.raises(UsageError, match=r"Exploding.decide gave an infinite target for AAA at"):
        sweep(Exploding, walk(), {})


MINE = """
from numba import njit
from execution.strategy import Strategy, sma

LEVEL = 1.0


@njit
def level(x):
    return LEVEL if x.fast > x.slow else 0.0


class Mine(Strategy):
    def features(self):
        return {"fast": sma("close", 5), "slow": sma("close", 20)}

    @staticmethod
    def decide(x):
        return level(x)
"""

PROGRAM = """
import sys
from pathlib import Path
import numpy as np, polars as pl
from execution.strategy import load_strategy
from research.passes.rules import rule_of
from research import sweep
bars = pl.read_parquet(sys.argv[2])
strategy = load_strategy(Path(sys.argv[1]))
trades = sweep(strategy, bars, {}, record=False).frame["trades"][0]
print(trades, sum(rule_of(strategy).stats.cache_hits.values()))
"""


@pytest.mark.full
def test_a_fresh_process_loads_the_kernel_and_an_edited_strategy_compiles_anew(
    walk: Walk, tmp_path: Path
) -> None:
    walk().write_parquet(tmp_path / "bars.parquet")
    mine = tmp_path / "mine.py"

    def run(text: str) -> tuple[int, int]:
        mine.write_text(text)
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-c", PROGRAM, str(mine), str(tmp_path / "bars.parquet")]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        trades, hits = told.split()
        return int(trades), int(hits)

    trades, hits = run(MINE)
    assert trades > 0
    assert hits == 0
    assert run(MINE) == (trades, 1)
    # Not decide itself but what it calls was edited: a stale cache would still trade.
    assert run(MINE.replace("LEVEL = 1.0", "LEVEL = 0.0")) == (0, 0)


def test_a_strategy_with_its_parameters_is_no_class(walk: Walk) -> None:
    with pytest.raises(UsageError, match=r"has its parameters already. Give the class: Crossover"):
        sweep(Crossover(), walk(bars=50), {"fast": [5]}, record=False)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is no strategy"):
        sweep("crossover", walk(bars=50), {"fast": [5]}, record=False)  # type: ignore[arg-type]
