"""Every result is on record, comes out of its record again byte for byte, and counts once in the trial ledger."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import psycopg
import pytest

import data
from data import holdouts, runs
from data.compact import compact
from data.errors import Corrupt, Refused
from data.ingest import ingest
from data.instruments import ACTION_SCHEMA
from data.postgres import connect
from data.settings import get_settings
from data.sources.synthetic import SyntheticMarket
from data.storage import lake_storage
from execution.strategy import CostModel, load_strategy, strategy_source
from infra.local.addresses import free_port
from research.backtest import Backtest, backtest, run_backtest
from research.records import (
    Record,
    Unrecorded,
    again,
    bars,
    keep_out_of_holdout,
    provenance_of,
    record_backtest,
    record_sweep,
    record_validation,
    trials,
)
from research.records.inputs import plain, terms_of, written
from research.records.provenance import content_hash
from research.strategies.crossover import Crossover
from research.strategies.momentum import Momentum
from research.sweep import Sweep, sweep
from research.validation import validate

Walk = Callable[..., pl.DataFrame]

FIRST, LAST = date(2026, 9, 1), date(2026, 9, 3)
COSTS = CostModel(slippage_bps=2.0)
FAST, SLOW = (5, 10), (20, 30)


def september(*symbols: str) -> pl.DataFrame:
    return bars(symbols or ("AAA",), "1m", FIRST, LAST)


def backtested(seen: pl.DataFrame, fast: int = 5, **terms: Any) -> Backtest:
    return run_backtest(Crossover(fast=fast, slow=20), seen, costs=COSTS, **terms)


def swept(seen: pl.DataFrame, fast: tuple[int, ...] = FAST, strategy: Any = Crossover) -> Sweep:
    return sweep(strategy, seen, {"fast": fast, "slow": SLOW}, costs=COSTS, record=False)


def kept(told: Record | Unrecorded) -> Record:
    assert isinstance(told, Record), str(told)
    return told


def reason(told: Record | Unrecorded) -> str:
    assert isinstance(told, Unrecorded)
    assert str(told) == f"not recorded: {told.reason}"
    return told.reason


def test_bars_are_known_by_their_content_in_any_chunks_and_any_order(walk: Walk) -> None:
    one, other = walk("AAA", 300, 1), walk("BBB", 200, 2)
    whole = pl.concat([one, other])
    ours = content_hash(whole)
    assert ours == content_hash(pl.concat([other, one[:50], one[50:]], rechunk=False))
    assert ours == content_hash(whole.sample(fraction=1.0, shuffle=True, seed=3).drop("vwap"))
    changed = [
        whole[:-1],
        whole.with_columns(close=pl.col("close") + pl.when(pl.col("ts_utc") > FIRST_NOON).then(1e-12).otherwise(0.0)),
        whole.with_columns(symbol=pl.col("symbol").replace({"BBB": "CCC"})),
        whole.with_columns(ts_utc=pl.col("ts_utc").dt.offset_by("1m")),
    ]  # fmt: skip
    assert ours not in {content_hash(each) for each in changed}
    assert content_hash(whole[:0]) != ours


FIRST_NOON = datetime(2026, 1, 5, 17, tzinfo=UTC)


@pytest.mark.usefixtures("market")
def test_a_copy_of_bars_keeps_their_origin_and_an_edit_loses_it() -> None:
    seen = september("AAA", "BBB")
    origin = provenance_of(seen.clone().reverse())
    assert origin is not None
    assert (origin.symbols, origin.timeframe, origin.start, origin.end) == (("AAA", "BBB"), "1m", FIRST, LAST)
    assert len(origin.files) >= 2
    assert provenance_of(seen.with_columns(close=pl.col("close") * 2.0)) is None
    assert provenance_of(seen.filter(pl.col("symbol") == "AAA")) is None


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_backtest_comes_out_of_its_record_again_byte_for_byte() -> None:
    seen = september("AAA", "BBB")
    terms = {"lot": 10.0, "trade_from": date(2026, 9, 2)}
    record = kept(record_backtest(backtested(seen, **terms), terms=terms))
    assert (record.is_new, record.unrepeatable, str(record)) == (True, None, f"run {record.run}")
    assert kept(record_backtest(backtested(seen, **terms), terms=terms)) == replace(record, is_new=False)
    assert (
        kept(record_backtest(backtested(seen, fast=10, **terms), terms=terms)).run != record.run
    )  # other parameters
    assert kept(record_backtest(backtested(seen))).run != record.run  # other terms
    repeated = again(record.run[:8])
    assert repeated.identical
    assert repeated.result.statistics == backtested(seen, **terms).statistics
    assert str(repeated) == f"run {record.run} gave identical bytes"


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_portfolio_comes_out_of_its_record_again_and_so_does_a_sweep_of_one() -> None:
    seen = september("AAA", "BBB")
    done = backtest(Momentum(lookback=30, hold=1), seen)
    assert done.orders.height > 0
    assert again(kept(done.record).run).identical
    tried = sweep(Momentum, seen, {"lookback": [30, 60], "hold": [1]})
    repeated = again(kept(tried.record).run)
    assert repeated.identical
    assert repeated.result.frame.equals(tried.frame)


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_sweep_comes_out_of_its_record_again_and_counts_once() -> None:
    seen = september()
    record = kept(record_sweep(swept(seen), seen))
    assert not kept(record_sweep(swept(seen), seen)).is_new
    known = trials("crossover")
    assert (known.sets, known.sharpes.count, known.frame.height) == (4, 4, 1)
    assert again(record.run).identical
    assert again(record.run).result.frame.equals(swept(seen).frame)

    larger = kept(record_sweep(swept(seen, fast=(5, 10, 15)), seen))
    assert larger.run != record.run
    assert larger.unrepeatable is None
    alone = kept(record_backtest(backtested(seen)))
    known = trials("crossover")
    assert known.frame["run_id"].to_list() == [record.run, larger.run, alone.run]
    assert known.frame["new_sets"].to_list() == [4, 2, 0]  # the backtest's set was in the sweep
    assert (known.sets, known.parameter_sets) == (6, 6)
    assert known.sharpes.best == swept(seen, fast=(5, 10, 15)).frame["sharpe"].max()
    assert str(known).startswith("6 sets of crossover tried in 3 runs, the best Sharpe ratio ")
    assert larger.run in known._repr_html_()

    on_others = september("BBB")
    record_sweep(swept(on_others), on_others)
    assert (trials("crossover").sets, trials("crossover").parameter_sets) == (10, 6)
    assert trials("breakout").sets == 0


@pytest.mark.usefixtures("market")
def test_a_later_start_is_another_try() -> None:
    seen = september()
    terms = {"trade_from": date(2026, 9, 2)}
    record_backtest(backtested(seen))
    record_backtest(backtested(seen, **terms), terms=terms)
    assert trials("crossover").sets == 2


@pytest.mark.usefixtures("market")
def test_the_variance_per_bar_is_that_of_the_sharpe_ratios_per_bar() -> None:
    seen = september()
    record_sweep(swept(seen), seen)
    known, per_year = trials(), swept(seen).bars_per_year
    per_bar = swept(seen).frame["sharpe"] / per_year**0.5
    assert known.variance_per_bar(per_year) == pytest.approx(per_bar.var(), rel=1e-9)
    assert known.frame["sharpe_variance_bar"][0] == pytest.approx(per_bar.var(), rel=1e-9)


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_correction_and_a_compaction_change_neither_the_run_nor_what_comes_of_it() -> None:
    seen = september()
    record = kept(record_backtest(backtested(seen)))
    assert compact("bars/synthetic/1m")
    assert not kept(record_backtest(backtested(september()))).is_new
    ingest(SyntheticMarket(seed=5), ["AAA"], LAST, LAST)
    assert kept(record_backtest(backtested(september()))).run != record.run
    assert again(record.run).identical


@pytest.mark.usefixtures("market")
def test_bars_of_unknown_origin_are_said_and_can_be_given_again(walk: Walk) -> None:
    made = walk(bars=500)
    record = kept(record_backtest(backtested(made)))
    assert "cannot be run again: its bars did not come from the lake" in str(record)
    with pytest.raises(Refused, match=r"cannot be run again: its bars did not come from the lake"):
        again(record.run)
    assert again(record.run, bars=made).identical
    with pytest.raises(Refused, match="not the bars that the run"):
        again(record.run, bars=walk(bars=501))


@pytest.mark.usefixtures("market")
def test_a_run_on_bars_of_unknown_origin_can_be_repeated_once_their_origin_is_known() -> None:
    seen = data.bars("AAA", "1m", FIRST, LAST)
    before = kept(record_backtest(backtested(seen)))
    assert before.unrepeatable is not None
    with pytest.raises(Refused, match="its bars did not come from the lake"):
        again(before.run)
    after = kept(record_backtest(backtested(september())))
    assert after == Record(before.run, is_new=False, unrepeatable=None)
    assert again(before.run).identical


@pytest.mark.usefixtures("market")
def test_how_the_sets_were_found_is_told_but_makes_no_other_run() -> None:
    seen = september()
    first = kept(record_sweep(swept(seen), seen, search="a grid"))
    assert kept(record_sweep(swept(seen), seen, search="at random, seed 1")).run == first.run
    with connect() as connection:
        assert runs.find(connection, first.run).statistics["search"] == "a grid"


@pytest.mark.usefixtures("market")
def test_what_backtest_itself_puts_on_record_repeats_with_all_its_terms() -> None:
    done = backtest(
        Crossover(fast=5, slow=20),
        september(),
        costs=COSTS,
        trade_from=date(2026, 9, 2),
        fill="close",
        delay_bars=1,
    )
    repeated = again(kept(done.record).run)
    assert repeated.identical
    assert repeated.result.statistics == done.statistics
    assert trials("crossover").frame.height == 1  # running it again was no other try


NOTEBOOK = """
from execution.strategy import Strategy, param, sma
class Celled(Strategy):
    fast = param(5, low=2, high=60)
    slow = param(20, low=2, high=240)
    def features(self):
        return {"fast": sma("close", self.fast), "slow": sma("close", self.slow)}
    @staticmethod
    def decide(x):
        return 1.0 if x.fast > x.slow else LEVEL
