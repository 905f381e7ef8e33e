"""How prices move: a seeded walk of days, and inside each session a seeded bridge from open to close.

Any session can be made without making those before it.  What is drawn, and in which order, is part of
what the market is: another order of drawing is another market.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.bar import BAR_SCHEMA, TIMEFRAMES
from data.calendars import Session, sessions, sessions_before
from data.sources.synthetic.listings import Listing, listing

POINTS_PER_BAR: Final = 8  # of the price path; a bar's first point is its open, its last its close
MINUTE: Final = TIMEFRAMES["1m"]
MINUTE_US: Final = 60_000_000
TRADES_A_MINUTE: Final = 40
_INSTANT: Final = timedelta(microseconds=1)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PricePath:
    """The prices of one session, minute by minute, in shares of that session and not yet rounded."""

    opens_us: NDArray[np.int64]
    prices: Floats  # minutes × points
    activity: Floats  # of each minute, around 1
    volume: Floats


def touched(of: Listing, start: datetime, end: datetime) -> list[Session]:
    """The sessions with bars in [start, end), whole."""
    first, last = start.astimezone(UTC).date(), (end - _INSTANT).astimezone(UTC).date()
    first = max(first, of.listed)
    if last < first:
        return []
    return [
        day
        for day in sessions(first, last, of.rhythm.calendar)
        if day.open_utc < end and day.close_utc > start
    ]


def price_path(seed: int, of: Listing, session: Session) -> PricePath:
    """A walk with the day's smile in its steps, pinned to the session's open and close."""
    symbol, rhythm = of.instrument.symbol, of.rhythm
    opened, closed = _open_and_close(seed, of, session.day)
    count = (session.close_utc - session.open_utc) // MINUTE
    random = generator(seed, symbol, session.day.isoformat())
    shape = rhythm.smile(count)
    lively = rhythm.weekdays[session.day.weekday()]

    points = count * POINTS_PER_BAR
    day_deviation = of.yearly_volatility / np.sqrt(rhythm.sessions_per_year)
    regime = np.exp(0.35 * random.standard_normal())  # calm and wild days
    steps = random.standard_normal(points) * np.repeat(shape, POINTS_PER_BAR)
    steps *= regime * day_deviation * lively * np.sqrt(1 - rhythm.overnight_share) / np.sqrt(points)
    walk = np.cumsum(steps)
    progress = np.arange(1, points + 1) / points
    prices = np.exp(np.log(opened) + walk - progress * (walk[-1] - np.log(closed / opened)))
    prices[0] = opened

    activity = shape**2 * np.exp(0.4 * random.standard_normal(count)) * lively
    share = of.old_share(session.day)
    volume = np.round(of.minute_volume * activity / share, of.volume_decimals)
    opens_us = int(session.open_utc.timestamp()) * 1_000_000 + np.arange(count) * MINUTE_US
    return PricePath(
        opens_us,
        prices.reshape(count, POINTS_PER_BAR) * share,
        activity,
        np.maximum(of.instrument.lot, volume),
    )


def minute_bars(seed: int, of: Listing, days: Sequence[Session]) -> pl.DataFrame:
    """Every minute of the sessions, in BAR_SCHEMA."""
    if not days:
        return pl.DataFrame(schema=BAR_SCHEMA)
    columns = zip(
        *(_columns(price_path(seed, of, day), of.instrument.tick_size) for day in days), strict=True
    )
    joined = (np.concatenate(column) for column in columns)
    frame = pl.DataFrame(dict(zip(list(BAR_SCHEMA)[1:], joined, strict=True)))
    return frame.select(
        pl.lit(of.instrument.symbol).alias("symbol"),
        pl.col("ts_utc").cast(BAR_SCHEMA["ts_utc"]),
        pl.exclude("ts_utc"),
    )


def _columns(of: PricePath, tick: float) -> tuple[NDArray[np.int64] | Floats, ...]:
    prices = of.prices
    return (
        of.opens_us,
        in_ticks(prices[:, 0], tick),
        in_ticks(prices.max(axis=1), tick),
        in_ticks(prices.min(axis=1), tick),
        in_ticks(prices[:, -1], tick),
        of.volume,
        prices.mean(axis=1),
        np.maximum(1, np.round(TRADES_A_MINUTE * of.activity)).astype(np.int64),
    )


def in_ticks(prices: Floats, tick: float) -> Floats:
    """Prices as they are quoted: every tick of this market is a cent."""
    return np.maximum(tick, np.round(prices, 2))


def generator(*of: object) -> np.random.Generator:
    """A stream of its own for everything that is drawn: order of asking never matters."""
    digest = hashlib.sha256("|".join(map(str, of)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _open_and_close(seed: int, of: Listing, day: date) -> tuple[float, float]:
    opens, closes = _daily_walk(seed, of.instrument.symbol)
    calendar = of.rhythm.calendar
    place = sessions_before(day, calendar) - sessions_before(of.listed, calendar)
    return float(opens[place]), float(closes[place])


@lru_cache(maxsize=32)
def _daily_walk(seed: int, symbol: str) -> tuple[Floats, Floats]:
    """Opens and closes of every session since the listing, long enough for any calendar."""
    of = listing(symbol)
    rhythm, first, volatility = of.rhythm, of.first_price, of.yearly_volatility
    count, a_year = rhythm.walk_sessions, rhythm.sessions_per_year
    random = generator(seed, symbol, "days")
    calm = np.exp(0.25 * _persistent(random, count))  # volatility clusters
    if len(set(rhythm.weekdays)) > 1:
        calm *= np.asarray(rhythm.weekdays)[(of.listed.weekday() + np.arange(count)) % 7]
    moves = random.standard_normal(count) * calm * volatility / np.sqrt(a_year)
    jumps = (random.random(count) < 0.01) * random.standard_normal(count) * 0.04
    closes = first * np.exp(np.cumsum(moves + jumps + (of.yearly_drift - volatility**2 / 2) / a_year))
    gaps = random.standard_normal(count) * calm * volatility * np.sqrt(rhythm.overnight_share / a_year)
    opens = np.concatenate(([first], closes[:-1])) * np.exp(gaps)
    return opens, closes


def _persistent(random: np.random.Generator, count: int, memory: float = 0.97) -> Floats:
    """A first-order autoregression with unit variance."""
    out = np.empty(count)
    level = 0.0
    for place, noise in enumerate((random.standard_normal(count) * np.sqrt(1 - memory**2)).tolist()):
        level = memory * level + noise
        out[place] = level
    return out
