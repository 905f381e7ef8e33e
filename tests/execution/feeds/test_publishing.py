"""What Redis being away costs a feed: ticks, and time; never a bar, and never the feed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis
from redis_proxy import Mode, RedisProxy, redis_proxy
from streams import MINUTE_US, OPEN_US, bars_in, ticks_in, trade
from waiting import until

from data import bus
from data.bar import Bar
from execution.feeds import publisher as publishing
from execution.feeds.continuity import Line
from execution.feeds.contract import FinishedBar
from execution.feeds.publisher import Publisher
from execution.feeds.status import FeedStatus, read_status


def line(number: int) -> Line:
    return Line(FinishedBar(Bar("AAA", "1m", OPEN_US + number * MINUTE_US, 10.0, 10.0, 10.0, 10.0, 1.0)))


def told(client: redis.Redis) -> list[int]:
    return [(bar.ts_us - OPEN_US) // MINUTE_US for bar in bars_in(client, "AAA")]


@asynccontextmanager
async def publishing_through(proxy: RedisProxy) -> AsyncIterator[Publisher]:
    publisher = Publisher("test", proxy.url)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(publisher.run())
        await publisher.told_before()
        yield publisher
        async with asyncio.timeout(5):
            await publisher.gone_out()
        running.cancel()


@pytest.mark.full
@pytest.mark.parametrize("mode", ["cut", "frozen", "deaf"])
def test_bars_wait_for_redis_and_arrive_once_and_in_order(redis_url: str, mode: Mode) -> None:
    """`deaf` is the hard one: the batch arrives, and its answer is lost."""

    async def run() -> None:
        async with redis_proxy(redis_url) as proxy, publishing_through(proxy) as publisher:
            with redis.Redis.from_url(redis_url) as client:
                await publisher.tell(line(0))
                await until(lambda: told(client) == [0], "the first bar")
                proxy.set(mode)
                for number in range(1, 4):
                    await publisher.tell(line(number))
                    await publisher.tell(trade(OPEN_US + number, 10.0))
                if mode == "deaf":
                    await until(lambda: 3 in told(client), "the batch whose answer is lost")
                await until(lambda: publisher.counted["ticks lost"] > 0, "the loss is noticed")
                proxy.set("open")
                await publisher.tell(line(4))
                await until(lambda: told(client)[-1] == 4, "the last bar")
                # What was frozen on its way may still arrive behind the question whether it did: twice, never not.
                heard = list(dict.fromkeys(told(client))) if mode == "frozen" else told(client)
                assert heard == [0, 1, 2, 3, 4]

    asyncio.run(run())


@pytest.mark.full
def test_a_frozen_redis_never_holds_the_feed(redis_url: str) -> None:
    async def run() -> float:
        async with redis_proxy(redis_url) as proxy, publishing_through(proxy) as publisher:
            await publisher.tell(line(0))
            proxy.set("frozen")
            started = asyncio.get_running_loop().time()
            for number in range(publishing.WAITING_MAX + 5_000):
                await publisher.tell(trade(OPEN_US + number, 10.0))
            took_s = asyncio.get_running_loop().time() - started
            proxy.set("open")
        assert publisher.counted["ticks lost"] > 5_000 - 1
        return took_s

    assert (
        asyncio.run(run()) < bus.TIMEOUT_S + 1.0
    )  # until Redis is known to be away, and not a moment longer


def test_a_status_is_there_while_it_is_renewed_and_redis_answers(redis_url: str) -> None:
    told = FeedStatus("live", OPEN_US, "", 1, 0, 0, {"AAA": OPEN_US}, {})

    async def run() -> None:
        async with redis_proxy(redis_url) as proxy, publishing_through(proxy) as publisher:
            connection = bus.connect_async(proxy.url)
            assert await read_status(connection, "test") is None
            await publisher.tell_status(told, keep_s=100)
            assert await read_status(connection, "test") == told
            await publisher.tell_status(told, keep_s=1)
            assert 0 < await connection.pttl(bus.feed("test")) <= 1_000
            proxy.set("cut")
            assert await read_status(connection, "test") is None
            await connection.aclose()
            proxy.set("open")

    asyncio.run(run())


@pytest.mark.full
def test_a_redis_that_was_emptied_gets_what_comes_next(redis_url: str) -> None:
    async def run() -> None:
        async with redis_proxy(redis_url) as proxy, publishing_through(proxy) as publisher:
            with redis.Redis.from_url(redis_url) as client:
                await publisher.tell(line(0))
                await until(lambda: told(client) == [0], "the first bar")
                client.flushall()
                await publisher.tell(line(1))
                await until(lambda: told(client) == [1], "the second bar")

    asyncio.run(run())


@pytest.mark.full
def test_streams_are_bounded_and_everything_goes_out_before_the_end(redis_url: str) -> None:
    async def run() -> None:
        async with redis_proxy(redis_url) as proxy, publishing_through(proxy) as publisher:
            for number in range(bus.MARKET_DATA_LENGTH + 2_000):
                await publisher.tell(trade(OPEN_US + number, 10.0))

    asyncio.run(run())
    with redis.Redis.from_url(redis_url) as client:
        ticks = ticks_in(client, "AAA")
        assert bus.MARKET_DATA_LENGTH <= len(ticks) < bus.MARKET_DATA_LENGTH + 1_000  # cut by whole nodes
        assert ticks[-1].ts_us == OPEN_US + bus.MARKET_DATA_LENGTH + 1_999


@pytest.mark.full
def test_what_a_full_redis_refuses_goes_out_once_there_is_room(redis_url: str) -> None:
    async def run(client: redis.Redis) -> None:
        async with redis_proxy(redis_url) as proxy, publishing_through(proxy) as publisher:
            await publisher.tell(line(0))
            await until(lambda: told(client) == [0], "the first bar")
            client.config_set("maxmemory", 1)
            await publisher.tell(line(1))
            await publisher.tell(trade(OPEN_US, 10.0))
            await until(lambda: publisher.counted["ticks lost"] == 1, "the refusal is read")
            await publisher.tell(line(2))
            client.config_set("maxmemory", 0)
            await until(lambda: told(client)[-1] == 2, "the bars that waited")
            assert told(client) == [0, 1, 2]

    with redis.Redis.from_url(redis_url) as client:
        try:
            asyncio.run(run(client))
        finally:
            client.config_set("maxmemory", 0)


@pytest.mark.full
def test_a_market_that_begins_anew_forgets_its_earlier_life_even_when_redis_comes_late(
    redis_url: str,
) -> None:
    async def run(client: redis.Redis) -> None:
        client.hset(bus.told_bars("test"), "AAA", OPEN_US + 60 * MINUTE_US)
        async with redis_proxy(redis_url) as proxy:
            proxy.set("cut")
            publisher = Publisher("test", proxy.url, begins_anew=True)
            running = asyncio.create_task(publisher.run())
            assert await publisher.told_before() == {}
            await publisher.tell(line(0))
            proxy.set("open")
            await until(lambda: told(client) == [0], "the first bar of the new life")
            running.cancel()

    with redis.Redis.from_url(redis_url) as client:
        asyncio.run(run(client))
