"""Mean reversion enters where the band is left, and leaves at the mean, at its stop or out of patience."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from data.errors import UsageError
from execution.strategy import FLAT, Position
from research.strategies.mean_reversion import MeanReversion


def decided(score: float, before: float = 0.0, held: Position = FLAT, short: float = -1.0) -> float:
    x = SimpleNamespace(
        score=score, before=before, enter=2.0, leave=0.5, stop=0.02, patience=10.0, short=short
    )
    return MeanReversion.decide(x, held)


def holding(size: float, **what: Any) -> Position:
    return Position(size=size, average_entry=100.0, bars_held=3.0, peak=100.0)._replace(**what)


def test_it_trades_against_the_bar_that_leaves_the_band() -> None:
    assert decided(-2.1, -1.9) == 1.0
    assert decided(2.1, 1.9) == -1.0
    assert decided(2.1, 1.9, short=0.0) == 0.0
    assert decided(-1.9, 0.0) == 0.0


def test_after_a_stop_it_waits_for_the_band_to_be_left_anew() -> None:
    assert decided(-3.0, -2.5, holding(10.0, open_profit=-0.02)) == 0.0
    assert decided(-3.0, -2.5) == 0.0


def test_it_leaves_near_the_mean_on_either_side() -> None:
    assert math.isnan(decided(-0.6, held=holding(10.0)))
    assert decided(-0.4, held=holding(10.0)) == 0.0
    assert math.isnan(decided(0.6, held=holding(-10.0)))
    assert decided(0.4, held=holding(-10.0)) == 0.0


def test_its_patience_ends() -> None:
    assert decided(-2.0, held=holding(10.0, bars_held=10.0)) == 0.0


def test_a_band_that_is_left_before_it_is_entered_is_refused() -> None:
    with pytest.raises(UsageError, match="leave is not below enter"):
        MeanReversion(enter=1.0, leave=1.0)
