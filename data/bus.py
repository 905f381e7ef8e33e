"""Redis, the wake-up and fan-out bus: its names, and connections that never repeat a write by themselves.

Losing everything in it costs milliseconds: whoever waits here also looks in Postgres.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import redis
import redis.asyncio
from redis.exceptions import RedisError

from data.settings import get_settings

AsyncRedis = redis.asyncio.Redis

MARKET_DATA_LENGTH: Final = 10_000  # entries kept per md.{symbol}; a session has 390
HINT_LENGTH: Final = 1_000
TIMEOUT_S: Final = 2.0


def md(symbol: str) -> str:
    return f"md.{symbol}"


def acks(feed: str) -> str:
    return f"md.acks.{feed}"


def feed(name: str) -> str:
    """How a live feed is doing; gone when the feed is."""
    return f"feed.{name}"


def told_bars(feed_name: str) -> str:
    """The newest bar that a live feed told of each symbol, so that its next start goes on from there."""
    return f"feed.{feed_name}.bars"


def ticker(symbol: str) -> str:
    return f"ticker.{symbol}"


def hints(account: str) -> str:
    return f"orders.{account}"


def events(account: str) -> str:
    return f"events.{account}"


def heartbeat(account: str) -> str:
    """What the account's engine last said of itself; gone when the engine is."""
    return f"engine.{account}"


def control(account: str) -> str:
    return f"control.{account}"


class Lost(Exception):
    """Redis did not do it, or nobody knows whether it did.  Whoever sends here can live with that."""


@asynccontextmanager
async def within(seconds: float = TIMEOUT_S) -> AsyncIterator[None]:
    """Bound an exchange with Redis; every way in which it can fail is Lost."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (RedisError, TimeoutError, OSError) as error:
        raise Lost(str(error) or type(error).__name__) from error


def connect(url: str | None = None) -> redis.Redis:
    return redis.Redis.from_url(
        url or get_settings().redis(), retry=None, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )


def connect_async(url: str | None = None) -> AsyncRedis:
    """For event loops.  Bound what you ask of it with `within`.

    redis-py 8 repeats writes by itself unless told not to (one xadd whose reply was lost left two entries).
    With a socket timeout it sends through asyncio.wait_for, which on Python 3.11 can swallow a cancellation.
    """
    return AsyncRedis.from_url(
        url or get_settings().redis(), retry=None, socket_timeout=None, socket_connect_timeout=TIMEOUT_S
    )


def nearest(url: str | None = None) -> str:
    """The same Redis through its unix socket, where it runs on this machine and has one: half of TCP's time."""
    url = url or get_settings().redis()
    try:
        with connect(url) as over_tcp:
            path = over_tcp.config_get("unixsocket").get("unixsocket", "")
            if not path or not Path(path).is_socket():
                return url
            here = over_tcp.get_connection_kwargs()
            login = (
                quote(here.get("username") or "", safe="") + ":" + quote(here.get("password") or "", safe="")
            )
            through_socket = f"unix://{login}@{quote(path)}?db={here.get('db') or 0}"
            with connect(through_socket) as same:
                # Another server may have a socket at the path that the distant one tells.
                own = same.info("server")["run_id"] == over_tcp.info("server")["run_id"]
            return through_socket if own else url
    except (RedisError, OSError):
        return url  # it is away, or does not tell: then the way that was asked for


async def read_streams(
    connection: AsyncRedis, after: Mapping[str, str], block_ms: int
) -> list[tuple[str, str, dict[str, bytes]]]:
    """The entries behind these ids as (stream, id, fields), waiting up to `block_ms` for the first."""
    wanted: dict[Any, Any] = dict(after)
    async with within(block_ms / 1000 + TIMEOUT_S):
        answer: Any = await connection.xread(wanted, block=block_ms)
    return [
        (stream.decode(), entry_id.decode(), {name.decode(): value for name, value in fields.items()})
        for stream, entries in pairs(answer)
        for entry_id, fields in entries
    ]


def pairs(answer: Any) -> Any:
    """Streams come as pairs in RESP2 and as a mapping of batches in RESP3."""
    if not isinstance(answer, dict):
        return answer or []
    return [(stream, entries) for stream, batches in answer.items() for entries in batches]
