"""What Redis carries for order flow: hints about intents, and wake-ups about the control row."""

from typing import Final

from data import bus

HEARD_MS: Final = 1_000
LISTEN_S: Final = 10.0


class RedisHints:
    """Hints on the account's stream."""

    def __init__(self, redis: bus.AsyncRedis, account: str) -> None:
        self._redis = redis
        self._stream = bus.hints(account)
        self._last = ""

    async def send(self, coid: str) -> None:
        async with bus.within():
            await self._redis.xadd(self._stream, {"coid": coid}, maxlen=bus.HINT_LENGTH)

    async def heard(self) -> list[str]:
        self._last = self._last or await bus.newest_id(self._redis, self._stream)
        entries = await bus.read_streams(self._redis, {self._stream: self._last}, HEARD_MS)
        if entries:
            self._last = entries[-1][1]
        return [fields["coid"].decode() for _, _, fields in entries]


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
