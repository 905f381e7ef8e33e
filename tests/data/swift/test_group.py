"""Entries of streams reach the one who decides: each once, in order, and what was lost is known to be lost."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
import uvloop
from redis_proxy import redis_proxy
from valkey_process import ValkeyProcess, kept
from waiting import until

from data.swift import GroupReader, Link
from data.swift import group as reading
from data.swift import link as linking

STREAMS = ["md.A", "md.B"]


class Heard:
    """A reader that keeps what it was told."""

    def __init__(self, url: str, member: str = "1", *, holds: bool = False) -> None:
        self.link = Link(url, name="test")
        self.reader = GroupReader(self.link, STREAMS, "engine.paper", member, self._on_entry)
        self.numbers: dict[bytes, list[int]] = defaultdict(list)
        self._holds = holds

    def _on_entry(self, stream: bytes, _id: bytes, fields: list[bytes]) -> None:
        assert fields[0] == b"n"
        self.numbers[stream].append(int(fields[1]))
        if self._holds:
            self.reader.hold()

    @property
    def all(self) -> list[int]:
        return sorted(number for numbers in self.numbers.values() for number in numbers)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url)) as connection:
        yield connection


async def reads(client: redis.Redis, member: str = "1") -> None:
    """It reads from both streams: what is added from here on is told."""

    def consuming() -> bool:
        found = [client.xinfo_groups(stream) for stream in STREAMS if client.exists(stream)]
        names = [each["name"].decode() for groups in found for each in groups if each["consumers"]]
        return names == [f"engine.paper.{member}"] * len(STREAMS)

    await until(consuming, "the reader reads")


def add(client: redis.Redis, number: int) -> None:
    client.xadd(STREAMS[number % 2], {"n": number})


def pending(client: redis.Redis, member: str = "1") -> int:
    return sum(client.xpending(stream, f"engine.paper.{member}")["pending"] for stream in STREAMS)


def test_entries_are_told_once_and_in_order_and_acknowledged(redis_url: str, client: redis.Redis) -> None:
    async def run() -> None:
        heard = Heard(redis_url)
        add(client, 99)  # before us: not ours
        async with kept(heard.link):
            await reads(client)
            for number in range(40):
                add(client, number)
            await until(lambda: len(heard.all) == 40, "all entries")
            await until(lambda: pending(client) == 0, "all acknowledgements")
        assert heard.numbers == {b"md.A": list(range(0, 40, 2)), b"md.B": list(range(1, 40, 2))}

    asyncio.run(run())


def test_nothing_is_read_ahead_of_whoever_is_busy(redis_url: str, client: redis.Redis) -> None:
    async def run() -> None:
        heard = Heard(redis_url, holds=True)
        async with kept(heard.link):
            await reads(client)
            add(client, 0)
            await until(lambda: heard.all == [0], "the first entry")
            for number in range(1, 6):
                add(client, number)
            assert await heard.link.ask("PING") == b"PONG"  # the link is free: it does not wait for entries
            assert (heard.all, pending(client)) == ([0], 1)
            heard.reader.done()
            await until(lambda: heard.all == list(range(6)), "the others")
            assert await heard.link.ask("PING") == b"PONG"
            assert pending(client) == 5

    asyncio.run(run())


def test_groups_of_earlier_lives_are_removed_and_those_of_others_are_not(
    redis_url: str, client: redis.Redis
) -> None:
    for group in ("engine.paper.1", "engine.paper2.1", "engine.live.1"):
        client.xgroup_create("md.A", group, mkstream=True)

    async def run() -> None:
        heard = Heard(redis_url, "2")
        async with kept(heard.link):
            await until(
                lambda: (
                    {group["name"] for group in client.xinfo_groups("md.A")}
                    == {b"engine.paper.2", b"engine.paper2.1", b"engine.live.1"}
                ),
                "the leftover is gone",
            )

    asyncio.run(run())


def test_a_redis_that_was_emptied_is_noticed_and_what_comes_later_is_told(
    redis_url: str, client: redis.Redis
) -> None:
    async def run() -> None:
        heard = Heard(redis_url)
        async with kept(heard.link):
            await reads(client)
            for number in range(0, 100, 10):
                client.flushall()
                for each in range(number, number + 10):
                    add(client, each)
                await until(lambda last=number + 9: last in heard.all, "what came after the loss")
        assert heard.all == list(range(100))
        assert heard.reader.counted["emptied"] >= 10

    asyncio.run(run())


@pytest.mark.full
@pytest.mark.parametrize("run_with", [asyncio.run, uvloop.run])
def test_connections_that_are_lost_again_and_again_lose_and_double_no_entry(
    redis_url: str, client: redis.Redis, run_with: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut without an answer to what was asked: entries and acknowledgements that were on their way are lost with it."""
    monkeypatch.setattr(reading, "COUNT", 7)  # so that telling again takes several answers
    monkeypatch.setattr(linking, "RECONNECT_S", (0.01, 0.02))

    async def run() -> None:
        async with redis_proxy(redis_url) as proxy:
            heard = Heard(proxy.url)
            async with kept(heard.link):
                await reads(client)
                for turn in range(12):
                    for number in range(turn * 50, turn * 50 + 25):
                        add(client, number)
                        await asyncio.sleep(0)
                    if turn % 2:
                        proxy.set("deaf")  # what is told now never arrives
                        add(client, turn * 50 + 25)
                        await until(lambda: pending(client) > 0, "something is on its way")
                    for number in range(turn * 50 + 25 + turn % 2, turn * 50 + 50):
                        add(client, number)
                        await asyncio.sleep(0)
                    proxy.set("cut")
                    proxy.set("open")
                    await until(lambda made=turn + 2: heard.link.connections == made, "another connection")
                await until(lambda: len(heard.all) >= 600, "all entries", 20)
                await until(lambda: pending(client) == 0, "all acknowledgements")
            assert heard.numbers == {b"md.A": list(range(0, 600, 2)), b"md.B": list(range(1, 600, 2))}

    run_with(run())


@pytest.mark.full
def test_entries_that_were_trimmed_before_they_were_heard_are_counted(
    redis_url: str, client: redis.Redis
) -> None:
    async def run() -> None:
        async with redis_proxy(redis_url) as proxy:
            heard = Heard(proxy.url)
            async with kept(heard.link):
                await reads(client)
                proxy.set("deaf")
                add(client, 0)
                await until(lambda: pending(client) == 1, "it is on its way")
                client.xtrim("md.A", maxlen=0)
                proxy.set("cut")
                proxy.set("open")
                add(client, 2)
                await until(lambda: heard.all == [2], "the next one")
                await until(lambda: pending(client) == 0, "both are acknowledged")
        assert heard.reader.counted["trimmed"] == 1

    asyncio.run(run())


@pytest.mark.full
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_died_and_came_back_empty_is_read_from_its_first_entry(
    tmp_path: Path, ended_by: signal.Signals
) -> None:
    server = ValkeyProcess(tmp_path / "valkey")

    async def run() -> None:
        heard = Heard(server.nearest)
        async with kept(heard.link):
            with redis.Redis.from_url(server.url) as client:
                await reads(client)
                add(client, 0)
                await until(lambda: heard.all == [0], "the first entry")
            server.send(ended_by)
            server.wait()
            server.start()
            with redis.Redis.from_url(server.url) as client:
                add(client, 1)
                add(client, 2)
            await until(lambda: heard.all == [0, 1, 2], "what came after it")
            assert heard.reader.counted["emptied"] == 1

    try:
        asyncio.run(run())
    finally:
        server.kill()
