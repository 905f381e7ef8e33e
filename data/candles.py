"""Recent bars in Postgres, for charts: partitions by month, loaded with binary COPY, merged, and dropped when old.

One writer at a time: every writer first takes the same lock on the parent table, which no reader meets.  So any
order of upserts in any number of processes is free of deadlocks, two never make the same partition, and a month
that was seen to be empty stays empty until it is filled.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl
from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow, scalar_row
from psycopg.sql import SQL, Identifier, Literal

from data.bar import BAR_SCHEMA
from data.binary_copy import copy_in
from data.errors import Unavailable, UsageError

# A scalar subquery, not a join: the planner then knows the series as one constant and reads the primary key in its
# order, newest first, without sorting.
SERIES_ID: Final = "(select id from candle_series where source = %s and timeframe = %s and symbol = %s)"

FIRST_YEAR, LAST_YEAR = 1990, 2100  # outside of them a timestamp has the wrong unit, and makes odd partitions
DROP_PATIENCE: Final = "5s"  # while a drop waits for a reader, all new readers wait behind it

_VALUES: Final = ("open", "high", "low", "close", "volume")
_COLUMNS: Final = ("symbol", "ts_utc", *_VALUES)

# A corrected candle finds room in its own page.  The primary key then needs no new entry (Postgres calls it HOT),
# which makes rewriting a month two to three times faster, for twice the disk space of a small table.
_FILL_PERCENT: Final = 50


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of the bars of one upsert."""

    inserted: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Upserted") -> "Upserted":
        return Upserted(
            self.inserted + other.inserted, self.changed + other.changed, self.unchanged + other.unchanged
        )


def upsert(connection: Connection[DictRow], source: str, timeframe: str, bars: pl.DataFrame) -> Upserted:
    """Bring in bars of any symbols, in any order; a known bar takes the new values, an equal one is not touched.

    Of two bars with the same symbol and time the later row counts.  The caller commits.
    """
    rows = _in_order(bars)
    if rows.is_empty():
        return Upserted()
    done = Upserted()
    with _transaction(connection):
        _become_the_writer(connection)
        ids = _series(connection, source, timeframe, rows["symbol"].unique().sort().to_list())
        rows = rows.select(
            pl.col("ts_utc").dt.truncate("1mo").dt.date().alias("month"),
            pl.col("symbol").replace_strict(ids, return_dtype=pl.Int32).alias("series_id"),
            "ts_utc",
            *_VALUES,
        )
        there = _months(connection)
        for (month,), part in sorted(rows.partition_by("month", as_dict=True, include_key=False).items()):
            done += (_merge if month in there else _make)(connection, month, part)
    return done


def remove(
    connection: Connection[DictRow], source: str, timeframe: str, symbol: str, start: datetime, end: datetime
) -> None:
    """Take out the candles of one symbol that open in [start, end): a corrected session may have lost some."""
    with _transaction(connection):
        _become_the_writer(connection)
        connection.execute(
            f"delete from candles where series_id = {SERIES_ID} and ts_utc >= %s and ts_utc < %s",
            [source, timeframe, symbol, start, end],
        )


