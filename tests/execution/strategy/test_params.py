"""Parameters know their bounds, steps and scale, and can spread themselves over them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UsageError
from execution.strategy import param


@pytest.mark.parametrize(
    ("declared", "count", "values"),
    [
        (param(10, low=2, high=60), 3, [2, 31, 60]),
        (param(3, low=2, high=4), 8, [2, 3, 4]),
        (param(0.5, low=0.0, high=1.0), 5, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (param(0.5, low=0.0, high=1.0), 1, [0.5]),
        (param(10, low=5, high=30, step=5), 3, [5, 15, 30]),
        (param(0.3, low=0.1, high=0.45, step=0.1), 9, [0.1, 0.2, 0.3, 0.4]),
        (param(10, low=1, high=1000, log=True), 4, [1, 10, 100, 1000]),
        (param("a", choices=("a", "b", "c")), 8, ["a", "b", "c"]),
        (param(1, choices=(1, 2, 3, 5, 8)), 3, [1, 3, 8]),
        (param(7, low=1), 8, [7]),
        (param(7), 8, [7]),
    ],
)
def test_a_parameter_spreads_over_its_bounds(declared: Any, count: int, values: list[Any]) -> None:
    spread = declared.spread(count)
    assert spread == pytest.approx(values) if isinstance(values[0], float) else spread == values
    assert {type(each) for each in spread} == {type(declared.default)}


@pytest.mark.full
@given(
    low=st.integers(-50, 50),
    span=st.integers(0, 400),
    step=st.one_of(st.none(), st.integers(1, 40)),
    count=st.integers(1, 30),
)
def test_whatever_it_spreads_over_may_be_given(low: int, span: int, step: int | None, count: int) -> None:
    for kind in (int, float):
        declared = param(
            kind(low), low=kind(low), high=kind(low + span), step=None if step is None else kind(step)
        )
        spread = declared.spread(count)
        assert 1 <= len(spread) <= count
        assert spread == sorted(set(spread))
        assert [declared.checked(each, "A") for each in spread] == spread


def test_however_a_step_was_reached_it_is_one_value() -> None:
    declared = param(0.1, low=0.1, high=0.9, step=0.1)
    assert declared.checked(0.1 + 0.1 + 0.1, "A") == declared.checked(0.3, "A") == 0.3


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        (
            param(10, low=5, high=60, step=5),
            12,
            "A.default is 12, between two steps. Use a value from 5 to 60 in steps of 5.",
        ),
        (param(0.2, low=0.1, high=0.9, step=0.1), 0.25, "A.default is 0.25, between two steps"),
        (param(1, choices=(1, 2)), 3, "A.default is 3, which is not a choice. Use one of: 1, 2."),
    ],
)
def test_a_value_that_is_not_allowed_says_which_are(declared: Any, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        declared.checked(value, "A")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"low": 9, "high": 1}, "upside down"),
        ({"low": 1, "high": 4}, "out of bounds"),
        ({"step": 2}, "steps of 2 that begin nowhere. Say where: low="),
        ({"low": 1, "step": 0}, "step is 0. Give a step above zero"),
        ({"low": 2, "high": 9, "step": 2}, "param.default is 5, between two steps"),
        ({"low": 0, "high": 9, "log": True}, "logarithmic from 0, which has no logarithm"),
        ({"low": 1, "log": True}, "logarithmic without bounds"),
        ({"low": 0.5, "high": 9}, "the whole number 5 has bounds or a step that are none"),
        ({"low": float("nan")}, "low is nan"),
        ({"choices": (5, 6), "low": 1}, "has choices and bounds"),
        ({"choices": ()}, "has no choices"),
        ({"choices": (5, 5)}, "repeat themselves"),
        ({"choices": (5, "six")}, "'six', not a whole number"),
        ({"choices": (6, 7)}, "5, which is not a choice"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_where_it_is_written(words: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        param(5, **words)
