"""The dual moving average is long above, flat below."""

from types import SimpleNamespace

import pytest

from data.errors import UsageError
from research.strategies.crossover import Crossover


def test_it_is_long_while_the_fast_average_is_above() -> None:
    assert Crossover.decide(SimpleNamespace(fast=2.0, slow=1.0)) == 1.0
    assert Crossover.decide(SimpleNamespace(fast=1.0, slow=1.0)) == 0.0


def test_a_fast_average_that_is_not_the_faster_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"Crossover\(fast=60, slow=60\) makes no sense: fast is not below slow"
    ):
        Crossover(fast=60, slow=60)
