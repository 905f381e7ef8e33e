"""Bars for research tests: seeded random walks on a grid of minutes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from data.bar import BAR_SCHEMA

FIRST = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


Walk = Callable[..., pl.DataFrame]


def _walk(
    symbol: str = "AAA", bars: int = 1000, seed: int = 1, *, volatility: float = 2e-3, per_day: int = 390
) -> pl.DataFrame:
    """A random walk with gaps between close and open, `per_day` minutes a day, weekends left out."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, volatility, bars)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0.0, volatility / 4, bars))
    days = [
        day
        for day in (FIRST + timedelta(days=number) for number in range(2 * bars // per_day + 9))
        if day.weekday() < 5
    ]
    stamps = [days[number // per_day] + timedelta(minutes=number % per_day) for number in range(bars)]
    return pl.DataFrame(
        {
            "symbol": [symbol] * bars,
            "ts_utc": stamps,
            "open": open_,
            "high": np.maximum(open_, close) * (1.0 + random.random(bars) * volatility),
            "low": np.minimum(open_, close) * (1.0 - random.random(bars) * volatility),
            "close": close,
            "volume": random.integers(1, 1000, bars).astype(float),
            "vwap": [None] * bars,
            "trade_count": [None] * bars,
        },
        schema=BAR_SCHEMA,
    )


@pytest.fixture(scope="session")
def walk() -> Walk:
    """walk(symbol, bars, seed, volatility=…, per_day=…) -> a frame of bars."""
    return _walk
