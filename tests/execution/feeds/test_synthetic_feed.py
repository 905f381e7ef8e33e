"""A market that is made up, live: what it publishes is its own history, whole and in order."""

import asyncio
from datetime import timedelta

import redis
from streams import OPEN, bars_in, grids_of, live_feed

from data.bar import bars_of
from data.sources.synthetic import SyntheticMarket
from execution.feeds.synthetic import SyntheticStream


def test_what_is_published_is_the_markets_own_history(redis_url: str) -> None:
    market, symbols = SyntheticMarket(), ("AAA", "BBB")
    until = OPEN + timedelta(minutes=40)
    stream = SyntheticStream(market, symbols, OPEN + timedelta(minutes=10), 0.0, until=until)

    async def run() -> None:
        async with live_feed(stream, grids_of(symbols), market.history) as feed:
            await feed.run()

    asyncio.run(run())
    with redis.Redis.from_url(redis_url) as client:
        for symbol in symbols:
            known = bars_of(market.history([symbol], OPEN, until - timedelta(minutes=1), "1m"), "1m")
            assert bars_in(client, symbol) == known
