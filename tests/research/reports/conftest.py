"""A backtest and its page, drawn once for all tests here."""

from collections.abc import Callable

import polars as pl
import pytest

from research import Backtest, backtest
from research.reports import Report, report
from research.strategies.crossover import Crossover

Walk = Callable[..., pl.DataFrame]


@pytest.fixture(scope="session")
def done(walk: Walk) -> Backtest:
    """Two symbols over eight sessions."""
    bars = pl.concat([walk("AAA", 400, 1, per_day=50), walk("BBB", 320, 2, per_day=50)])
    return backtest(Crossover(fast=5, slow=20), bars, record=False)


@pytest.fixture(scope="session")
def page(done: Backtest) -> Report:
    return report(done)
