"""Bars as markets leave them: sessions and bars missing, bars after hours, runs without movement or volume."""

from datetime import date, timedelta
from typing import Any

import numpy as np

from data.calendars import sessions
from execution.strategy import BarArrays
from execution.strategy.arrays import FloatArray

STEP_MINUTES = 30


def gappy_bars(seed: int, calendar: str = "XNYS", days: int = 14) -> BarArrays:
    """A seeded random walk over some two weeks between 2024 and 2026, a hundred bars or so."""
    random = np.random.default_rng(seed)
    first = date(2024, 1, 2) + timedelta(days=int(random.integers(0, 900)))
    stamps: list[int] = []
    for session in sessions(first, first + timedelta(days=days), calendar):
        if random.random() < 0.15 and stamps:
            continue
        opens_us = int(session.open_utc.timestamp()) * 1_000_000
        minutes = int((session.close_utc - session.open_utc).total_seconds()) // 60
        hours = np.arange(-STEP_MINUTES if calendar != "24/7" else 0, minutes + 1, STEP_MINUTES)
        kept = hours[random.random(len(hours)) > 0.15]
        stamps += [opens_us + int(each) * 60_000_000 for each in kept]
    ts_us = np.unique(np.array(stamps, dtype=np.int64))
    return walk(random, ts_us, calendar)


def walk(random: Any, ts_us: Any, calendar: str) -> BarArrays:
    count = len(ts_us)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))
    open_ = close * np.exp(random.normal(0.0, 0.005, count))
    high = np.maximum(open_, close) * (1.0 + random.random(count) * 0.01)
    low = np.minimum(open_, close) * (1.0 - random.random(count) * 0.01)
    volume = random.integers(0, 1000, count).astype(float)
    still = slice(count // 3, count // 2)
    for column in (open_, high, low, close):
        column[still] = close[count // 3]
    volume[still] = 0.0
    return BarArrays(open_, high, low, close, volume, ts_us, calendar)


def same_bits(left: Any, right: FloatArray) -> bool:
    """NaN equals NaN, whatever its payload."""
    return bool(np.array_equal(np.asarray(left, dtype=float), right, equal_nan=True))
