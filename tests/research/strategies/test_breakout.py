"""A breakout is bought above the channel of the bars before, and sold when it has fallen back from its best."""

import math
from types import SimpleNamespace

from execution.strategy import FLAT, BarArrays, Position
from research.strategies.breakout import Breakout


def decided(close: float, held: Position = FLAT, short: float = -1.0) -> float:
    x = SimpleNamespace(close=close, upper=105.0, lower=95.0, range=1.0, trail=3.0, short=short)
    return Breakout.decide(x, held)


def test_it_enters_beyond_the_channel_only() -> None:
    assert [decided(close) for close in (94.0, 95.0, 100.0, 105.0, 106.0)] == [-1.0, 0.0, 0.0, 0.0, 1.0]
    assert decided(94.0, short=0.0) == 0.0


def test_it_trails_the_best_close() -> None:
    long = Position(size=10.0, average_entry=100.0, peak=120.0)
    assert math.isnan(decided(117.0, long))
    assert decided(116.9, long) == 0.0
    short = Position(size=-10.0, average_entry=100.0, peak=80.0)
    assert math.isnan(decided(83.0, short))
    assert decided(83.1, short) == 0.0


def test_the_channel_is_of_the_bars_before(random_column: BarArrays) -> None:
    upper = Breakout(period=10).feature_specs()["upper"].batch(random_column)
    assert upper[50] == random_column.high[40:50].max()
