"""A link to Redis under everything that happens to servers and networks."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import uvloop
from hiredis import ReplyError
from redis_proxy import redis_proxy
from valkey_process import ValkeyProcess, kept
from waiting import until

from data import bus
from data.errors import Unavailable
from data.swift import Link
from data.swift.link import PATIENCE_S
from data.swift.resp import command
from data.swift.wire import OUTPUT_BYTES_MAX


@pytest.fixture
def valkey_process(tmp_path: Path) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path / "valkey")
    yield process
    process.kill()


def test_answers_come_in_the_order_of_the_commands_and_errors_among_them(redis_url: str) -> None:
    async def run() -> list[Any]:
        told: list[Any] = []
        link = Link(redis_url, name="test")
        async with kept(link):
            for number in range(100):
                link.send(command("INCRBY", "n", number) + command("LPUSH", "n", 1), [told.append, link.note])
            assert await link.ask("GET", "n") == b"4950"
        assert link.refused == {"WRONGTYPE": 100}
        return told

    assert asyncio.run(run()) == [sum(range(number + 1)) for number in range(100)]


def test_an_answer_that_is_asked_for_and_refused_says_so(redis_url: str) -> None:
    async def run() -> None:
        link = Link(redis_url, name="test")
        async with kept(link):
            with pytest.raises(bus.Lost, match="unknown command"):
                await link.ask("NONSENSE")

    asyncio.run(run())


def test_answers_that_nobody_waits_for_are_read_together_later(redis_url: str) -> None:
    async def run() -> None:
        told: list[Any] = []
        link = Link(redis_url, name="test", answers_after_s=0.05)
        async with kept(link):
            await link.ask("PING")  # with nothing more to come, nobody listens
            link.send(command("INCR", "n"), [told.append])
            started = asyncio.get_running_loop().time()
            link.send(command("INCR", "n") + command("LPUSH", "n", 1), [told.append, told.append])
            await until(lambda: len(told) == 3, "the answers")
            assert asyncio.get_running_loop().time() - started >= 0.04
        assert told[:2] == [1, 2]
        assert isinstance(told[2], ReplyError)

    uvloop.run(run())


def test_a_wrong_password_is_for_a_person(redis_url: str) -> None:
    async def run() -> None:
        link = Link(redis_url.replace("@", "x@"), name="test")
        with pytest.raises(Unavailable, match=r"WRONGPASS.* Correct the password in SLIPWAY_REDIS_URL"):
            await link.run()

    asyncio.run(run())


def test_what_a_callback_raises_is_not_lost_in_the_event_loop(redis_url: str) -> None:
    async def run() -> None:
        link = Link(redis_url, name="test")
        async with kept(link):
            link.send(command("PING"), [lambda reply: {}[reply]])
            await asyncio.sleep(10)

    for started in (asyncio.run, uvloop.run):
        with pytest.raises(ExceptionGroup) as raised:
            started(run())
        assert raised.group_contains(KeyError)


def test_the_unix_socket_is_found_and_is_the_same_server(redis_url: str) -> None:
    nearest = bus.nearest(redis_url)
    assert nearest.startswith("unix://")

    async def run() -> None:
        link = Link(nearest, name="test")
        async with kept(link):
            await link.ask("SET", "through", "socket")

    asyncio.run(run())
    with redis.Redis.from_url(redis_url) as client:
        assert client.get("through") == b"socket"


def test_a_server_that_is_away_or_tells_no_socket_is_asked_as_it_was_said() -> None:
    away = "redis://:x@127.0.0.1:1/0"
    assert bus.nearest(away) == away


@pytest.mark.full
def test_a_killed_server_loses_what_was_not_answered_and_nothing_is_sent_again(
    valkey_process: ValkeyProcess,
) -> None:
    async def run() -> None:
        downs: list[str] = []
        told: list[Any] = []
        link = Link(valkey_process.nearest, name="test")
        link.on_down = downs.append
        async with kept(link):
            await link.ask("SET", "n", 0)
            valkey_process.send(signal.SIGSTOP)
            for _ in range(10):
                link.send(command("INCR", "n"), [told.append])
            valkey_process.kill()
            await until(lambda: bool(downs), "the end is noticed")
            assert len(told) == 10
            assert all(isinstance(each, bus.Lost) for each in told)
            with pytest.raises(bus.Lost, match="redis is away"):
                link.send(command("INCR", "n"), [told.append])
            valkey_process.start()
            await link.up(10)
            assert await link.ask("GET", "n") is None
        assert link.connections == 2

    asyncio.run(run())


@pytest.mark.full
def test_a_connection_whose_other_end_says_nothing_is_given_up_and_made_anew(redis_url: str) -> None:
    async def run() -> None:
        downs: list[str] = []
        async with redis_proxy(redis_url) as proxy:
            link = Link(proxy.url, name="test")
            link.on_down = downs.append
            async with kept(link):
                proxy.set("frozen")
                started = asyncio.get_running_loop().time()
                await until(lambda: bool(downs), "the silence is noticed")  # though nobody asked anything
                assert asyncio.get_running_loop().time() - started < PATIENCE_S + 3
                assert downs == [f"redis did not answer for {PATIENCE_S:g} s"]
                proxy.set("open")
                await link.up(10)
                assert await link.ask("PING") == b"PONG"

    asyncio.run(run())


@pytest.mark.full
def test_a_server_that_takes_nothing_gets_a_bounded_amount(valkey_process: ValkeyProcess) -> None:
    big = command("SET", "x", b"x" * 2**20)
    taken_bytes = 0

    def fill(link: Link) -> None:
        nonlocal taken_bytes
        while taken_bytes < 100 * 2**20:
            link.send(big, [link.note])
            taken_bytes += len(big)

    async def run() -> None:
        link = Link(valkey_process.url, name="test")
        async with kept(link):
            valkey_process.send(signal.SIGSTOP)
            with pytest.raises(bus.Lost, match="takes nothing"):
                fill(link)
            valkey_process.send(signal.SIGCONT)
            await link.up()

    uvloop.run(run())
    kernel_bytes_max = 16 * 2**20  # of both sockets' buffers
    assert OUTPUT_BYTES_MAX < taken_bytes < OUTPUT_BYTES_MAX + kernel_bytes_max
