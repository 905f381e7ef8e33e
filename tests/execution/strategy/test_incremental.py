"""What a running engine computes bar by bar is what research computed at once, bit for bit."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.strategy import (
    Decider,
    Position,
    Strategy,
    atr,
    constant,
    ema,
    highest,
    lowest,
    param,
    price,
    roc,
    rsi,
    sma,
    std,
    wma,
)
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray, Ohlcv
from execution.strategy.features import Feature

FEATURES: dict[str, Any] = {
    "sma": lambda period: sma("close", period),
    "ema": lambda period: ema("close", period),
    "wma": lambda period: wma("volume", period),
    "rsi": lambda period: rsi("close", period),
    "atr": lambda period: atr(period),
    "std": lambda period: std("close", period),
    "roc": lambda period: roc("open", period),
    "highest": lambda period: highest("high", period),
    "lowest": lambda period: lowest("low", period),
    "price": lambda _: price("high"),
    "constant": lambda period: constant(period / 3),
}


def random_bars(seed: int, count: int) -> BarArrays:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))
    open_ = close * np.exp(random.normal(0.0, 0.005, count))
    high = np.maximum(open_, close) * (1.0 + random.random(count) * 0.01)
    low = np.minimum(open_, close) * (1.0 - random.random(count) * 0.01)
    # Markets stand still too: a run of equal prices is where indicators divide by zero.
    close[count // 2 : count // 2 + 3] = close[count // 2]
    volume = random.integers(0, 1000, count).astype(float)
    return BarArrays(open_, high, low, close, volume, np.arange(count, dtype=np.int64) * 60_000_000, "24/7")


def head(bars: BarArrays, count: int) -> BarArrays:
    columns = (getattr(bars, name)[:count].copy() for name in (*COLUMNS, "ts_us"))
    return BarArrays(*columns, bars.calendar)


def bar(bars: BarArrays, at: int) -> Ohlcv:
    return Ohlcv(*(float(getattr(bars, name)[at]) for name in COLUMNS), int(bars.ts_us[at]))


def same_bits(left: Any, right: FloatArray) -> bool:
    return np.asarray(left, dtype=float).tobytes() == right.tobytes() or bool(
        np.array_equal(left, right, equal_nan=True)
    )


@pytest.mark.parametrize("name", FEATURES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), period=st.integers(2, 30), restart=st.integers(0, 120))
def test_every_feature_is_the_same_batch_and_incremental(
    name: str, seed: int, period: int, restart: int
) -> None:
    bars = random_bars(seed, 120)
    feature: Feature = FEATURES[name](period)
    batch = feature.batch(bars)
    stream = feature.incremental(head(bars, restart))
    streamed = [stream.update(bar(bars, at)) for at in range(restart, 120)]
    assert same_bits(streamed, batch[restart:])


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


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    period=st.integers(2, 30),
    restarts=st.sets(st.integers(0, 150), max_size=3),
)
def test_decisions_survive_restarts_at_any_bar(seed: int, period: int, restarts: set[int]) -> None:
    bars = random_bars(seed, 150)
    strategy = Everything(period=period)
    columns = [spec.batch(bars) for spec in strategy.feature_specs().values()]
    decide, inputs = strategy.compiled(), strategy.inputs()
    decider = Decider(strategy)
    random = np.random.default_rng(seed)
    for at in range(150):
        if at in restarts:  # the process died; a new one replays from the same first bar
            decider = Decider(strategy)
            decider.warm(head(bars, at))
        held = Position(*random.normal(0.0, 1.0, 5).tolist())
        values = [float(column[at]) for column in columns]
        ready = not any(map(math.isnan, values))
        batch = decide(inputs(*values), held) if ready else math.nan
        live = decider.on_bar(*bar(bars, at)[:5], position=held)
        assert same_bits([live], np.array([batch]))


def test_nothing_is_decided_while_features_warm_up() -> None:
    bars = random_bars(1, 20)
    decider = Decider(Everything(period=8, threshold=1.0))
    decided = [decider.on_bar(*bar(bars, at)[:5]) for at in range(20)]
    assert all(math.isnan(target) for target in decided[:8])
    assert not math.isnan(decided[8])
    assert decider.features()["close"] == bars.close[19]
