"""The calmer the market, the more of it, in steps and never more than the cap."""

import math
from types import SimpleNamespace

import pytest

from research.strategies.volatility_target import VolatilityTarget


def weight(measured: float) -> float:
    return VolatilityTarget.decide(SimpleNamespace(measured=measured, wanted=0.001, cap=1.0, grain=0.25))


def test_half_the_risk_is_twice_the_weight_until_the_cap() -> None:
    assert [weight(each) for each in (0.004, 0.002, 0.001, 0.0001)] == [0.25, 0.5, 1.0, 1.0]


def test_small_changes_of_volatility_do_not_trade() -> None:
    assert weight(0.0015) == weight(0.0016) == weight(0.0019) == 0.5


def test_a_market_that_does_not_move_tells_nothing_of_its_risk() -> None:
    assert math.isnan(weight(0.0))


@pytest.mark.full
def test_the_target_is_a_year_and_the_measure_a_bar() -> None:
    wanted = VolatilityTarget(target=0.16, bars_per_year=256).feature_specs()["wanted"].computation
    assert wanted.value == pytest.approx(0.01)  # type: ignore[attr-defined]
