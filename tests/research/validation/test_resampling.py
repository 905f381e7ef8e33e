"""Intervals from resampled blocks, regimes, stress and walking forward."""

import numpy as np
import polars as pl
import pytest

from execution.strategy import CostModel
from research.backtest import run_backtest
from research.strategies.crossover import Crossover
from research.validation.bootstrap import automatic_block, resampled
from research.validation.calibration import LOT, market, tried, wilson
from research.validation.case import Case
from research.validation.stress import stresses
from research.validation.walk_forward import Kind, walk_forward

SETS = tried(1000)[::97]


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(Crossover, market("edge", 5, years=1.0), SETS, 100_000.0, CostModel(), {"lot": LOT})


@pytest.mark.full
def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random, true, inside = np.random.default_rng(3), 0.08, 0
    for _ in range(120):
        found = resampled(random.normal(true, 1.0, 400) / 100, 1.0, resamples=300)
        assert found is not None
        inside += found.sharpe.low <= true <= found.sharpe.high
    assert 0.88 <= inside / 120 <= 1.0


def test_returns_that_hang_together_are_resampled_in_longer_blocks() -> None:
    random = np.random.default_rng(0)
    shocks, chained = random.normal(size=2000), np.zeros(2000)
    for place in range(1, 2000):
        chained[place] = 0.7 * chained[place - 1] + shocks[place]
    # Politis and White for an AR(1): (2 rho / (1 - rho²))^⅔ n^⅓ = 24.8 here; the estimate scatters around it.
    assert 12.0 < automatic_block(chained) < 50.0
    assert automatic_block(shocks) < 5.0


def test_too_few_or_equal_returns_are_not_resampled() -> None:
    assert resampled(np.zeros(100), 252.0) is None
    assert resampled(np.array([0.01] * 9), 252.0) is None
    assert resampled(np.array([0.01, np.nan] * 20), 252.0) is None


def test_stress_is_the_backtest_on_other_terms(case: Case) -> None:
    found = {each.name: each for each in stresses(case, SETS[2])}
    own = run_backtest(SETS[2], case.bars, costs=case.costs, lot=LOT)
    free = run_backtest(SETS[2], case.bars, costs=CostModel(slippage_bps=0.0), lot=LOT)
    late = run_backtest(SETS[2], case.bars, costs=case.costs, lot=LOT, delay_bars=1)
    assert found["costs × 1"].sharpe == own.statistics["sharpe"]
    assert found["costs × 0"].sharpe == free.statistics["sharpe"]
    assert found["1 bar late"].sharpe == late.statistics["sharpe"]
    assert found["costs × 4"].sharpe < found["costs × 0"].sharpe  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["anchored", "rolling"])
def test_walking_forward_chooses_without_the_future(case: Case, kind: Kind) -> None:
    moments = case.prepared(SETS).ts_us
    found = walk_forward(case, moments, kind)
    assert found is not None
    starts = [fold.test_first_utc for fold in found.folds]
    assert found.returns.size == len(found.ts_utc) == found.equity.height
    assert all(a.test_last_utc < b for a, b in zip(found.folds, starts[1:], strict=False))
    begins = {fold.train_first_utc for fold in found.folds}
    assert len(begins) == (1 if kind == "anchored" else len(found.folds))
    # Another future after the last fold's start changes no choice.
    turned = case.bars.with_columns(
        pl.when(pl.col("ts_utc") >= starts[-1]).then(pl.col(name) * 3.0).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    other = walk_forward(Case(Crossover, turned, SETS, case.capital, case.costs, case.terms), moments, kind)
    assert other is not None
    assert [fold.strategy for fold in other.folds] == [fold.strategy for fold in found.folds]
    assert found.folds[-1].in_sample == other.folds[-1].in_sample


def test_too_few_bars_do_not_walk(case: Case) -> None:
    assert walk_forward(case, case.prepared(SETS).ts_us[:8], "anchored") is None


def test_a_rate_has_wilsons_interval() -> None:
    # Brown, Cai and DasGupta (2001) and every table since: 15 of 20.
    assert wilson(15, 20) == pytest.approx((0.5313, 0.8881), abs=1e-4)
    assert wilson(0, 200)[0] == pytest.approx(0.0, abs=1e-12)
