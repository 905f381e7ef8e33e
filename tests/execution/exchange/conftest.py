"""Accounts on the running exchange."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from exchange_process import ExchangeProcess, Tape
from order_desk import Desk

from execution.exchange.control import BlockingExchangeControl

_names = itertools.count(1)


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


@pytest.fixture
def open_desk(open_tape: Callable[..., Tape]) -> Callable[..., Desk]:
    return lambda **terms: Desk(open_tape(**{"slippage_bps": 0.0, **terms}))


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
