"""Recent bars in Postgres, for charts: monthly partitions, loaded with binary COPY, upserted."""

from datetime import date, datetime
from typing import Any

import polars as pl
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

_COLUMNS = ("source", "timeframe", "symbol", "ts_utc", "open", "high", "low", "close", "volume")
_TYPES = ("text", "text", "text", "timestamptz", "float8", "float8", "float8", "float8", "float8")


def upsert(connection: Connection[DictRow], source: str, timeframe: str, bars: pl.DataFrame) -> None:
    """Load bars; a bar that is already there takes the new values, an equal one is not touched."""
    if bars.is_empty():
        return
    for month in bars["ts_utc"].dt.truncate("1mo").dt.date().unique().sort():
        _make_partition(connection, month)
    connection.execute("create temporary table if not exists incoming (like candles) on commit drop")
    connection.execute("truncate incoming")
    rows = bars.select(
        pl.lit(source).alias("source"), pl.lit(timeframe).alias("timeframe"), *_COLUMNS[2:]
    ).iter_rows()
    with connection.cursor().copy("copy incoming from stdin (format binary)") as copy:
        copy.set_types(_TYPES)
        for row in rows:
            copy.write_row(row)
    connection.execute(
        """
        insert into candles select * from incoming
        on conflict (source, timeframe, symbol, ts_utc) do update
           set open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
               volume = excluded.volume
         where (candles.open, candles.high, candles.low, candles.close, candles.volume)
               is distinct from (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
        """
    )


def query(
    connection: Connection[DictRow], source: str, timeframe: str, symbol: str, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The candles of one symbol that open in [start, end)."""
    return connection.execute(
        "select ts_utc, open, high, low, close, volume from candles "
        "where source = %s and timeframe = %s and symbol = %s and ts_utc >= %s and ts_utc < %s order by ts_utc",
        [source, timeframe, symbol, start, end],
    ).fetchall()


def _make_partition(connection: Connection[DictRow], month: date) -> None:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    connection.execute(
        SQL("create table if not exists {} partition of candles for values from ({}) to ({})").format(
            Identifier(f"candles_{month:%Y_%m}"),
            Literal(f"{month} 00:00+00"),
            Literal(f"{following} 00:00+00"),
        )
    )
