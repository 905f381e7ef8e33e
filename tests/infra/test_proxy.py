"""A wire that misbehaves as it was told to, and behaves again afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError

from infra.local.addresses import make_private
from infra.proxy.control import controlled
from infra.proxy.wire import LATENCY_S, THROTTLED_BYTES_PER_S, Proxy, WireFault

pytestmark = pytest.mark.full

Client = redis.asyncio.Redis
AWAY_S = 0.3


@asynccontextmanager
async def wired(url: str) -> AsyncIterator[tuple[Proxy, Client]]:
    """A proxy before Valkey, and a client that is connected through it."""
    async with Proxy(url) as proxy:
        client = Client.from_url(proxy.url, retry=None)
        try:
            assert await client.ping()
            yield proxy, client
        finally:
            await client.aclose()


def through(url: str, test: Callable[[Proxy, Client], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), wired(url) as (proxy, client):
            await test(proxy, client)
            assert await client.ping(), "it behaves again"

    asyncio.run(run())


async def unanswered(work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(AWAY_S):
            await work


def test_latency_is_added_both_ways(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        async with proxy.during(WireFault.LATENCY):
            began = time.monotonic()
            await client.ping()
            assert time.monotonic() - began >= 2 * LATENCY_S

    through(redis_url, test)


def test_what_is_cut_breaks_and_is_refused(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        async with proxy.during(WireFault.CUT):
            for _ in range(2):  # the connection that there was, and a new one
                with pytest.raises(ConnectionError):
                    await client.ping()

    through(redis_url, test)


def test_what_a_black_hole_swallowed_arrives_later(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        async with proxy.during(WireFault.BLACKHOLE):
            asked = asyncio.create_task(client.incr("asked"))
            await unanswered(asyncio.shield(asked))
        assert await asked == 1

    through(redis_url, test)


def test_a_deaf_wire_carries_requests_and_no_replies(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        async with proxy.during(WireFault.DEAF):
            asked = asyncio.create_task(client.incr("asked"))
            await unanswered(asyncio.shield(asked))
        with pytest.raises(ConnectionError):
            await asked
        assert await client.get("asked") == b"1"

    through(redis_url, test)


def test_the_reply_is_lost_and_what_it_told_was_done(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        struck = asyncio.create_task(proxy.strike(WireFault.DROP_REPLY, 10.0))
        await asyncio.sleep(0)  # it has begun
        with pytest.raises(ConnectionError):
            await client.incr("asked")
        await struck
        assert await client.get("asked") == b"1"

    through(redis_url, test)


def test_the_near_side_learns_late_that_the_far_one_is_gone(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        async with proxy.during(WireFault.HALF_OPEN):
            asked = asyncio.create_task(client.incr("asked"))
            await unanswered(asyncio.shield(asked))
        with pytest.raises(ConnectionError):
            await asked
        assert await client.get("asked") is None

    through(redis_url, test)


def test_a_throttled_wire_takes_its_time(redis_url: str) -> None:
    async def test(proxy: Proxy, client: Client) -> None:
        content = b"." * round(THROTTLED_BYTES_PER_S * AWAY_S)
        async with proxy.during(WireFault.THROTTLE):
            began = time.monotonic()
            await client.set("much", content)
            assert time.monotonic() - began >= AWAY_S
        assert await client.get("much") == content

    through(redis_url, test)


def test_a_server_that_is_down_is_refused_to_the_client() -> None:
    async def run() -> None:
        async with Proxy("redis://127.0.0.1:1/0") as proxy:
            client = Client.from_url(proxy.url, retry=None)
            with pytest.raises(ConnectionError):
                await client.ping()
            await client.aclose()

    asyncio.run(run())


def test_it_is_told_what_to_do_over_a_socket(redis_url: str, tmp_path: Path) -> None:
    async def ask(path: Path, line: str) -> str:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(f"{line}\n".encode())
        answer = (await reader.readline()).decode()
        writer.close()
        return answer

    async def ping_until_over(client: Client, cut: asyncio.Task[str]) -> None:
        while not cut.done():
            await client.ping()

    async def run() -> None:
        async with wired(redis_url) as (proxy, client), controlled({"redis": proxy}, path):
            cut = asyncio.create_task(ask(path, f"redis cut {AWAY_S}"))
            with pytest.raises(ConnectionError):
                await ping_until_over(client, cut)
            assert await cut == "done\n"
            assert await client.ping()
            assert await ask(path, "redis cut 1e9") == "the seconds must be 0 to 60, not 1e9\n"
            assert (await ask(path, "moon cut 1")).startswith("say one of redis, then one of latency, cut,")

    make_private(tmp_path / "sockets")
    path = tmp_path / "sockets" / "proxies.sock"
    asyncio.run(run())
