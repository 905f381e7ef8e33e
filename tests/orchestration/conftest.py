"""A study small enough for tests: ten sessions, a grid of four, the real market, lake and ledger."""

from datetime import date
from pathlib import Path

import pytest

from orchestration.study import Study


@pytest.fixture
def study(database_url: str, state_dir: Path) -> Study:
    return Study(
        symbols=("AAA", "BBB"),
        trade_session=date(2026, 9, 9),  # Labor Day, a Monday, lies just before it
        research_sessions=10,
        on_duty_sessions=1,
        grid={"fast": (5, 10), "slow": (30, 60)},
    )
