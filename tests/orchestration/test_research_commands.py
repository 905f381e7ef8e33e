"""The research commands, typed as a person types them, on real bars."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer import Typer
from typer.testing import CliRunner

from data import runs
from data.errors import SlipwayError
from data.postgres import connect
from orchestration.benchmarks.peers import PEERS
from orchestration.cli import bench, research

app = Typer()
app.add_typer(research.app)
app.add_typer(research.strategy, name="strategy")
app.add_typer(bench.app, name="bench")

RANGE = ["--start", "2026-09-01", "--end", "2026-09-04"]


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=True)
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
def test_a_sweep_shows_the_best_and_writes_all(tmp_path: Path) -> None:
    out = tmp_path / "sets.parquet"
    said = run(
        "sweep", "crossover", "AAA", "BBB", *RANGE, "-p", "fast=5:15:5", "-p", "slow=30,60", "--out", str(out)
    )
    assert "The best 6 of 6 sets by sharpe" in said
    best = json.loads(
        run("sweep", "crossover", "AAA", "BBB", *RANGE, "--top", "1", "--by", "trades", "--json")
    )
    assert best[0]["trades"] > 0
    rows = pl.read_parquet(out)
    assert rows.select("fast", "slow").rows() == [(f, s) for f in (5, 10, 15) for s in (30, 60)]


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_backtest_tells_its_statistics_and_is_checked(tmp_path: Path) -> None:
    words = ["backtest", "crossover", "AAA", *RANGE, "-p", "fast=5", "-p", "slow=30"]
    said = run(*words, "--check", "reference", "--report", str(tmp_path / "page.html"))
    assert "They agree within 1e-09." in said
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    facts: dict[str, Any] = json.loads(run(*words, "--check", "reference", "--json"))
    assert facts["orders"] > 0
    assert facts["record"].startswith("run ")
    assert f"record {facts['record']}" in " ".join(said.split())
    assert (facts["oracle"], facts["agrees"]) == ("reference", True)
    assert {"sharpe", "max_drawdown", "trades"} <= facts.keys()


@pytest.mark.full
@pytest.mark.usefixtures("market")
@pytest.mark.filterwarnings("ignore")  # vectorbt's own
def test_vectorbt_agrees_from_the_command_line() -> None:
    said = run(
        "backtest", "crossover", "AAA", "BBB", *RANGE, "-p", "fast=5", "-p", "slow=30", "--check", "vectorbt"
    )
    assert "compared with vectorbt" in said
    assert "They agree" in said


@pytest.mark.full
def test_a_new_strategy_file_checks_out(tmp_path: Path) -> None:
    path = tmp_path / "my_idea.py"
    assert "MyIdea" in run("strategy", "new", str(path))
    assert "MyIdea(period=20)" in run("strategy", "check", str(path), "-p", "period=20")
    assert "exists already" in fails("strategy", "new", str(path))


@pytest.mark.full
def test_the_library_is_listed() -> None:
    rows = json.loads(run("strategy", "list", "--json"))
    found = {row["name"]: row["parameters"] for row in rows}
    assert "fast 10 (a value from 2 to 60)" in found["crossover"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["strategy", "check", "crosover"],
            "there is no strategy 'crosover'. Use a file such as my_strategy.py, or one of",
        ),
        (["strategy", "check", "nowhere.py"], "nowhere.py cannot be read"),
        (
            ["strategy", "check", "crossover", "-p", "fast"],
            "the parameter 'fast' has no value. Write name=value",
        ),
        (
            ["strategy", "check", "crossover", "-p", "fast=ten"],
            "fast=ten is not a number. Use a value from 2 to 60.",
        ),
        (["strategy", "check", "crossover", "-p", "fast=10.5"], "Crossover.fast is 10.5, not a whole number"),
        (["strategy", "check", "crossover", "-p", "fats=10"], "Crossover has no parameter 'fats'"),
        (
            ["sweep", "crossover", "AAA", "--by", "luck"],
            "there is no statistic 'luck'. Rank by one of: total_return",
        ),
        (["backtest", "crossover", "AAA", "--check", "magic"], "there is no oracle 'magic'"),
        (
            ["backtest", "crossover", "AAA", "-p", "fast=10", "-p", "fast=12"],
            "fast is given twice. Say it once",
        ),
        (
            ["backtest", "crossover", "AAA", *RANGE, "--slippage-bps", "20000"],
            "the cost model's slippage_bps is 20000, so that selling would cost money",
        ),
        (["strategy", "new", "idea.txt"], "idea.txt is not the name of a Python file. End it with .py."),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(words: list[str], says: str) -> None:
    assert says in fails(*words)


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ("fast=60:5:5", "the range fast=60:5:5 is empty"),
        ("fast=5:60:0.00001", "has 5,500,001 values"),
        ("fast=1:60:1", "Crossover.fast is 1.0, out of bounds"),
        ("fast=a:b", "fast=a is not a number"),
        ("fast=5:10:nan", "fast=nan is not a number"),
        ("fast=5:inf", "fast=inf is not a number"),
    ],
)
def test_a_grid_that_makes_no_sense_is_said_in_a_sentence(grid: str, says: str) -> None:
    assert says in fails("sweep", "crossover", "AAA", *RANGE, "-p", grid)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # vectorbt's own
def test_the_sweep_benchmark_names_every_peer() -> None:
    rows = json.loads(run("bench", "sweep", "--bars", "5000", "--sets", "25", "--rounds", "1", "--json"))
    assert [row["sweep"] for row in rows] == [
        "slipway, decide(x)", "slipway, decide(x, position)", "slipway, another rule: RSI",
        "numpy, one set at a time", "vectorbt (numba)", "vectorbt (rust)", "slipway, a process's first",
    ]  # fmt: skip


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_backtest_trades_under_the_terms_that_were_typed() -> None:
    words = ["backtest", "crossover", "AAA", *RANGE, "-p", "fast=5", "-p", "slow=30", "--json"]
    plain = json.loads(run(*words))
    dear = json.loads(run(*words, "--commission-min", "7.5"))
    assert dear["commission"] == pytest.approx(7.5 * dear["orders"])
    assert plain["commission"] == 0.0
    coarse = json.loads(run(*words, "--lot", "5000"))
    assert coarse["orders"] == 0
    assert json.loads(run(*words, "--fill", "close"))["total_return"] != plain["total_return"]


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_the_engine_that_trades_backtests_alike() -> None:
    words = ["backtest", "crossover", "AAA", "BBB", *RANGE, "-p", "fast=5", "-p", "slow=30"]
    told = json.loads(run(*words, "--engine", "execution", "--json"))
    assert told["orders"] > 20
    assert told["engine"].startswith(f"{told['orders']} of {told['orders']} research orders matched")
    assert "Parity holds" in run(*words, "--engine", "execution")


@pytest.mark.usefixtures("market")
def test_what_cannot_be_traded_under_is_refused_in_a_sentence() -> None:
    words = ["backtest", "crossover", "AAA", *RANGE]
    assert "beyond the account's leverage of 0.5" in fails(*words, "--leverage", "0.5")
    assert "the lot is 0.0" in fails(*words, "--lot", "0")
    assert "knows no lot of 10" in fails(*words, "--engine", "execution", "--lot", "10")
    assert "knows no fill at the close" in fails(*words, "--engine", "execution", "--fill", "close")
    assert "`-p fast=5`" in fails(*words, "fast=5")
    assert "no engine 'warp'" in fails(*words, "--engine", "warp")


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # the peers' own
def test_the_backtest_benchmark_says_how_to_get_a_missing_peer_or_names_them_all() -> None:
    words = ["bench", "backtest", "--bars", "5000", "--rounds", "1", "--json"]
    if not (PEERS / "backtesting").is_dir():
        assert "backtesting.py is not installed" in fails(*words)
        return
    told = json.loads(run(*words))
    assert [row["who"] for row in told["contests"]] == [
        "slipway, decide(x)", "slipway, decide(x, position)", "vectorbt, from_order_func", "backtesting.py",
    ]  # fmt: skip
    assert told["decision"]["features"] == 5


def refused(*words: str) -> tuple[str, str]:
    """(what was printed, why it was refused)."""
    done = CliRunner().invoke(app, words, catch_exceptions=True)
    assert isinstance(done.exception, SlipwayError), done.output
    assert done.exception.exit_code == 3
    return done.output, str(done.exception)


@pytest.mark.full
def test_a_strategy_is_checked_on_a_made_up_market() -> None:
    said = run("strategy", "check", "crossover")
    assert "look-ahead" in said
    rows = json.loads(run("strategy", "check", "crossover", "-p", "fast=5", "--json"))
    assert {row["severity"] for row in rows} <= {"pass", "note"}


@pytest.mark.full
def test_a_strategy_that_looks_ahead_is_refused_with_the_feature(tmp_path: Path) -> None:
    path = tmp_path / "clairvoyant.py"
    path.write_text(LOOKS_AHEAD)
    said, why = refused("strategy", "check", str(path), "--json")
    assert "is not in order" in why
    failed = [row for row in json.loads(said) if row["severity"] == "fail"]
    assert {row["feature"] for row in failed} >= {"tomorrow"}


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_validation_shows_every_check_and_refuses_luck() -> None:
    words = ["validate", "crossover", "AAA", *RANGE, "-p", "fast=5:15:5", "-p", "slow=30,60"]
    said, why = refused(*words, "--json")
    told = json.loads(said)
    assert not told["passed"]
    assert "more than luck" in why
    assert {check["name"] for check in told["checks"]} >= {
        "deflated Sharpe",
        "overfitting",
        "walk-forward, rolling",
    }
    assert told["record"].startswith("run ")
    assert "Not passed" in refused(*words)[0]


@pytest.mark.full
def test_the_gates_bench_tells_both_rates() -> None:
    rows = json.loads(run("bench", "gates", "--seeds", "1", "--json"))
    assert [row["markets"] for row in rows] == [1, 1]
    assert [row["asked"] for row in rows] == ["under 5 %", "over 80 %"]


@pytest.mark.usefixtures("market")
def test_a_backtest_of_the_command_line_is_repeated_from_its_record() -> None:
    from research.records import again

    run("backtest", "crossover", "AAA", *RANGE, "-p", "fast=5", "-p", "slow=30")
    with connect() as connection:
        newest = runs.listing(connection, kind="backtest", limit=1)[0]
    assert newest.unrepeatable is None
    assert again(newest.id).identical


LOOKS_AHEAD = """
import numpy as np
from execution.strategy import Strategy, price, vectorised


def next_close(close):
    return np.append(close[1:], np.nan)


class Clairvoyant(Strategy):
    def features(self):
        return {"close": price("close"), "tomorrow": vectorised(next_close, "close", lookback=2)}

    @staticmethod
    def decide(x):
        return 1.0 if x.tomorrow > x.close else 0.0
"""
