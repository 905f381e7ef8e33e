"""A running exchange and accounts on it, for everything in this room."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from exchange_process import ExchangeProcess, Tape

from execution.exchange.control import BlockingExchangeControl

_names = itertools.count(1)


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    process = ExchangeProcess(tmp_path_factory.mktemp("exchange"))
    yield process
    assert process.stop() == 0


@pytest.fixture
def open_tape(exchange: ExchangeProcess) -> Iterator[Callable[..., Tape]]:
    """Opens a fresh account with the given terms."""
    tapes: list[Tape] = []

    def opened(**terms: Any) -> Tape:
        with BlockingExchangeControl(exchange.url) as control:
            keys = control.open_account(f"account-{next(_names)}", **terms)
        tapes.append(Tape(exchange.url, keys))
        return tapes[-1]

    yield opened
    for tape in tapes:
        tape.close()


@pytest.fixture
def tape(open_tape: Callable[..., Tape]) -> Tape:
    return open_tape()
