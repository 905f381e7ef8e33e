"""A monitor, and a trading floor for it to watch, over a database and a Valkey of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_monitor import Monitor, running
from trading_floor import Floor

from api.settings import get_api_settings


@pytest.fixture
def start_monitor(database_url: str, redis_url: str, state_dir: Path) -> Iterator[Callable[..., Monitor]]:
    """Starts monitors with settings of the test's choice; they stop when it ends."""
    get_api_settings.cache_clear()
    with ExitStack() as stack:
        yield lambda **overrides: stack.enter_context(running(database_url, **overrides))


@pytest.fixture
def monitor(start_monitor: Callable[..., Monitor]) -> Monitor:
    return start_monitor()


@pytest.fixture
def floor(database_url: str) -> Iterator[Floor]:
    opened = Floor(database_url)
    yield opened
    opened.close()
