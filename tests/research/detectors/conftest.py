"""The practice market, made once."""

import polars as pl
import pytest

from execution.strategy import BarArrays
from research.detectors import practice_market


@pytest.fixture(scope="session")
def market() -> pl.DataFrame:
    """One symbol's four weeks of minutes."""
    return practice_market(("AAA",))


@pytest.fixture(scope="session")
def minutes(market: pl.DataFrame) -> BarArrays:
    """The first half of it, the standstill included."""
    return BarArrays.of(market.head(3600))
