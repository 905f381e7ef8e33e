"""A backtest and its page, drawn once for all tests here."""

from collections.abc import Callable
from typing import Any

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
def checks() -> list[dict[str, Any]]:
    """A validation's rows: one check passed, one failed, one without evidence and with a name that is markup."""
    answers = {"luck": True, "skill": False, "<b>time</b>": None}
    return [
        {
            "name": name,
            "value": 0.5,
            "threshold": "at least 0.4",
            "passed": passed,
            "explanation": f"Of {name} it says <this>.",
        }
        for name, passed in answers.items()
    ]


@pytest.fixture(scope="session")
def page(done: Backtest, checks: list[dict[str, Any]]) -> Report:
    return report(done, checks)
