"""What the tests of feeds share: a feed on a real Redis, and what it published."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl
import redis

from data import bus
from data.bar import Bar, Tick, decode_bar, decode_tick
from data.instruments import usual_calendar
from execution.feeds.backfill import History
from execution.feeds.contract import Stream
from execution.feeds.grid import Grid, moment
from execution.feeds.live import LiveFeed, Surroundings
from execution.feeds.publisher import Publisher
from execution.feeds.settings import FeedSettings
from execution.feeds.status import FeedStatus, decode_status

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
OPEN = datetime(2026, 9, 29, 13, 30, tzinfo=UTC)  # a Tuesday in New York
OPEN_US = int(OPEN.timestamp()) * SECOND_US
# The day after Thanksgiving: New York closes at 13:00.
HALF_DAY = (
    int(datetime(2026, 11, 27, 14, 30, tzinfo=UTC).timestamp()) * SECOND_US,
    int(datetime(2026, 11, 27, 18, 0, tzinfo=UTC).timestamp()) * SECOND_US,
)

Entries = list[tuple[bytes, dict[bytes, bytes]]]


def grids_of(symbols: Sequence[str], timeframe: str = "1m") -> dict[str, Grid]:
    return {symbol: Grid(usual_calendar(symbol), timeframe) for symbol in symbols}


@asynccontextmanager
async def live_feed(
    stream: Stream,
    grids: Mapping[str, Grid],
    history: Any,
    around: Surroundings | None = None,
    **settings: Any,
) -> AsyncIterator[LiveFeed]:
    publisher = Publisher(stream.name)
    yield LiveFeed(stream, grids, asked_of(history), publisher, FeedSettings(**settings), around)


def asked_of(history: Any) -> History:
    return lambda gap: history(gap.symbols, moment(gap.start_us), moment(gap.end_us), "1m")


def entries_in(client: redis.Redis, symbol: str) -> Entries:
    found: Any = client.xrange(bus.md(symbol))
    return list(found)


def bars_in(client: redis.Redis, symbol: str, field: bytes = b"b") -> list[Bar]:
    return [decode_bar(fields[field]) for _, fields in entries_in(client, symbol) if field in fields]


def ticks_in(client: redis.Redis, symbol: str) -> list[Tick]:
    return [decode_tick(fields[b"t"]) for _, fields in entries_in(client, symbol) if b"t" in fields]


def no_history(symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
    from data.sources.asking import no_bars

    return no_bars()


def status_in(client: redis.Redis, feed: str) -> FeedStatus | None:
    found: Any = client.get(bus.feed(feed))
    return decode_status(found) if found else None


def trade(ts_us: int, price: float, size: float = 1.0, symbol: str = "AAA", trade_id: str = "") -> Tick:
    return Tick(symbol, ts_us, last=price, last_size=size, trade_id=trade_id)


def us(instant: datetime) -> int:
    return int(instant.timestamp()) * SECOND_US
