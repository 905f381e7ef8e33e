"""Two symbols are traded against each other, half the account each, while they have drifted apart."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from data.errors import UsageError
from execution.strategy import BarArrays
from research import backtest
from research.strategies.pairs import Pairs

Walk = Callable[..., pl.DataFrame]


def weights(first: float, second: float = 0.0) -> list[float]:
    both = np.ones(2)
    x = SimpleNamespace(
        deviation=np.array([first, second]), enter=0.01 * both, leave=0.002 * both, stop=0.05 * both
    )
    return Pairs.allocate(x, None).tolist()  # type: ignore[no-any-return]


def test_the_dear_one_is_sold_and_the_cheap_one_bought() -> None:
    assert weights(0.02) == [-0.5, 0.5]
    assert weights(0.0, 0.02) == [0.5, -0.5]


def test_it_is_flat_near_the_mean_and_when_they_have_parted() -> None:
    assert weights(0.001) == [0.0, 0.0]
    assert weights(0.06) == [0.0, 0.0]


def test_in_between_and_while_one_warms_up_nothing_changes() -> None:
    assert np.isnan(weights(0.005)).all()
    assert np.isnan(weights(0.02, np.nan)).all()


@pytest.mark.full
def test_the_stretch_is_that_of_the_price_ratio(random_column: BarArrays) -> None:
    other = replace(random_column, close=random_column.close[::-1].copy())
    deviation = Pairs(period=20).feature_specs()["deviation"]
    stretch = deviation.batch(random_column) - deviation.batch(other)
    ratio = np.log(random_column.close / other.close)
    assert stretch[60] == pytest.approx(ratio[60] - ratio[41:61].mean(), abs=1e-12)


def test_three_are_no_pair(walk: Walk) -> None:
    with pytest.raises(UsageError, match=r"Pairs.allocate raised ValueError: pairs are of two symbols"):
        backtest(Pairs(), pl.concat([walk(name, 60, seed) for seed, name in enumerate("ABC")]))


@pytest.mark.parametrize(
    ("values", "why"),
    [({"leave": 0.02}, "leave is not below enter"), ({"stop": 0.01}, "enter is not below stop")],
)
def test_thresholds_in_another_order_are_refused(values: dict[str, float], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Pairs(**values)
