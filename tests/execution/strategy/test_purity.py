"""A rule knows only what it is given: the clock, chance, files and what may change are refused with their line."""

import pytest

from data.errors import UsageError
from execution.strategy import FLAT, load_strategy

HEAD = """\
import datetime, math, os, random, time
import numpy as np
from pathlib import Path
from random import gauss
from numba import njit, objmode
from execution.strategy import Portfolio, Strategy, price

LEVELS = [1.0, 2.0]
NAMES = {"a": 1.0}
ARRAY = np.ones(3)
STEPS = (1.0, 2.0)

def deep(value):
    return value + time.time()

def shallow(value):
    return deep(value)

@njit
def quick(value):
    return value * np.random.rand()

def fine(value):
    return math.sqrt(abs(value)) + STEPS[1]

def wrong(value):
    return value.shape

class Rule(Strategy):
    def features(self):
        return {"close": price("close")}

    @staticmethod
    def decide(x):
"""
FIRST_LINE = HEAD.count("\n") + 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return time.time()", "Rule.decide, line {}: time asks the clock"),
        ("return datetime.datetime.now().hour", "Rule.decide, line {}: datetime asks the clock"),
        ("return random.random()", "Rule.decide, line {}: random leaves it to chance"),
        ("return gauss(0.0, 1.0)", "line {}: gauss leaves it to chance"),
        ("return np.random.rand()", "line {}: np.random leaves it to chance"),
        ("print(x.close)\n        return 1.0", "line {}: print reaches outside"),
        ("return len(open('/etc/passwd').read())", "line {}: open reaches outside"),
        ("return float(os.environ['HOME'] != '')", "line {}: os reaches outside"),
        ("return float(Path('x').exists())", "line {}: Path reaches outside"),
        ("import socket\n        return 1.0", "line {}: import socket reaches outside"),
        ("with objmode():\n            pass\n        return 1.0", "line {}: objmode leaves compiled code"),
        ("return LEVELS[0]", "line {}: LEVELS is a list that may change, while numba keeps what it is now"),
        ("return float(len(NAMES))", "line {}: NAMES is a dict that may change"),
        ("return ARRAY[0]", "line {}: ARRAY is a ndarray that may change"),
        ("return sum([LEVELS[0] for _ in range(2)])", "line {}: LEVELS is a list that may change"),
        (
            "return shallow(x.close)",
            "Rule.decide, which calls shallow, which calls deep, line 14: time asks the clock",
        ),
        ("return quick(x.close)", "Rule.decide, which calls quick, line 21: np.random leaves it to chance"),
    ],
)
def test_what_a_rule_may_not_do_is_told_with_its_line(body: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_strategy(HEAD + f"        {body}\n")()
    assert says.format(FIRST_LINE) in str(raised.value)


@pytest.mark.full
def test_plain_functions_and_constants_may_be_used() -> None:
    rule = load_strategy(HEAD + "        return fine(x.close) * STEPS[0]\n")
    assert rule.compiled()(rule.inputs()(9.0), FLAT) == 5.0


def test_a_function_that_cannot_be_compiled_is_told_with_the_line_inside_it() -> None:
    with pytest.raises(
        UsageError, match=r"Rule.decide cannot be compiled: line 27: Unknown attribute 'shape'"
    ):
        load_strategy(HEAD + "        return float(len(wrong(x.close)))\n")()


def test_allocate_is_looked_at_too() -> None:
    source = HEAD.replace("Rule(Strategy)", "Many(Portfolio)").replace("decide(x)", "allocate(x, positions)")
    for body, says in [
        (
            "return np.full(x.close.size, time.time())",
            f"Many.allocate, line {FIRST_LINE}: time asks the clock",
        ),
        ("return x.close + 'a'", f"Many.allocate cannot be compiled: line {FIRST_LINE}: "),
        ("return x.closs", "x.closs is not a feature; features() names close"),
        ("return 1.0", "Many.allocate returns float64, not one number per symbol on every path"),
    ]:
        with pytest.raises(UsageError) as raised:
            load_strategy(source + f"        {body}\n")()
        assert says in str(raised.value)


def test_a_name_that_is_not_there_is_found() -> None:
    with pytest.raises(UsageError, match=f"line {FIRST_LINE}: .*name 'closs' is not defined"):
        load_strategy(HEAD + "        return closs\n")()
