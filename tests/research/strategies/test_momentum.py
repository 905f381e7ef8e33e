"""The strongest share the account, on rebalancing days and only then."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from execution.strategy.features import session_number
from research.strategies.momentum import Momentum


def weights(before: list[float], *, session: Any = 10.0, bar: Any = 1.0, top: float = 2.0) -> list[float]:
    line = np.ones(len(before))
    x = SimpleNamespace(
        rise=-np.array(before),  # of today, and not to be looked at
        before=np.array(before),
        session=session * line,
        bar=bar * line,
        top=top * line,
        hold=5.0 * line,
    )
    return [round(each, 6) for each in Momentum.allocate(x, None).tolist()]


def test_the_strongest_get_equal_parts_and_the_others_nothing() -> None:
    assert weights([0.1, 0.3, -0.2, 0.2]) == [0.0, 0.5, 0.0, 0.5]
    assert weights([-0.1, -0.3, -0.2], top=1.0) == [1.0, 0.0, 0.0]


def test_of_equals_the_first_by_name_is_taken() -> None:
    assert weights([0.1, 0.1, 0.1]) == [0.5, 0.5, 0.0]


def test_between_rebalancing_days_and_later_on_them_everything_stays() -> None:
    assert np.isnan(weights([0.1, 0.2, 0.3], session=11.0)).all()
    assert np.isnan(weights([0.1, 0.2, 0.3], bar=2.0)).all()


def test_a_symbol_that_comes_late_that_day_is_placed_when_it_comes() -> None:
    late = weights([0.1, 0.2, 0.3], bar=np.array([2.0, 1.0, 2.0]))
    assert late[1] == 0.5
    assert np.isnan([late[0], late[2]]).all()


def test_who_has_not_traded_today_is_ranked_by_the_end_of_the_session_before() -> None:
    assert weights([0.1, -0.4], session=np.array([10.0, 9.0]), top=1.0)[0] == 0.0  # its `rise` of then is 0.4
    assert weights([0.5, -0.4], session=np.array([10.0, 9.0]), top=1.0)[0] == 1.0


def test_a_symbol_without_history_is_left_out() -> None:
    placed = weights([np.nan, 0.2, 0.3], top=1.0)
    assert np.isnan(placed[0])
    assert placed[1:] == [0.0, 1.0]


def test_its_days_do_not_depend_on_where_the_data_begins() -> None:
    assert Momentum().feature_specs()["session"] == session_number()
