"""A market to check strategies on where there is no data yet: it has what breaks features, and always the same bits."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.calendars import sessions

FIRST: Final = date(2025, 11, 3)
LAST: Final = date(2025, 12, 2)
HALF_DAY: Final = date(2025, 11, 28)  # the day after Thanksgiving closes at 13:00
CLOSED_FOR_THESE_BARS: Final = date(2025, 11, 12)
"""a session of which the data has nothing"""

_MINUTE_US: Final = 60_000_000


def practice_market(symbols: Sequence[str] = ("AAA", "BBB"), seed: int = 1) -> pl.DataFrame:
    """Four weeks of minutes on New York's calendar.

    Calm and rough stretches, jumps overnight, minutes without a bar, half an hour in which nothing moves or
    trades, a half day, a holiday and a session that is missing.
    """
    stamps = _minutes()
    return pl.concat([_symbol(symbol, stamps, [seed, place]) for place, symbol in enumerate(symbols)])


def _minutes() -> NDArray[np.int64]:
    every = [
        np.arange(_us(each.open_utc.timestamp()), _us(each.close_utc.timestamp()), _MINUTE_US, dtype=np.int64)
        for each in sessions(FIRST, LAST)
        if each.day != CLOSED_FOR_THESE_BARS
    ]
    return np.concatenate(every)


def _symbol(symbol: str, minutes: NDArray[np.int64], seed: list[int]) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    overnight = np.diff(minutes, prepend=minutes[0]) > _MINUTE_US
    # Roughness wanders between a third and three times the usual.
    rough = np.clip(np.exp(np.cumsum(random.normal(0.0, 0.03, len(minutes)))), 1 / 3, 3.0)
    moves = random.normal(0.0, 6e-4, len(minutes)) * rough
    still = slice(len(minutes) // 3, len(minutes) // 3 + 30)
    moves[still] = 0.0
    jumps = np.where(overnight, random.normal(0.0, 8e-3, len(minutes)), 0.0)
    close = np.round(100.0 * np.exp(np.cumsum(moves + jumps)), 2)
    before = np.concatenate((close[:1], close[:-1]))
    open_ = np.round(np.where(overnight, before * np.exp(jumps), before), 2)
    reach = np.abs(random.normal(0.0, 3e-4, (2, len(minutes)))) * rough
    high = np.round(np.maximum(open_, close) * (1.0 + reach[0]), 2)
    low = np.round(np.minimum(open_, close) * (1.0 - reach[1]), 2)
    volume = np.round(random.lognormal(6.0, 0.8, len(minutes)))
    for column in (open_, high, low, close):
        column[still] = close[still.start]
    volume[still] = 0.0
    frame = pl.DataFrame(
        {
            "symbol": pl.repeat(symbol, len(minutes), eager=True),
            "ts_utc": pl.Series(minutes).cast(pl.Datetime("us", "UTC")),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        }
    )
    return frame.filter(pl.Series(random.random(len(minutes)) > 0.02))


def _us(seconds: float) -> int:
    return int(seconds) * 1_000_000
