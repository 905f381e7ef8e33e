"""Between its thresholds the index decides nothing, so that it does not trade to and fro."""

import math
from types import SimpleNamespace

import pytest

from data.errors import UsageError
from research.strategies.rsi import Rsi


def decided(strength: float) -> float:
    return Rsi.decide(SimpleNamespace(strength=strength, oversold=30.0, overbought=60.0))


def test_it_holds_from_oversold_to_overbought() -> None:
    assert decided(29.0) == 1.0
    assert math.isnan(decided(30.0))
    assert math.isnan(decided(60.0))
    assert decided(61.0) == 0.0


def test_a_market_that_never_rose_is_no_bargain() -> None:
    assert math.isnan(decided(0.0))


def test_thresholds_that_cross_are_refused() -> None:
    with pytest.raises(UsageError, match="oversold is not below overbought"):
        Rsi(oversold=70.0, overbought=60.0)
