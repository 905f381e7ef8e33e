"""What a running engine computes bar by bar is what research computed at once, bit for bit."""

import math
from typing import Any

import numpy as np
import pytest
from gappy_bars import gappy_bars, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.strategy import (
    Decider,
    Position,
    Strategy,
    atr,
    constant,
    ema,
    load_strategy,
    macd,
    minutes_to_close,
    param,
    price,
    rsi,
)


class Everything(Strategy):
    """Position-aware, with all kinds of features."""

    period = param(8, low=2, high=40)
    threshold = param(50.0, low=1.0, high=99.0)
    stop = param(0.02, low=0.001, high=0.5)

    def features(self) -> Any:
        return {
            "close": price("close"),
            "average": ema("close", self.period),
            "strength": rsi("close", self.period),
            "range": atr(self.period),
            "signal": macd("close", self.period, self.period + 5, 4).signal,
            "histogram": macd("close", self.period, self.period + 5, 4).histogram,
            "hours": minutes_to_close(),
            "threshold": constant(self.threshold),
            "stop": constant(self.stop),
        }

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        if position.size > 0.0 and (
            position.open_profit < -x.stop or x.close < position.peak - 2.0 * x.range
        ):
            return 0.0
        if x.close > x.average and x.strength > x.threshold:
            return 1.0
        if x.close < x.average and x.strength < 100.0 - x.threshold:
            return -0.5
        return math.nan


@pytest.mark.full
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    period=st.integers(2, 30),
    restarts=st.sets(st.integers(0, 120), max_size=3),
)
def test_decisions_survive_restarts_at_any_bar(seed: int, period: int, restarts: set[int]) -> None:
    bars = gappy_bars(seed)
    strategy = Everything(period=period)
    columns = [spec.batch(bars) for spec in strategy.feature_specs().values()]
    decide, inputs = strategy.compiled(), strategy.inputs()
    decider = Decider(strategy)
    random = np.random.default_rng(seed)
    for at in range(len(bars)):
        if at in restarts:  # the process died; a new one replays from the same first bar
            decider = Decider(strategy)
            decider.warm(bars.part(0, at))
        held = Position(*random.normal(0.0, 1.0, 5).tolist())
        values = [float(column[at]) for column in columns]
        ready = not any(map(math.isnan, values))
        batch = decide(inputs(*values), held) if ready else math.nan
        bar = bars.bar(at)
        assert same_bits([decider.on_bar(*bar[:5], held, bar.ts_us)], np.array([batch]))


def test_nothing_is_decided_while_features_warm_up() -> None:
    bars = gappy_bars(1)
    decider = Decider(Everything(period=8, threshold=1.0))
    decided = [decider.on_bar(*bars.bar(at)[:5], ts_us=int(bars.ts_us[at])) for at in range(40)]
    undecided = [math.isnan(target) for target in decided]
    first = undecided.index(False)
    assert first == (8 + 5 - 1) + (4 - 1)  # the signal of the slower average is the last to warm up
    assert decider.features()["close"] == bars.close[39]
    assert list(decider.features()) == list(Everything().feature_specs())


VERSION = """
from execution.strategy import Strategy, price


class Twice(Strategy):
    def features(self):
        return {"close": price("close")}

    @staticmethod
    def decide(x):
        return x.close * %s
"""


@pytest.mark.full
def test_two_versions_of_a_strategy_decide_side_by_side() -> None:
    """numba remembers arguments by the name of their type: the second version was refused what the first had taken."""
    deciders = [Decider(load_strategy(VERSION % factor)()) for factor in (1.0, 2.0)]
    assert [each.on_bar(1.0, 1.0, 1.0, 3.0, 1.0) for each in deciders] == [3.0, 6.0]
