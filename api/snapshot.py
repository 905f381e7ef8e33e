"""What a screen is shown first: all of an account as one transaction saw it, and the newest prices known."""

from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api import ledger as read
from api.deps import Services
from api.messages import Price, Snapshot
from data import bus
from data.market_data import price_in
from data.orders import OPEN, TERMINAL

OPEN_ORDERS_MAX: Final = 500
RECENT_MAX: Final = 200
LOOKED_AT_MAX: Final = 50  # entries of a stream, in which a live feed tells more quotes than trades

_log = structlog.get_logger()


async def take(house: Services, account: str) -> Snapshot:
    """Repeatable read: rows and `seq` fit each other, so the changes after `seq` are exactly what is missing."""
    async with house.pool.connection() as lent, lent.transaction():
        await lent.execute("set transaction isolation level repeatable read, read only")
        known = await read.account(lent, account)
        now, seq = await read.now_and_seq(lent, account)
        control = await read.control(lent, account)
        engine = await read.engine(lent, account)
        runs = await read.runs(lent, account, 1)
        positions = await read.positions(lent, account)
        orders = await read.orders(lent, account, sorted(OPEN), OPEN_ORDERS_MAX)
        orders += await read.orders(lent, account, sorted(TERMINAL), RECENT_MAX)
        fills = await read.fills(lent, account, RECENT_MAX)
    symbols = sorted({position.symbol for position in positions} | {order.symbol for order in orders})
    return Snapshot(
        now=now,
        seq=seq,
        account=known,
        control=control,
        engine=engine,
        run=runs[0] if runs else None,
        positions=positions,
        orders=orders,
        fills=fills,
        prices=await newest_prices(house.redis, symbols),
    )


async def newest_prices(redis: Redis, symbols: list[str]) -> list[Price]:
    """The last price that each symbol's stream holds; without Redis none, and the screen says so."""
    try:
        newest = redis.pipeline(transaction=False)
        for symbol in symbols:
            newest.xrevrange(bus.md(symbol), count=LOOKED_AT_MAX)
        found = await newest.execute() if symbols else []
        priced = [(symbol, _newest(entries)) for symbol, entries in zip(symbols, found, strict=True)]
    except (RedisError, OSError, msgspec.DecodeError) as error:
        _log.warning("no newest prices", error=str(error))
        return []
    return [
        Price(symbol=symbol, ts_utc=datetime.fromtimestamp(told[0] / 1e6, UTC), last=told[1])
        for symbol, told in priced
        if told is not None
    ]


def _newest(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> tuple[int, float] | None:
    """The first that tells a price: quotes and corrections stand between."""
    return next((price for _, fields in entries if (price := price_in(fields)) is not None), None)
