"""What happened inside the minutes: quotes and trades along the price path that the bars were made from."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl

from data.bar import TICK_SCHEMA, Tick
from data.calendars import Session
from data.sources.synthetic import prices
from data.sources.synthetic.listings import Listing, listing
from data.sources.synthetic.prices import MINUTE_US, POINTS_PER_BAR, Floats, touched

POINT_US: Final = MINUTE_US // POINTS_PER_BAR
WIDER: Final = 0.3  # how often a spread is one tick wider than it would be
QUOTED: Final = 5.0  # times the size of a trade, around which what is quoted varies

Sleep = Callable[[float], Awaitable[None]]


def ticks_between(seed: int, symbols: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
    """Eight ticks a minute in [start, end), in TICK_SCHEMA, by symbol and time.

    `last` gives the minute's open first, its close at the end, its high and its low between; the sizes of a
    minute's trades add up to its volume.
    """
    frames = [
        _session(seed, listing(symbol), day)
        for symbol in sorted(set(symbols))
        for day in touched(listing(symbol), start, end)
    ]
    told = pl.concat([pl.DataFrame(schema=TICK_SCHEMA), *frames])
    return told.filter((pl.col("ts_utc") >= start) & (pl.col("ts_utc") < end))


async def ticks_from(
    seed: int, symbols: Sequence[str], start: datetime, pace: float, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Tick]:
    """Ticks from `start` on as they come, `pace` seconds for a second of the market.

    Hours in which no session is open take no time.  It ends with an error where the calendar does.
    """
    for since, until in _days(start):
        before_us = None
        told = ticks_between(seed, symbols, since, until).sort("ts_utc", "symbol")
        for row in told.with_columns(pl.col("ts_utc").dt.epoch("us")).iter_rows():
            tick = Tick(*row)
            wait_us = tick.ts_us - before_us if before_us is not None else 0
            if pace and wait_us:
                await sleep(wait_us / 1e6 * pace)
            before_us = tick.ts_us
            yield tick


def _days(start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From `start` to the next midnight of UTC, and on from there."""
    while True:
        until = datetime.combine(start.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
        yield start, until
        start = until


def _session(seed: int, of: Listing, day: Session) -> pl.DataFrame:
    symbol, tick_size = of.instrument.symbol, of.instrument.tick_size
    moved = prices.price_path(seed, of, day)
    random = prices.generator(seed, symbol, day.day.isoformat(), "ticks")
    last = prices.in_ticks(moved.prices, tick_size).ravel()
    spread = tick_size * (1 + (random.random(last.size) < WIDER))
    bought = random.random(last.size) < 0.5  # a buyer pays the ask, a seller gets the bid
    bid = prices.in_ticks(np.where(bought, last - spread, last), tick_size)
    sizes = _sizes(moved.volume, of.volume_decimals)
    quoted = QUOTED * sizes * random.uniform(0.5, 1.5, (2, last.size))
    bid_size, ask_size = np.maximum(of.instrument.lot, np.round(quoted, of.volume_decimals))
    return pl.DataFrame(
        {
            "symbol": pl.repeat(symbol, last.size, eager=True),
            "ts_utc": (moved.opens_us[:, None] + np.arange(POINTS_PER_BAR) * POINT_US).ravel(),
            "bid": bid,
            "ask": prices.in_ticks(bid + spread, tick_size),
            "last": last,
            "bid_size": bid_size,
            "ask_size": ask_size,
            "last_size": sizes,
        },
        schema=TICK_SCHEMA,
    )


def _sizes(volume: Floats, decimals: int) -> Floats:
    """A minute's volume in eight trades of nearly the same size, which add up."""
    parts = np.arange(POINTS_PER_BAR + 1) / POINTS_PER_BAR
    until = np.round(volume[:, None] * parts, decimals)
    return np.round(np.diff(until, axis=1), decimals).ravel()