"""


Cell = Callable[[str], Any]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Makes a strategy class as a notebook's cell defines it: in a module without a file."""

    def run(level: str) -> Any:
        notebook = ModuleType("an_open_notebook")
        monkeypatch.setitem(sys.modules, notebook.__name__, notebook)
        exec(NOTEBOOK.replace("LEVEL", level), vars(notebook))
        return notebook.Celled

    return run


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_strategy_without_source_is_recorded_as_one_that_cannot_be_run_again(cell: Cell) -> None:
    record = kept(record_backtest(run_backtest(cell("0.0")(), september())))
    assert "defined in a notebook" in str(record)
    assert trials("celled").sets == 1
    with pytest.raises(Refused, match="cannot be run again: Celled is defined in a notebook"):
        again(record.run)


def test_a_strategy_without_source_is_told_from_its_next_edit(cell: Cell) -> None:
    assert written(cell("0.0")) == written(cell("0.0"))
    assert written(cell("0.0")).digest != written(cell("-1.0")).digest


def test_a_class_inside_a_function_is_said_to_be_out_of_reach() -> None:
    class Hidden(Crossover):
        pass

    assert written(Hidden).unrepeatable == "Hidden is not defined at the top of its module"
    assert written(Crossover).unrepeatable is None


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_an_edited_strategy_is_another_run_and_another_try(tmp_path: Path) -> None:
    seen = september()
    edited = load_strategy(strategy_source(Crossover) + "\n# better now\n")
    first, second = (
        kept(record_backtest(run_backtest(strategy(fast=5, slow=20), seen, costs=COSTS)))
        for strategy in (Crossover, edited)
    )
    assert first.run != second.run
    assert trials("crossover").sets == 2
    assert again(second.run).identical


