"""Candles for charts, and the symbols there are any of."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from api.deps import House, Ledger
from api.errors import responses
from api.ledger import rows
from api.messages import Candles, Symbol
from api.routing import authorised
from api.security import Role
from data.bar import step
from data.candles import SERIES_ID
from data.errors import UsageError

router = authorised(Role.viewer, "candles")

_CANDLES = f"""
    select extract(epoch from ts_utc)::bigint as at, open, high, low, close, volume from candles
    where series_id = {SERIES_ID}
      and ts_utc >= coalesce(%s::timestamptz, '-infinity') and ts_utc < coalesce(%s::timestamptz, 'infinity')
    order by ts_utc desc limit %s
"""
_SYMBOLS = """
    select symbol, split_part(dataset, '/', 2) as source, split_part(dataset, '/', 3) as timeframe,
           min(session) as first_session, max(session) as last_session, max(max_ts_utc) as last_ts_utc
    from catalog where until is null and dataset like 'bars/%' group by symbol, dataset order by symbol, dataset
"""


@router.get("/candles", summary="Candles of a symbol", responses=responses(400))
async def candles(
    ledger: Ledger,
    house: House,
    symbol: Annotated[str, Query(min_length=1, max_length=32)],
    timeframe: str = "1m",
    start: Annotated[datetime | None, Query(description="the first to open at or after; with a zone")] = None,
    end: Annotated[datetime | None, Query(description="all open before this; with a zone")] = None,
    source: Annotated[
        str | None, Query(max_length=32, description="whose; the configured one when left out")
    ] = None,
    limit: Annotated[
        int, Query(ge=1, description="the newest so many; never more than the server allows")
    ] = 1_000,
) -> Candles:
    """Oldest first.  A range with more than `limit` gives its newest and says `truncated`."""
    step(timeframe)
    for moment in (start, end):
        if moment is not None and moment.tzinfo is None:
            raise UsageError(f"{moment} has no time zone", f"Say which, for example {moment.isoformat()}Z.")
    source = source or house.settings.candle_source
    limit = min(limit, house.settings.rows_max)
    cursor = await ledger.execute(_CANDLES, [source, timeframe, symbol, start, end, limit + 1], binary=True)
    found = [tuple(row.values()) for row in await cursor.fetchall()]
    return Candles(
        source=source,
        symbol=symbol,
        timeframe=timeframe,
        truncated=len(found) > limit,
        candles=found[:limit][::-1],
    )


@router.get("/symbols", summary="Symbols with data")
async def symbols(ledger: Ledger) -> list[Symbol]:
    """What the catalog holds now."""
    return await rows(ledger, Symbol, _SYMBOLS)
