"""Redis, the wake-up and fan-out bus: its names, and connections that never repeat a write by themselves.

Losing everything in it costs milliseconds: whoever waits here also looks in Postgres.
"""

from typing import Any, Final

import redis
import redis.asyncio

from data.settings import get_settings

MARKET_DATA_LENGTH: Final = 10_000  # entries kept per md.{symbol}; a session has 390
HINT_LENGTH: Final = 1_000
TIMEOUT_S: Final = 2.0


def md(symbol: str) -> str:
    return f"md.{symbol}"


def acks(feed: str) -> str:
    return f"md.acks.{feed}"


def ticker(symbol: str) -> str:
    return f"ticker.{symbol}"


def hints(account: str) -> str:
    return f"orders.{account}"


def events(account: str) -> str:
    return f"events.{account}"


def control(account: str) -> str:
    return f"control.{account}"


def connect(url: str | None = None) -> redis.Redis:
    return redis.Redis.from_url(url or get_settings().redis(), **_options())


def connect_async(url: str | None = None) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(url or get_settings().redis(), **_options())


def _options() -> dict[str, Any]:
    # redis-py 8 repeats writes by default: one xadd whose reply was lost left two entries.
    return {"retry": None, "socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