@pytest.mark.usefixtures("market")
def test_other_bytes_for_the_same_inputs_are_said_and_do_not_replace_the_record() -> None:
    done = backtested(september())
    record = kept(record_backtest(done))
    other = replace(done, orders=done.orders.with_columns(qty=pl.col("qty") + 1.0))
    assert reason(record_backtest(other)).startswith(
        f"the run {record.run} gave other bytes than before (orders"
    )
    assert again(record.run).identical


@pytest.mark.usefixtures("market")
def test_a_run_repeats_from_what_is_in_the_lake_and_refuses_what_was_forged(state_dir: Path) -> None:
    record = kept(record_backtest(backtested(september())))
    path = state_dir / "lake" / "runs" / record.run / "strategy.py"
    assert path.read_text() == strategy_source(Crossover)
    path.write_text(path.read_text() + "\nprint('forged')\n")
    with pytest.raises(Corrupt, match="is not the file that was recorded"):
        again(record.run)


@pytest.mark.usefixtures("market")
def test_a_validation_is_on_record_but_no_try() -> None:
    rows = pl.DataFrame({"check": ["deflated_sharpe"], "value": [0.4], "passed": [False]})
    told = record_validation(
        Crossover(), september(), rows, {"passed": False}, capital=1e5, costs=COSTS, settings={"seed": 1}
    )
    assert kept(told).unrepeatable == "a validation is made again by validating"
    with connect() as connection:
        run = runs.find(connection, kept(told).run)
    assert (run.kind, run.statistics) == ("validation", {"passed": False})
    assert pl.read_parquet(runs.content(lake_storage(), run, "checks.parquet")).equals(rows)
    assert trials().sets == 0


