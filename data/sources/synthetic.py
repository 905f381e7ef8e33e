"""A market that does not exist: seeded, the same on every machine, and shaped like a real one.

Any session can be made without making those before it: a symbol's daily closes are one seeded
walk from its listing, and the minutes of a session are a bridge from its open to its close, drawn
from a seed of their own.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.bar import BAR_SCHEMA, step
from data.calendars import NEW_YORK, Session, sessions_before
from data.errors import UsageError

LISTED: Final = date(2015, 1, 2)
DEFAULT_SEED: Final = 7
TRADES_PER_BAR: Final = (
    8  # points of the price path inside one bar; the first is its open, the last its close
)
TICK: Final = 0.01

# symbol: first price, yearly drift, yearly volatility, shares a minute
LISTINGS: Final = {
    "AAA": (48.0, 0.07, 0.22, 9_000),
    "BBB": (112.0, 0.05, 0.28, 4_000),
    "CCC": (23.0, 0.09, 0.35, 15_000),
    "DDD": (240.0, 0.06, 0.18, 2_500),
    "EEE": (67.0, 0.00, 0.30, 6_000),
    "FFF": (150.0, 0.11, 0.26, 3_500),
}
SESSIONS_PER_YEAR: Final = 252
OVERNIGHT_SHARE: Final = 0.25  # of a day's variance falls between close and open


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """The built-in market.  The same seed gives the same bars, whatever was asked before."""

    seed: int = DEFAULT_SEED
    name: str = "synthetic"
    calendar: str = NEW_YORK

    def symbols(self) -> list[str]:
        return list(LISTINGS)

    def listed_since(self, symbol: str) -> date:
        return LISTED

    def history(self, symbols: list[str], session: Session, timeframe: str) -> pl.DataFrame:
        if session.day < LISTED:
            raise UsageError(
                f"the synthetic market opened on {LISTED}, there is nothing on {session.day}",
                f"Start on {LISTED} or later.",
            )
        frames = [self._session_of(symbol, session, timeframe) for symbol in sorted(symbols)]
        return pl.concat(frames) if frames else pl.DataFrame(schema=BAR_SCHEMA)

    def _session_of(self, symbol: str, session: Session, timeframe: str) -> pl.DataFrame:
        opened, closed = self._open_and_close(symbol, session.day)
        count = int((session.close_utc - session.open_utc) / step(timeframe))
        _, _, volatility, volume = LISTINGS[symbol]
        random = _random(self.seed, symbol, session.day.isoformat())
        shape = _smile(count)

        # A bridge: a walk with the day's smile in its steps, pinned to the open and the close.
        points = count * TRADES_PER_BAR
        day_deviation = volatility / np.sqrt(SESSIONS_PER_YEAR)
        regime = np.exp(0.35 * random.standard_normal())  # calm and wild days
        steps = random.standard_normal(points) * np.repeat(shape, TRADES_PER_BAR)
        steps *= regime * day_deviation * np.sqrt(1 - OVERNIGHT_SHARE) / np.sqrt(points)
        walk = np.cumsum(steps)
        progress = np.arange(1, points + 1) / points
        path = np.log(opened) + walk - progress * (walk[-1] - np.log(closed / opened))
        traded = np.exp(path).reshape(count, TRADES_PER_BAR)

        traded[0, 0] = opened
        activity = shape**2 * np.exp(0.4 * random.standard_normal(count))
        return pl.DataFrame(
            {
                "symbol": [symbol] * count,
                "ts_utc": pl.datetime_range(
                    session.open_utc, session.close_utc, step(timeframe), closed="left", eager=True
                ).dt.cast_time_unit("us"),
                "open": _ticks(traded[:, 0]),
                "high": _ticks(traded.max(axis=1)),
                "low": _ticks(traded.min(axis=1)),
                "close": _ticks(traded[:, -1]),
                "volume": np.maximum(1.0, np.round(volume * activity)),
                "vwap": traded.mean(axis=1),
                "trade_count": np.maximum(1, np.round(40 * activity)).astype(np.int64),
            },
            schema=BAR_SCHEMA,
        )

    def _open_and_close(self, symbol: str, day: date) -> tuple[float, float]:
        opens, closes = _daily_walk(self.seed, symbol)
        place = sessions_before(day) - sessions_before(LISTED)
        return float(opens[place]), float(closes[place])


def _random(*of: object) -> np.random.Generator:
    """A stream of its own for everything that is drawn: order of asking never matters."""
    digest = hashlib.sha256("|".join(map(str, of)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _smile(count: int) -> NDArray[np.float64]:
    """How lively each bar of a session is: most at the open, least at noon; its squares average 1."""
    place = np.linspace(-1.0, 1.0, count)
    shape = 0.7 + 0.9 * place**2 + 0.5 * np.exp(-(place + 1.0) * 12)
    return np.asarray(shape / np.sqrt(np.mean(shape**2)))


def _ticks(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(TICK, np.round(prices, 2))


@lru_cache(maxsize=32)
def _daily_walk(seed: int, symbol: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opens and closes of every session since the listing, long enough for any calendar."""
    first, drift, volatility, _ = LISTINGS[symbol]
    count = 60 * SESSIONS_PER_YEAR
    random = _random(seed, symbol, "days")
    calm = np.exp(0.25 * _persistent(random, count))  # volatility clusters
    moves = random.standard_normal(count) * calm * volatility / np.sqrt(SESSIONS_PER_YEAR)
    jumps = (random.random(count) < 0.01) * random.standard_normal(count) * 0.04
    closes = first * np.exp(np.cumsum(moves + jumps + (drift - volatility**2 / 2) / SESSIONS_PER_YEAR))
    gaps = random.standard_normal(count) * calm * volatility * np.sqrt(OVERNIGHT_SHARE / SESSIONS_PER_YEAR)
    opens = np.concatenate(([first], closes[:-1])) * np.exp(gaps)
    return opens, closes


def _persistent(random: np.random.Generator, count: int, memory: float = 0.97) -> NDArray[np.float64]:
    """A first-order autoregression with unit variance."""
    noise = random.standard_normal(count) * np.sqrt(1 - memory**2)
    out = np.empty(count)
    level = 0.0
    for place in range(count):
        level = memory * level + noise[place]
        out[place] = level
    return out
