"""Prices that nobody can trade at are refused, and every price is read once to find them."""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from data.errors import UsageError
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray
from research.passes.account import machine_code
from research.passes.compile_cache import cache_on_disk

_PRICES: Final = COLUMNS[:4]


def refuse_no_prices(symbol: str, bars: BarArrays) -> None:
    """Prices that are not above zero, infinite ones and those that are none."""
    for name in _PRICES:
        column = getattr(bars, name)
        if _can_be_traded_at(column):
            continue
        bar = int(np.argmin((column > 0.0) & (column < np.inf)))
        when = datetime.fromtimestamp(bars.ts_us[bar] / 1e6, UTC)
        raise UsageError(
            f"the {name} of {symbol} at {when:%Y-%m-%d %H:%M} UTC is {column[bar]:g}, at which nobody trades",
            "Drop or repair such bars; what is ingested is checked for them.",
        )


@machine_code
def _can_be_traded_at(prices: FloatArray) -> bool:
    fine = True
    for place in range(
        prices.size
    ):  # to the end, whatever is found: a loop that may stop is four times slower
        fine &= (prices[place] > 0.0) & (prices[place] < np.inf)
    return fine


_check: Any = _can_be_traded_at
cache_on_disk(_check, [_check.py_func.__code__.co_code, _check.py_func.__code__.co_consts])
