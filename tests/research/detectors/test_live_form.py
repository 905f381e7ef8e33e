"""Live, bar by bar, a feature says what it said in research, or it is told where it does not."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from planted_bugs import BUGS, of_close

from execution.strategy import BarArrays, Feature, Ohlcv, ema, obv, previous_session, price, vwap, zscore
from execution.strategy.arrays import FloatArray
from execution.strategy.features.feature import Exact
from research.detectors.live_form import disagreements

RESTARTS = [1, 50, 390, 3000]


@dataclass(frozen=True)
class Doubled(Exact):
    """Whose live form forgets the history that it is started on, or its last bit."""

    wrong: str

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        return (np.add.accumulate(bars.volume) if self.wrong == "history" else bars.close * 0.1,)

    def incremental(self, history: BarArrays) -> "Running":
        return Running(self.wrong)


class Running:
    def __init__(self, wrong: str) -> None:
        self.wrong, self.total = wrong, 0.0

    def update(self, bar: Ohlcv) -> tuple[float]:
        self.total += bar.volume
        if self.wrong == "raises":
            raise ZeroDivisionError("nothing there")
        return (self.total if self.wrong == "history" else bar.close / 10.0,)


def test_honest_features_agree_restarts_included(minutes: BarArrays) -> None:
    features = {
        "close": price("close"), "ema": ema("close", 50), "obv": obv(), "vwap": vwap(),
        "score": zscore("close", 60), "yesterday": previous_session(ema("close", 30)),
    }  # fmt: skip
    assert disagreements(features, minutes, RESTARTS) == {}


def test_a_live_form_that_forgets_its_history_is_named(minutes: BarArrays) -> None:
    found = disagreements({"forgets": Feature(Doubled("history"))}, minutes, RESTARTS, "AAA")["forgets"]
    assert (found.bar, found.history) == (1, 1)
    assert found.evidence().startswith(
        "at bar 1 (AAA, 2025-11-03 14:31 UTC) its live form, started on 1 bars"
    )


def test_the_last_bit_counts_for_what_says_that_it_is_exact(minutes: BarArrays) -> None:
    found = disagreements({"bits": Feature(Doubled("bits"))}, minutes, RESTARTS)["bits"]
    assert found.batch != found.live
    assert math.isclose(found.batch, found.live, rel_tol=1e-15)


def test_a_live_form_that_raises_is_told_with_its_cause(minutes: BarArrays) -> None:
    found = disagreements({"raises": Feature(Doubled("raises"))}, minutes, RESTARTS)["raises"]
    assert found.raised == "ZeroDivisionError: nothing there"
    assert "fails: ZeroDivisionError" in found.evidence()


@pytest.mark.full
def test_live_cannot_repeat_what_looked_ahead(minutes: BarArrays) -> None:
    assert set(disagreements(BUGS, minutes.part(0, 900), [])) >= set(BUGS) - {"crash", "filled"}


def smoothed(close: FloatArray, weight: float) -> list[float]:
    made, value = [], close[0]
    for each in close:
        value += weight * (each - value)
        made.append(value)
    return made


@pytest.mark.parametrize(("weight", "agrees"), [(0.3, True), (0.02, False)])
def test_a_lookback_that_is_too_short_is_found(minutes: BarArrays, weight: float, agrees: bool) -> None:
    found = disagreements({"smooth": of_close(smoothed, weight=weight)}, minutes.part(0, 700), [650])
    assert (found == {}) is agrees
