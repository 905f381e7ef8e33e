"""Runs, trials and holdouts, typed as a person types them."""

import json
from datetime import date

import pytest
from typer import Typer
from typer.testing import CliRunner

from data.errors import SlipwayError
from data.ingest import ingest
from data.sources import source
from orchestration.cli import records
from research.backtest import backtest
from research.records import Record, bars
from research.strategies.crossover import Crossover

app = Typer()
app.add_typer(records.app)
app.add_typer(records.runs, name="runs")
app.add_typer(records.holdout, name="holdout")

FIRST, LAST = date(2026, 9, 1), date(2026, 9, 2)
NOVEMBER = ["--start", "2026-11-02", "--end", "2026-11-30"]

pytestmark = pytest.mark.usefixtures("database_url")


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    if isinstance(done.exception, SlipwayError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def fails(*words: str) -> SlipwayError:
    with pytest.raises(SlipwayError) as raised:
        run(*words)
    return raised.value


@pytest.fixture
def recorded(database_url: str) -> str:
    """A backtest on record."""
    ingest(source("synthetic"), ["AAA"], FIRST, LAST)
    done = backtest(Crossover(fast=5, slow=20), bars("AAA", "1m", FIRST, LAST))
    assert isinstance(done.record, Record)
    return done.record.run


def test_a_run_is_listed_shown_and_run_again(recorded: str) -> None:
    (row,) = json.loads(run("runs", "list", "crossover", "--kind", "backtest", "--json"))
    assert (row["run"], row["symbols"], row["first"], row["last"]) == (recorded, "AAA", str(FIRST), str(LAST))
    assert run("runs", "list", "--kind", "sweep").startswith("Nothing is on record yet")
    said = run("runs", "show", recorded[:6])
    for fact in ("fast=5 slow=20", "slippage_bps=1.0", f"runs/{recorded}/orders.parquet", "can be run again"):
        assert fact in said
    facts = json.loads(run("runs", "show", recorded, "--json"))
    assert facts["inputs"]["params"] == {"fast": 5, "slow": 20}
    assert facts["bars"]["files"][0]["path"].startswith("bars/synthetic/1m/AAA/")
    assert "gave identical bytes: " in run("runs", "again", recorded)
    assert json.loads(run("runs", "again", recorded, "--json")) == {
        "run": recorded,
        "identical": True,
        "differing": [],
    }
    assert fails("runs", "again", "ffff").exit_code == 2


@pytest.mark.usefixtures("recorded")
def test_the_ledger_is_shown_by_family() -> None:
    assert "1 set of crossover tried in 1 run" in run("trials", "Crossover")
    (row,) = json.loads(run("trials", "--json"))
    assert (row["family"], row["sets"], row["timeframe"]) == ("crossover", 1, "1m")


def test_an_empty_ledger_says_how_to_begin() -> None:
    assert run("trials").startswith("Nothing was tried on record yet")
    assert run("runs", "list").startswith("Nothing is on record yet")
    assert run("holdout", "show").startswith("No holdout is set")


def test_a_holdout_is_set_shown_and_opened_once() -> None:
    assert "is sealed" in run("holdout", "set", "crossover", *NOVEMBER)
    (row,) = json.loads(run("holdout", "show", "crossover", "--json"))
    assert (row["state"], row["first"], row["opened_by"]) == ("sealed", "2026-11-02", None)
    assert "is open" in run("holdout", "open", "crossover", "--reason", "finished", "--by", "lead")
    refused = fails("holdout", "open", "crossover", "--reason", "once more")
    assert refused.exit_code == 3
    assert "by lead: finished" in str(refused)


def test_a_holdout_of_a_family_that_nobody_knows_is_refused() -> None:
    refused = fails("holdout", "set", "crosover", *NOVEMBER)
    assert refused.exit_code == 2
    assert "no strategy and no family on record is called 'crosover'" in str(refused)
