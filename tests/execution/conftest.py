"""A running exchange, for everything in this room."""

from collections.abc import Iterator

import pytest
from exchange_process import ExchangeProcess


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    process = ExchangeProcess(tmp_path_factory.mktemp("exchange"))
    yield process
    assert process.stop() == 0
