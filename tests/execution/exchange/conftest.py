"""Accounts on the running exchange, with alpaca-py to trade them."""

from collections.abc import Callable

import pytest
from exchange_process import Tape
from order_desk import Desk


@pytest.fixture
def open_desk(open_tape: Callable[..., Tape]) -> Callable[..., Desk]:
    return lambda **terms: Desk(open_tape(**{"slippage_bps": 0.0, **terms}))


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
