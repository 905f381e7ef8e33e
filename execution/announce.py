"""Tell screens that the outbox has something new.  They read it from Postgres; this only saves them the wait."""

import asyncio

import structlog

from data import bus
from execution.store import Store

AT_MOST_EVERY_S = 0.02  # no eye sees more than fifty changes a second

_log = structlog.get_logger()


async def announce(store: Store, redis: bus.AsyncRedis) -> None:
    """Publish a wake-up after every commit, several at once where they come quickly, until cancelled."""
    while True:
        await store.written.wait()
        store.written.clear()
        try:
            async with bus.within():
                await redis.publish(bus.events(store.account), '{"kind":"outbox"}')
        except bus.Lost as error:
            _log.debug("screens were not woken; they poll", error=str(error))
        await asyncio.sleep(AT_MOST_EVERY_S)
