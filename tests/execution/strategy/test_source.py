"""A strategy travels as source text and comes back the same."""

import sys
from pathlib import Path

import pytest

from data.errors import UsageError
from execution.strategy import load_strategy, strategy_source
from research.strategies.crossover import Crossover


def test_source_loads_in_isolation_and_decides_the_same() -> None:
    source = strategy_source(Crossover)
    loaded = load_strategy(source)
    assert loaded is not Crossover
    assert loaded.__module__.startswith("_slipway_strategy_")
    assert loaded.__module__ in sys.modules
    assert strategy_source(loaded) == source
    assert loaded(fast=5).params() == Crossover(fast=5).params()
    assert loaded(fast=5).feature_specs() == Crossover(fast=5).feature_specs()


def test_the_same_source_is_loaded_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(strategy_source(Crossover))
    assert load_strategy(path) is load_strategy(str(path)) is load_strategy(path.read_text())


def test_a_file_called_like_a_library_shadows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "numpy.py"
    path.write_text(strategy_source(Crossover) + "\n# another text\n")
    load_strategy(path)
    import numpy

    assert numpy.__name__ == "numpy"
    assert hasattr(numpy, "ndarray")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import a_library_nobody_has\n", "line 1: ModuleNotFoundError"),
        ("x = 1\n\ndef broken(:\n", "line 3: SyntaxError"),
        ("x = 1\n\n1 / 0\n", "line 3: ZeroDivisionError"),
        ("x = 1\n", "defines 0 strategies"),
    ],
)
def test_source_that_does_not_load_says_line_and_cause(source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        load_strategy(source)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.py cannot be read: No such file"):
        load_strategy(tmp_path / "nowhere.py")


def test_of_several_strategies_one_is_asked_for_by_name() -> None:
    source = strategy_source(Crossover) + "\n\nclass Other(Crossover):\n    pass\n"
    with pytest.raises(UsageError, match="defines 2 strategies"):
        load_strategy(source)
    assert load_strategy(source, "Other").__name__ == "Other"
    with pytest.raises(UsageError, match="It defines: Crossover, Other"):
        load_strategy(source, "Third")
