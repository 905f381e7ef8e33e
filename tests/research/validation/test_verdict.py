"""One verdict: every check with its numbers, the ledger's count in it, nothing passed without evidence."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from data.errors import UsageError
from research.records import Record, Unrecorded
from research.strategies.crossover import Crossover
from research.sweep import sweep
from research.validation import Thresholds, Validation, validate
from research.validation.calibration import LOT, market
from research.validation.checks import checks_of

GRID = {"fast": range(2, 42, 8), "slow": range(60, 140, 16)}


@pytest.fixture(scope="module")
def edge() -> pl.DataFrame:
    return market("edge", 7, years=2.0)


def named(judged: Validation) -> dict[str, bool | None]:
    return {check.name: check.passed for check in judged.checks}


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
def test_the_ledger_counts_what_was_tried_before(edge: pl.DataFrame) -> None:
    first = validate(Crossover, edge, GRID, lot=LOT)
    assert first.evidence.earlier_trials == 0
    assert isinstance(first.record, Record)
    sweep(Crossover, edge, {"fast": range(3, 43, 8), "slow": range(60, 140, 16)}, lot=LOT)
    again = validate(Crossover, edge, GRID, lot=LOT)
    assert again.evidence.earlier_trials == 25
    before, after = (
        next(check.value for check in judged.checks if check.name == "deflated Sharpe")
        for judged in (first, again)
    )
    assert before is not None
    assert after is not None
    assert after < before
    assert "25 earlier ones count in full" in str([check.explanation for check in again.checks])


@pytest.mark.full
def test_without_a_record_the_verdict_says_that_nobody_counted(edge: pl.DataFrame) -> None:
    judged = validate(Crossover, edge, GRID, lot=LOT, record=False)
    assert isinstance(judged.record, Unrecorded)
    assert judged.evidence.earlier_trials is None
    assert "trials were not recorded" in judged.verdict
    assert "not recorded" in judged._repr_html_()


@pytest.mark.full
def test_the_same_seed_gives_the_same_rows_and_another_one_other_resamples(edge: pl.DataFrame) -> None:
    once, twice, other = (
        validate(Crossover, edge, GRID, lot=LOT, record=False, seed=seed) for seed in (1, 1, 2)
    )
    assert once.rows() == twice.rows()
    assert once.rows() != other.rows()


@pytest.mark.full
def test_a_verdict_passes_only_if_every_check_has_evidence_and_passes(edge: pl.DataFrame) -> None:
    judged = validate(Crossover, edge, GRID, lot=LOT, record=False)
    lenient = Thresholds(
        trades_min=0, confidence=0.5, overfitting_max=1.0, efficiency_min=-9.0, positive_paths_min=0.0,
        dearer_min=-9.0, late_min=-9.0, positive_neighbours_min=0.0, neighbours_ratio_min=-9.0,
        profitable_periods_min=0.0, drawdown_max=1.0,
    )  # fmt: skip
    passed = replace(judged, checks=checks_of(judged.evidence, lenient))
    assert passed.passed, passed.verdict
    blind = replace(judged, checks=checks_of(replace(judged.evidence, overfitting=None), lenient))
    assert named(blind)["overfitting"] is None
    assert not blind.passed
    assert [check.name for check in blind.failed] == ["overfitting"]


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
def test_values_said_twice_are_tried_once_and_hide_no_earlier_trial(edge: pl.DataFrame) -> None:
    sweep(Crossover, edge, {"fast": range(3, 43, 8), "slow": range(60, 140, 16)}, lot=LOT)
    twice = {name: [*values, *values] for name, values in GRID.items()}
    judged = validate(Crossover, edge, twice, lot=LOT)
    assert (judged.evidence.sets, judged.evidence.earlier_trials) == (25, 25)


def test_a_sweep_is_judged_on_its_own_bars_from_its_own_start(edge: pl.DataFrame) -> None:
    swept = sweep(Crossover, edge, {"fast": [5, 10], "slow": [60]}, lot=LOT, record=False)
    dearer = edge.with_columns(pl.col("open", "high", "low", "close") * pl.lit(1.0001))
    for other in (dearer, edge.tail(-1)):
        with pytest.raises(UsageError, match="these are not the bars that the sweep ran over"):
            validate(swept, other, record=False)
    with pytest.raises(UsageError, match="which trade_from=2030-01-01 is not"):
        validate(swept, edge, trade_from=date(2030, 1, 1), record=False)


@pytest.mark.full
def test_noise_is_not_believed() -> None:
    judged = validate(Crossover, market("noise", 3, years=2.0), GRID, lot=LOT, record=False)
    assert named(judged)["deflated Sharpe"] is False
    assert not judged.passed


def test_what_cannot_be_validated_is_refused(edge: pl.DataFrame) -> None:
    swept = sweep(Crossover, edge, GRID, lot=LOT, record=False)
    with pytest.raises(UsageError, match="has its sets already"):
        validate(swept, edge, GRID)
    with pytest.raises(UsageError, match="not the bars"):
        validate(swept, edge.head(500), lot=LOT)
    with pytest.raises(UsageError, match="nothing was ever traded"):
        validate(Crossover, edge.head(40), {"fast": [2], "slow": [60]}, lot=LOT, record=False)
