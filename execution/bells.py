"""What Redis carries for order flow: hints about intents, and wake-ups about the control row."""

import asyncio
import contextlib
from typing import Final

from data import bus
from data.swift import GroupReader, Link
from data.swift.resp import command

HEARD_S: Final = 1.0
LISTEN_S: Final = 10.0


class RedisHints:
    """Hints on the account's stream, which the group `gateway.{account}.{epoch}` hears."""

    def __init__(self, account: str, epoch: int, hearing: Link, telling: Link) -> None:
        """`hearing` waits for hints and does nothing else."""
        self._stream = bus.hints(account)
        self._telling = telling
        self._coids: list[str] = []
        self._news = asyncio.Event()
        GroupReader(hearing, [self._stream], f"gateway.{account}", str(epoch), self._hear)

    def _hear(self, _stream: bytes, _id: bytes, fields: list[bytes]) -> None:
        self._coids.append(fields[1].decode())
        self._news.set()

    async def send(self, coid: str) -> None:
        """Returns before Redis has it: what Redis answers is read later, and a lost hint is found by the sweep."""
        hint = command("XADD", self._stream, "MAXLEN", "~", bus.HINT_LENGTH, "*", "coid", coid)
        self._telling.send(hint, [self._telling.note])

    async def heard(self) -> list[str]:
        with contextlib.suppress(TimeoutError):  # none for a while
            async with asyncio.timeout(HEARD_S):
                await self._news.wait()
        self._news.clear()
        heard, self._coids = self._coids, []
        return heard


class RedisWakes:
    """Wake-ups on the account's channel."""

    def __init__(self, redis: bus.AsyncRedis, account: str) -> None:
        self._redis = redis
        self._channel = bus.control(account)

    async def woken(self) -> None:
        async with self._redis.pubsub() as channel:
            async with bus.within():
                await channel.subscribe(self._channel)
            heard = None
            while heard is None:
                async with bus.within(2 * LISTEN_S):
                    heard = await channel.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
