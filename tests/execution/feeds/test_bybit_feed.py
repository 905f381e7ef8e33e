"""Bybit's public stream, on a real socket: subscriptions in portions, pings, candles, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from bybit_stream_server import ARGS_MAX, KNOWN, BybitStreamServer, book, bybit_stream, candle, trades
from streams import MINUTE_US, OPEN_US, SECOND_US, bars_in, live_feed, no_history, ticks_in
from waiting import until

from data.bar import Bar, Tick
from data.calendars import ROUND_THE_CLOCK
from data.errors import UsageError
from data.sources.bybit import BybitSettings
from execution.feeds.bybit import BybitStream
from execution.feeds.clock import SteadyClock
from execution.feeds.grid import Grid
from execution.feeds.live import LiveFeed, Surroundings
from execution.feeds.settings import FeedSettings

MIDNIGHT_US = OPEN_US - 13 * 60 * MINUTE_US - 30 * MINUTE_US


def bar(number: int) -> Bar:
    return Bar("BTCUSDT", "1m", MIDNIGHT_US + number * MINUTE_US, 100.5, 102.0, 99.25, 101.0, 3.25)


async def quickly(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.005))


@asynccontextmanager
async def hearing(
    vendor: BybitStreamServer,
    symbols: Sequence[str] = ("BTCUSDT",),
    ping_every_s: float = 20.0,
    **settings: Any,
) -> AsyncIterator[LiveFeed]:
    """A feed in the second minute of a day of UTC."""
    known = {"bybit_url": vendor.url, "backfill_settle_s": 0.0, **settings}

    def now_us() -> int:
        return MIDNIGHT_US + 61 * SECOND_US

    clock = SteadyClock(now_us, now_us)
    stream = BybitStream(symbols, "1m", FeedSettings(**known), BybitSettings(), clock, ping_every_s)
    grids = {symbol: Grid(ROUND_THE_CLOCK, "1m") for symbol in symbols}
    async with live_feed(stream, grids, no_history, Surroundings(quickly, lambda: 0.5), **known) as feed:
        yield feed


def test_trades_quotes_and_finished_candles(redis_url: str) -> None:
    at_us = MIDNIGHT_US + 29 * SECOND_US

    async def run() -> None:
        async with bybit_stream() as vendor, hearing(vendor) as feed:
            running = asyncio.create_task(feed.run())
            await until(lambda: feed.status().connections == 1, "a subscription")
            assert sorted(vendor.topics) == ["kline.1.BTCUSDT", "orderbook.1.BTCUSDT", "publicTrade.BTCUSDT"]
            await vendor.send(trades("BTCUSDT", (at_us, 100.5, 0.25, "a"), (at_us, 100.5, 0.25, "b")))
            await vendor.send(trades("BTCUSDT", (at_us, 100.5, 0.25, "b")))
            await vendor.send(book("BTCUSDT", at_us, (100.25, 1.5), None))
            await vendor.send(candle(bar(0), confirm=False))
            await vendor.send(candle(bar(0)))
            await vendor.send(candle(bar(0)))
            await vendor.send_text("<html>")
            await vendor.send({"topic": "kline.1.BTCUSDT", "ts": 1, "data": [{"start": "soon"}]})
            await vendor.send(candle(bar(1)))
            with redis.Redis.from_url(redis_url) as client:
                await until(lambda: len(bars_in(client, "BTCUSDT")) == 2, "two candles")
                assert bars_in(client, "BTCUSDT") == [bar(0), bar(1)]
                assert ticks_in(client, "BTCUSDT") == [
                    Tick("BTCUSDT", at_us, last=100.5, last_size=0.25, trade_id="a"),
                    Tick("BTCUSDT", at_us, last=100.5, last_size=0.25, trade_id="b"),
                    Tick("BTCUSDT", at_us, bid=100.25, bid_size=1.5),
                ]
            counted = feed.status().counted
            assert (counted["told twice"], counted["unreadable"]) == (1, 2)
            feed.stop()
            await running

    asyncio.run(run())


def test_many_topics_go_in_portions(redis_url: str) -> None:
    async def run() -> None:
        async with bybit_stream() as vendor, hearing(vendor, KNOWN) as feed:
            running = asyncio.create_task(feed.run())
            await until(lambda: feed.status().connections == 1, "a subscription")
            assert len(vendor.topics) == 3 * len(KNOWN) > 2 * ARGS_MAX
            feed.stop()
            await running

    asyncio.run(run())


def test_an_unknown_symbol_ends_the_feed_with_its_name(redis_url: str) -> None:
    async def run() -> None:
        async with bybit_stream() as vendor, hearing(vendor, ["BTCUSDT", "NOPE"]) as feed:
            await feed.run()

    with pytest.RaisesGroup(
        pytest.RaisesExc(UsageError, match=r"Invalid symbol.*NOPE.*SLIPWAY_BYBIT_CATEGORY")
    ):
        asyncio.run(run())


def test_pings_keep_a_quiet_connection_and_one_without_answer_ends_it(redis_url: str) -> None:
    async def run() -> None:
        async with bybit_stream() as vendor, hearing(vendor, ping_every_s=0.01) as feed:
            running = asyncio.create_task(feed.run())
            await until(lambda: vendor.pings >= 5, "five pings")
            assert vendor.connections == 1
            vendor.answers_pings = False
            await until(lambda: vendor.connections >= 2, "a second connection")
            assert "did not answer a ping" in feed.status().why
            feed.stop()
            await running

    asyncio.run(run())


def test_a_closed_connection_is_opened_again(redis_url: str) -> None:
    async def run() -> None:
        async with bybit_stream() as vendor, hearing(vendor) as feed:
            running = asyncio.create_task(feed.run())
            for number in range(1, 4):
                await until(lambda number=number: feed.status().connections == number, "a subscription")  # type: ignore[misc]
                await vendor.close()
            await until(lambda: feed.status().connections == 4, "the last one")
            feed.stop()
            await running

    asyncio.run(run())


def test_a_vendor_that_is_not_there_is_named_and_tried_again(redis_url: str) -> None:
    async def run() -> None:
        async with bybit_stream() as vendor:
            pass  # gone, and its port with it
        async with hearing(vendor) as feed:
            running = asyncio.create_task(feed.run())
            await until(lambda: vendor.url in feed.status().why, "a failure")
            assert feed.status().state == "connecting"
            feed.stop()
            await running

    asyncio.run(run())


def test_a_timeframe_that_bybit_does_not_have() -> None:
    with pytest.raises(UsageError, match=r"no candles of 7m.*1m, 5m"):
        BybitStream(["BTCUSDT"], "7m", FeedSettings(), BybitSettings())
