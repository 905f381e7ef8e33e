"""Luck and skill, by the papers' own numbers and by simulation."""

import math

import numpy as np
import pytest

from research.validation.sharpe_tests import (
    deflated_sharpe,
    expected_maximum,
    luckiest_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)


@pytest.mark.parametrize(("trials", "published"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_ratio_of_the_papers_example(trials: int, published: float) -> None:
    # Bailey and López de Prado 2014: five years of days, 2.5 a year, skew -3, kurtosis 10, variance of trials 1/2.
    found = deflated_sharpe(
        2.5 / math.sqrt(250), 1250, -3.0, 10.0, trials=trials, deviation=math.sqrt(0.5 / 250)
    )
    assert found == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize("trials", [2, 5, 50, 1000])
def test_the_expected_maximum_is_that_of_simulated_draws(trials: int) -> None:
    draws = np.random.default_rng(0).standard_normal((4000, trials)).max(axis=1)
    # The formula is the limit for many draws: some percent off for few.
    assert expected_maximum(trials) == pytest.approx(draws.mean(), rel=0.02 if trials > 5 else 0.1)
    assert luckiest_sharpe(trials, 0.5) == pytest.approx(0.5 * expected_maximum(trials))


def test_the_probability_covers_the_truth_as_often_as_it_says() -> None:
    true, days = 0.1, 500
    returns = np.random.default_rng(1).normal(true, 1.0, (3000, days))
    ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    above = [probabilistic_sharpe(ratio, days, benchmark=true) > 0.95 for ratio in ratios.tolist()]
    assert np.mean(above) == pytest.approx(0.05, abs=0.012)


def test_a_track_record_of_minimum_length_gives_just_the_confidence() -> None:
    needed = minimum_track_record(0.1, -0.5, 5.0, confidence=0.95)
    assert probabilistic_sharpe(0.1, round(needed), -0.5, 5.0) == pytest.approx(0.95, abs=1e-3)


def test_what_cannot_be_said_is_nan() -> None:
    assert math.isnan(probabilistic_sharpe(0.1, 1))
    assert math.isnan(probabilistic_sharpe(float("nan"), 100))
    assert math.isnan(minimum_track_record(-0.1))
    assert math.isnan(probabilistic_sharpe(2.0, 100, skew=3.0, kurtosis=1.0))
    assert expected_maximum(1) == 0.0
