"""Bars for tests of a single strategy."""

from collections.abc import Callable

import polars as pl
import pytest

from execution.strategy import BarArrays


@pytest.fixture
def random_column(walk: Callable[..., pl.DataFrame]) -> BarArrays:
    """One symbol's bars as columns."""
    return BarArrays.of(walk(bars=100))
