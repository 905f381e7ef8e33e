"""A stream that breaks off at any moment, repeats itself and misses bars: what is published is whole all the same."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import polars as pl
import pytest
import redis
from streams import MINUTE_US, OPEN, OPEN_US, bars_in, grids_of, live_feed

from data.bar import Bar, bars_of
from data.errors import Unavailable
from data.sources.synthetic import SyntheticMarket
from execution.feeds.contract import FinishedBar, Interrupted, Subscribed, Told, Unreadable
from execution.feeds.grid import moment
from execution.feeds.live import Surroundings

SYMBOLS = ("AAA", "BBB")
MINUTES = 120
MARKET = SyntheticMarket()


class BrokenStream:
    """Tells the market's own bars, badly."""

    name = "broken"
    symbols = SYMBOLS
    tells_bars = True

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        known = bars_of(MARKET.history(SYMBOLS, OPEN, moment(OPEN_US + MINUTES * MINUTE_US), "1m"), "1m")
        self._bars: dict[int, list[Bar]] = {}
        for bar in known:
            self._bars.setdefault((bar.ts_us - OPEN_US) // MINUTE_US, []).append(bar)
        self._minute = 7
        self.broken = 0

    def now_us(self) -> int:
        return OPEN_US + self._minute * MINUTE_US

    async def told(self) -> AsyncGenerator[Told, None]:
        yield Subscribed()
        while self._minute < MINUTES:
            self._minute += 1
            await asyncio.sleep(0.001)
            for bar in self._bars[self._minute - 1]:
                yield FinishedBar(bar)
                if self._random.random() < 0.2:
                    yield FinishedBar(bar)
                if self._random.random() < 0.1:
                    yield FinishedBar(self._random.choice(self._bars[self._random.randrange(self._minute)]))
            if self._random.random() < 0.1:
                yield Unreadable("noise")
            if self._random.random() < 0.15 and self._minute < MINUTES - 10:
                self.broken += 1
                self._minute += self._random.randrange(5)  # of which nobody is told
                raise Interrupted("broken on purpose")
        for _ in range(5):  # the last gap needs a market that goes on
            self._minute += 1
            await asyncio.sleep(0.02)

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        """What is over by now; every third question fails."""
        if self._random.random() < 1 / 3:
            raise Unavailable("history is away", "Ask again.")
        return MARKET.history(symbols, start, min(end, moment(self.now_us())), timeframe)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(6))
def test_whatever_breaks_the_bars_are_whole_and_in_order(redis_url: str, seed: int) -> None:
    stream = BrokenStream(seed)

    async def quickly(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    async def run() -> None:
        patient = {"backfill_patience_s": 36_000.0, "stale_after_s": 36_000.0, "backfill_settle_s": 0.0}
        async with live_feed(
            stream, grids_of(SYMBOLS), stream.history, Surroundings(quickly), **patient
        ) as feed:
            await feed.run()
            assert feed.status().connections == stream.broken + 1
            assert feed.status().holes == 0

    asyncio.run(run())
    assert stream.broken > 3
    with redis.Redis.from_url(redis_url) as client:
        for symbol in SYMBOLS:
            end = moment(OPEN_US + MINUTES * MINUTE_US)
            assert bars_in(client, symbol) == bars_of(MARKET.history([symbol], OPEN, end, "1m"), "1m")