def query(
    connection: Connection[DictRow],
    source: str,
    timeframe: str,
    symbol: str,
    start: datetime,
    end: datetime,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The candles of one symbol that open in [start, end), oldest first; with a limit the newest so many."""
    return connection.execute(
        "select ts_utc, open, high, low, close, volume from candles "
        f"where series_id = {SERIES_ID} and ts_utc >= %s and ts_utc < %s order by ts_utc desc limit %s",
        [source, timeframe, symbol, start, end, limit],
        binary=True,
    ).fetchall()[::-1]


def oldest_kept(newest: date, keep_days: int) -> date:
    """Whole months before this day may go.

    Counted back from the newest candle and not from today, because replayed markets live in the past.
    """
    return newest - timedelta(days=keep_days)


def prune(connection: Connection[DictRow], keep_days: int) -> list[str]:
    """Drop the months all of whose candles are too old; returns the names of their partitions."""
    with _transaction(connection):
        _become_the_writer(connection)
        months = _months(connection)
        newest = _newest(connection, months)
        if newest is None:
            return []
        oldest = oldest_kept(newest, keep_days)
        gone = [_partition(month) for month in months if _following(month) <= oldest]
        if gone:
            connection.execute(f"set local lock_timeout = '{DROP_PATIENCE}'")
            try:
                connection.execute(SQL("drop table {}").format(SQL(", ").join(map(Identifier, gone))))
            except LockNotAvailable as error:
                raise Unavailable(
                    f"somebody has been reading candles for more than {DROP_PATIENCE}, no month was dropped",
                    "Try again when that query is over.",
                ) from error
    return gone


def _in_order(bars: pl.DataFrame) -> pl.DataFrame:
    """The columns that candles have, sorted by symbol and time, each pair of the two once."""
    rows = bars.select(pl.col(name).cast(BAR_SCHEMA[name]) for name in _COLUMNS)
    if rows.is_empty():
        return rows
    missing = {name: count for name, count in rows.null_count().row(0, named=True).items() if count}
    if missing:
        which = ", ".join(f"{count} × {name}" for name, count in missing.items())
        raise UsageError(f"bars for the candles lack values: {which}", "Check them first; see data.quality.")
    first, last = rows.select(
        pl.col("ts_utc").min().alias("first"), pl.col("ts_utc").max().alias("last")
    ).row(0)
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise UsageError(
            f"bars from {first} to {last} cannot be candles",
            f"Keep them between {FIRST_YEAR} and {LAST_YEAR}.",
        )
    symbol, at = pl.col("symbol"), pl.col("ts_utc")
    rises = (symbol > symbol.shift()) | ((symbol == symbol.shift()) & (at > at.shift()))
    if rows.select(rises.fill_null(True).all()).item():
        return rows
    return rows.unique(["symbol", "ts_utc"], keep="last", maintain_order=True).sort("symbol", "ts_utc")


def _transaction(connection: Connection[DictRow]) -> AbstractContextManager[object]:
    return connection.transaction() if connection.autocommit else nullcontext()


def _become_the_writer(connection: Connection[DictRow]) -> None:
    # The mode conflicts with itself and with changes of the table, not with anybody's select or insert.  Attaching
    # a partition needs it anyway, where `create table … partition of` would shut out all readers until the commit.
    connection.execute("lock table only candles in share update exclusive mode")


def _series(
    connection: Connection[DictRow], source: str, timeframe: str, symbols: list[str]
) -> dict[str, int]:
    """The number of each symbol; new symbols get one.  Numbers are never taken away again."""
    known = "select symbol, id from candle_series where source = %s and timeframe = %s and symbol = any(%s)"
    ids = {row["symbol"]: row["id"] for row in connection.execute(known, [source, timeframe, symbols])}
    if new := [symbol for symbol in symbols if symbol not in ids]:
        made = connection.execute(
            "insert into candle_series (source, timeframe, symbol) select %s, %s, unnest(%s::text[]) "
            "returning symbol, id",
            [source, timeframe, new],
        )
        ids |= {row["symbol"]: row["id"] for row in made}
    return ids


def _months(connection: Connection[DictRow]) -> list[date]:
    """The months that have a partition, oldest first."""
    names = connection.cursor(row_factory=scalar_row).execute(
        "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid "
        "where inhparent = 'candles'::regclass and relname ~ '^candles_[0-9]{4}_[0-9]{2}$'"
    )
    return sorted(datetime.strptime(name, "candles_%Y_%m").date() for name in names)


def _partition(month: date) -> str:
    return f"candles_{month:%Y_%m}"


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _make(connection: Connection[DictRow], month: date, rows: pl.DataFrame) -> Upserted:
    """A month that is not there yet: an index built over loaded rows costs a third of one that grows with them."""
    partition = Identifier(_partition(month))
    connection.execute(
        SQL("create table {} (like candles including all excluding indexes) with (fillfactor = {})").format(
            partition, Literal(_FILL_PERCENT)
        )
    )
    copy_in(connection, _partition(month), rows)
    connection.execute(SQL("alter table {} add primary key (series_id, ts_utc)").format(partition))
    connection.execute(
        SQL("alter table candles attach partition {} for values from ({}) to ({})").format(
            partition, Literal(f"{month} 00:00+00"), Literal(f"{_following(month)} 00:00+00")
        )
    )
    return Upserted(inserted=rows.height)


def _merge(connection: Connection[DictRow], month: date, rows: pl.DataFrame) -> Upserted:
    """A month that is there: straight in where it holds nothing of the range, else through a temporary table."""
    partition = Identifier(_partition(month))
    if not _holds_any(connection, partition, rows):
        copy_in(connection, _partition(month), rows)
        return Upserted(inserted=rows.height)
    connection.execute(
        "create temporary table if not exists incoming_candles (like candles) on commit drop; "
        "truncate incoming_candles",
        prepare=False,
    )
    copy_in(connection, "incoming_candles", rows)
    before = _inserted(connection, month)
    # Not `insert … on conflict`: that locks, and so rewrites, every row it finds, also those it leaves alone.
    written = connection.execute(
        SQL(
            """
            merge into {} as c using incoming_candles as i on c.series_id = i.series_id and c.ts_utc = i.ts_utc
            when matched and (c.open, c.high, c.low, c.close, c.volume)
                             is distinct from (i.open, i.high, i.low, i.close, i.volume)
                then update set open = i.open, high = i.high, low = i.low, close = i.close, volume = i.volume
            when not matched
                then insert values (i.series_id, i.ts_utc, i.open, i.high, i.low, i.close, i.volume)
            """
        ).format(partition),
        prepare=False,  # the temporary table is another one each time
    ).rowcount
    inserted = _inserted(connection, month) - before
    return Upserted(inserted, written - inserted, rows.height - written)


def _holds_any(connection: Connection[DictRow], partition: Identifier, rows: pl.DataFrame) -> bool:
    """Whether there are candles of these symbols in the span of these rows."""
    found = connection.cursor(row_factory=scalar_row).execute(
        SQL("select exists (select from {} where series_id = any(%s) and ts_utc between %s and %s)").format(
            partition
        ),
        [rows["series_id"].unique().to_list(), rows["ts_utc"].min(), rows["ts_utc"].max()],
    )
    return bool(found.fetchone())


def _inserted(connection: Connection[DictRow], month: date) -> int:
    """How many rows this transaction has put in so far: the server counts them anyway, asking the table takes longer.

    `merge` itself says only how many it wrote; its `returning merge_action()` is not there before PostgreSQL 17.
    """
    counted = connection.cursor(row_factory=scalar_row).execute(
        "select pg_stat_get_xact_tuples_inserted(%s::regclass)", [_partition(month)]
    )
    return int(counted.fetchone() or 0)


def _newest(connection: Connection[DictRow], months: list[date]) -> date | None:
    scalar = connection.cursor(row_factory=scalar_row)
    for month in reversed(months):
        newest: datetime | None = scalar.execute(
            SQL("select max(ts_utc) from {}").format(Identifier(_partition(month)))
        ).fetchone()
        if newest is not None:
            return newest.astimezone(UTC).date()
    return None