def test_nothing_is_lost_and_nothing_is_written_without_a_database(
    walk: Walk, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = backtested(walk(bars=100))
    assert "no database_url is configured" in reason(record_backtest(done))
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    get_settings.cache_clear()
    assert "Postgres does not answer" in reason(record_backtest(done))
    keep_out_of_holdout(Crossover, done.bars)
    assert not (state_dir / "lake").exists()


def test_a_database_of_an_older_slipway_is_said_to_be_one(walk: Walk, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("drop table holdouts, trials, research_runs cascade")
    done = backtested(walk(bars=100))
    assert "set up by an older Slipway" in reason(record_backtest(done))
    keep_out_of_holdout(Crossover, done.bars)


@pytest.mark.usefixtures("market")
def test_a_lake_that_cannot_be_written_is_said(state_dir: Path) -> None:
    done = backtested(september())
    (state_dir / "lake" / "runs").write_text("a file where a folder belongs")
    assert "could not write" in reason(record_backtest(done))
    with connect() as connection:
        assert runs.listing(connection) == []


@pytest.mark.usefixtures("database_url")
def test_switched_off_is_said(walk: Walk) -> None:
    done = backtested(walk(bars=100))
    assert str(record_backtest(done, record=False)) == "not recorded: switched off by record=False"
    assert trials().sets == 0


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_two_identical_runs_at_once_both_succeed() -> None:
    seen = september()
    done = swept(seen)
    with ThreadPoolExecutor(4) as pool:
        told = [kept(each) for each in pool.map(lambda _: record_sweep(done, seen), range(8))]
    assert len({each.run for each in told}) == 1
    assert sum(each.is_new for each in told) == 1
    assert trials().sets == 4


@pytest.mark.usefixtures("market")
def test_a_sealed_holdout_stops_the_backtest_and_what_slipped_through_is_not_shown() -> None:
    seen = september()
    with connect() as connection:
        holdouts.set_holdout(connection, "crossover", LAST, LAST, who="quant")
    with pytest.raises(Refused, match="reaches into crossover's holdout"):
        keep_out_of_holdout(Crossover, seen)
    with pytest.raises(Refused, match="reaches into crossover's holdout"):
        record_backtest(backtested(seen))
    before = seen.filter(pl.col("ts_utc").dt.date() < LAST)
    found = sweep(Crossover, before, {"fast": FAST, "slow": SLOW}, record=False)
    with pytest.raises(Refused, match="reaches into crossover's holdout"):
        validate(
            replace(found, bars=seen), seen, record=False
        )  # were the bars forged, the seal would still hold
    keep_out_of_holdout(Crossover, before)
    assert kept(record_backtest(backtested(before))).is_new
    with connect() as connection:
        holdouts.open_holdout(connection, "crossover", reason="finished", who="lead")
    seen_at_last = kept(record_backtest(backtested(seen)))
    with connect() as connection:
        opened = holdouts.holdout_of(connection, "crossover")
    assert opened is not None
    assert opened.run_id == seen_at_last.run


def test_terms_come_back_as_they_were_given() -> None:
    split = pl.DataFrame([("AAA", FIRST, "split", 2.0, None)], schema=ACTION_SCHEMA, orient="row")
    terms = {
        "lot": 0.5,
        "delay_bars": 1,
        "fill": "close",
        "trade_from": datetime(2026, 9, 2, 14, tzinfo=UTC),
        "until": LAST,
        "actions": split,
    }
    back = terms_of({"terms": plain(terms)})
    assert back.pop("actions").equals(terms.pop("actions"))
    assert back == terms
    assert type(back["delay_bars"]) is int


KILLED = """
import sys
from research.records import record_backtest, bars
from research.backtest import run_backtest
from research.strategies.crossover import Crossover
from execution.strategy import CostModel
from datetime import date
seen = bars("AAA", "1m", date(2026, 9, 1), date(2026, 9, 3))
record_backtest(run_backtest(Crossover(fast=5, slow=20), seen, costs=CostModel(slippage_bps=2.0)))
"""


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_run_killed_between_lake_and_database_is_simply_run_again(state_dir: Path) -> None:
    with connect() as holder:
        runs.lock_family(holder, "crossover")  # the child writes its files, then waits for this lock
        child = subprocess.Popen([sys.executable, "-c", KILLED], env=os.environ)
        deadline = time.monotonic() + 60.0
        while not _waits(holder) and child.poll() is None and time.monotonic() < deadline:
            holder.execute("select pg_sleep(0.05)")
        assert _waits(holder)
        child.send_signal(signal.SIGKILL)
        child.wait()
    left = sorted((state_dir / "lake" / "runs").rglob("*.parquet"))
    assert left
    with connect() as connection:
        assert runs.listing(connection) == []
    assert trials().sets == 0
    record = kept(record_backtest(backtested(september())))
    assert record.is_new
    assert sorted((state_dir / "lake" / "runs").rglob("*.parquet")) == left
    assert again(record.run).identical


def _waits(connection: psycopg.Connection[Any]) -> bool:
    waiting = connection.execute(
        "select from pg_locks where locktype = 'advisory' and not granted and database = "
        "(select oid from pg_database where datname = current_database())"
    ).fetchone()
    return waiting is not None
