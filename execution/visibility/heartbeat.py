"""What the engine says of itself each second: in Postgres with its lease, in Redis under a key that dies with it."""

import json
import time
from typing import Any, Final

import structlog

from data import bus
from execution import lease
from execution.visibility.census import Census

KEPT_MS: Final = int(lease.DEAD_AFTER_S * 1000)

_log = structlog.get_logger()


def told_of(census: Census, feed_state: str, epoch: int) -> dict[str, Any]:
    """What is added to the engine's own status."""
    return {
        "epoch": epoch,
        "open_orders": census.open,
        "unknown_orders": census.unknown,
        "oldest_unknown_s": round(census.oldest_unknown_s, 1),
        "halted_symbols": census.halted,
        "risk_use": {limit: round(share, 4) for limit, share in census.use.items()},
        "feed_state": feed_state,
    }


async def tell_redis(redis: bus.AsyncRedis, account: str, status: dict[str, Any]) -> None:
    """Whoever finds no such key has an engine that is gone, or no Redis."""
    told = {"at_us": time.time_ns() // 1000, "holder": lease.holder_name(), **status}
    try:
        async with bus.within():
            await redis.set(bus.heartbeat(account), json.dumps(told), px=KEPT_MS)
    except bus.Lost as error:
        _log.debug("the heartbeat did not reach redis; the one in postgres stands", error=str(error))
