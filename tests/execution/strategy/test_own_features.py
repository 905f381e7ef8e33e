"""A person's own features: compiled bar by bar, or a function over whole columns to explore with."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from gappy_bars import gappy_bars, same_bits

from data.errors import UsageError
from execution.strategy import bar_by_bar, load_strategy, vectorised

DOWN = 0.5


def halved(value: float) -> float:  # plain Python, compiled with what calls it
    return value * DOWN


@bar_by_bar(state=1, outputs=2)
def cooled(
    state: Any, open: Any, high: Any, low: Any, close: Any, volume: Any, weight: Any, floor: Any = 0.0
) -> Any:
    state[0] = weight * state[0] + (1.0 - weight) * halved(high - low)
    return max(state[0], floor), volume


@pytest.mark.full
def test_several_outputs_come_from_one_loop() -> None:
    bars = gappy_bars(1)
    heat, volume = cooled.all(0.9)
    assert heat.computation == volume.computation
    assert same_bits(volume.batch(bars), bars.volume)
    expected, state = [], 0.0
    for at in range(len(bars)):
        state = 0.9 * state + (1.0 - 0.9) * ((bars.high[at] - bars.low[at]) * 0.5)
        expected.append(max(state, 0.0))
    np.testing.assert_allclose(heat.batch(bars), expected, rtol=1e-14)
    stream = heat.incremental(bars.part(0, 31))
    assert same_bits([stream.update(bars.bar(at)) for at in range(31, len(bars))], heat.batch(bars)[31:])


def test_equal_features_are_equal_by_function_and_numbers() -> None:
    assert cooled.all(0.9) == cooled.all(weight=0.9)
    assert hash(cooled.all(0.9)[0]) == hash(cooled.all(0.9, 0.0)[0])
    assert cooled.all(0.9) != cooled.all(0.8)
    with pytest.raises(UsageError, match=r"cooled has 2 outputs. Pick one: cooled.all\(…\)\[0\]"):
        cooled(0.9)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return np.random.rand()", "jump, line 6: np.random leaves it to chance"),
        ("return 'high'", "jump returns .*high.*, not a number on every path"),
        ("return close.median", "jump cannot be compiled: line 6: "),
        ("return SEEN[0]", "SEEN is a list that may change"),
    ],
)
def test_an_update_that_is_not_pure_or_cannot_be_compiled_says_line_and_cause(body: str, says: str) -> None:
    source = (
        "import numpy as np\nfrom execution.strategy import Strategy, bar_by_bar\nSEEN = [1.0]\n"
        f"@bar_by_bar(state=1)\ndef jump(state, open, high, low, close, volume):\n    {body}\n"
        "class Jumpy(Strategy):\n    def features(self):\n        return {'jump': jump()}\n"
        "    @staticmethod\n    def decide(x):\n        return x.jump\n"
    )
    with pytest.raises(UsageError, match=says):
        load_strategy(source)()


def test_other_arguments_than_it_is_given_are_told_at_once() -> None:
    with pytest.raises(UsageError, match=r"wrong takes other arguments .* Write wrong\(state, open, high"):

        @bar_by_bar(state=1)
        def wrong(state: Any, close: Any) -> Any:
            return close


@pytest.mark.full
def test_an_update_that_fails_on_a_bar_says_so() -> None:
    @bar_by_bar(state=0)
    def failing(state: Any, open: Any, high: Any, low: Any, close: Any, volume: Any) -> Any:
        if volume == 0.0:
            raise ValueError("no volume")
        return close

    with pytest.raises(UsageError, match="the feature failing raised ValueError: no volume"):
        failing().batch(gappy_bars(1))


def running_mean(close: Any, volume: Any, *, span: int) -> Any:
    return pl.Series(close).rolling_mean(span) + 0.0 * volume


def test_a_function_over_columns_is_nearly_the_same_live_and_says_that_it_is_not_exact() -> None:
    bars = gappy_bars(2)
    feature = vectorised(running_mean, "close", "volume", lookback=30, span=10)
    assert not feature.exact
    assert feature == vectorised(running_mean, "close", "volume", lookback=30, span=10)
    batch = feature.batch(bars)
    stream = feature.incremental(bars.part(0, 40))
    live = [stream.update(bars.bar(at)) for at in range(40, len(bars))]
    np.testing.assert_allclose(live, batch[40:], rtol=1e-9)
    assert math.isnan(batch[0])


def test_a_function_that_gives_another_number_of_values_is_told() -> None:
    with pytest.raises(UsageError, match=r"the feature diff gave an array of shape \(\d+,\) for \d+ bars"):
        vectorised(np.diff, "close", lookback=5).batch(gappy_bars(1))
    with pytest.raises(UsageError, match="reads no column"):
        vectorised(np.diff, lookback=5)
