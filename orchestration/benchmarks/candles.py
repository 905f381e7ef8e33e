"""Candles against what else one would do: loading, correcting and repeating a million of them.

All contestants fill the same table with the same partitions and the same primary key, on the same durable server,
one after the other in each round.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

from data import candles
from data.binary_copy import copy_in, encoded
from data.migrations import upgrade
from data.postgres import connect
from infra.local.embedded import embedded_postgres
from orchestration.benchmarks.contest import Contestant, Timed, alternate

SYMBOLS: Final = 10
BARS_PER_SESSION: Final = 390
PEER_PAGE_ROWS: Final = 1_000  # the fastest for execute_values here, of 100, 1,000 and 10,000
PEER_SHARE: Final = 10  # execute_values gets every tenth of the rows, its time is scaled up
_SERIES: Final = ("bench", "1m")

_UPDATE: Final = """
    on conflict (series_id, ts_utc) do update
       set open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
           volume = excluded.volume
"""

Connection = psycopg.Connection[DictRow]
Work = Callable[[], object]


def compare_candles(
    rows: int = 1_000_000, rounds: int = 3, database_url: str | None = None
) -> Iterator[Timed]:
    """Time each contestant; in each contest the first is ours.  Without a URL on a server of its own.

    A database that is given loses its candles; its server must run on this machine, and let us read files.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        url = database_url or stack.enter_context(embedded_postgres(folder / "postgres", durable=True)).url()
        upgrade(url)
        bars = random_bars(rows)
        file = _shared_file(folder)
        with connect(url) as connection:
            yield from alternate(list(_contestants(connection, bars, file, url)), rounds)
            _empty(connection)


def random_bars(rows: int) -> pl.DataFrame:
    """Random walks of ten symbols, in sessions on weekdays."""
    each = max(1, rows // SYMBOLS)
    days = np.busday_offset("2024-01-01", np.arange(-(-each // BARS_PER_SESSION)), roll="forward")
    opens = days.astype("datetime64[us]") + np.timedelta64(14 * 60 + 30, "m")
    minutes = np.arange(BARS_PER_SESSION) * np.timedelta64(1, "m")
    ts_utc = pl.Series("ts_utc", (opens[:, None] + minutes).ravel()[:each]).dt.replace_time_zone("UTC")
    chance = np.random.default_rng(7)
    walks = []
    for number in range(SYMBOLS):
        close = np.round(100 * np.exp(np.cumsum(chance.normal(0, 4e-4, each))), 2)
        walk = pl.DataFrame({"ts_utc": ts_utc, "open": np.roll(close, 1), "close": close}).select(
            pl.lit(f"S{number}").alias("symbol"),
            "ts_utc",
            "open",
            pl.max_horizontal("open", "close").alias("high"),
            pl.min_horizontal("open", "close").alias("low"),
            "close",
            pl.Series("volume", chance.integers(100, 9_999, each)).cast(pl.Float64),
        )
        walks.append(walk)
    return pl.concat(walks)


def _contestants(connection: Connection, bars: pl.DataFrame, file: Path, url: str) -> Iterator[Contestant]:
    candles.upsert(connection, *_SERIES, bars.unique("symbol"))  # which numbers the symbols
    ids = {
        row["symbol"]: row["id"]
        for row in connection.execute("select symbol, id from candle_series").fetchall()
    }
    connection.commit()
    corrected = bars.with_columns(pl.col("close") + 0.01)
    part = corrected.group_by("symbol", maintain_order=True).head(
        max(1, bars.height // SYMBOLS // PEER_SHARE)
    )
    numbered = _numbered(bars, ids)
    with file.open("wb") as output:
        output.writelines(encoded(numbered))

    def who(contest: str, name: str, prepare: Work, run: Work, given: pl.DataFrame = bars) -> Contestant:
        def prepared() -> None:
            _empty(connection)
            prepare()
            connection.commit()

        def committed() -> None:
            run()
            connection.commit()

        return Contestant(contest, name, committed, given.height, prepared, given.height / bars.height)

    def ours(given: pl.DataFrame) -> Work:
        return lambda: candles.upsert(connection, *_SERIES, given)

    def months() -> None:
        _make_months(connection, bars)

    def server_copy() -> None:
        connection.execute(SQL("copy candles from {} (format binary)").format(Literal(str(file))))

    load, corrections, again = "first load", "corrections", "the same again"
    yield who(load, "slipway", lambda: None, ours(bars))
    yield who(load, "slipway, into months that exist", months, ours(bars))
    yield who(load, "COPY by the server from a file", months, server_copy)
    yield who(corrections, "slipway", ours(bars), ours(corrected))
    yield who(
        corrections,
        "psycopg2 execute_values, on conflict",
        ours(bars),
        lambda: _execute_values(url, _numbered(part, ids)),
        part,
    )
    yield who(again, "slipway", ours(bars), ours(bars))
    yield who(again, "temporary table, update all", ours(bars), lambda: _update_all(connection, numbered))


def _numbered(bars: pl.DataFrame, ids: dict[str, int]) -> pl.DataFrame:
    number = pl.col("symbol").replace_strict(ids, return_dtype=pl.Int32).alias("series_id")
    return bars.select(number, pl.exclude("symbol"))


def _empty(connection: Connection) -> None:
    """No partition, and no dirty page that the next contestant would have to write."""
    names = connection.execute(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'candles'::regclass"
    )
    for row in names.fetchall():
        connection.execute(SQL("drop table {}").format(Identifier(row["name"])))
    connection.commit()
    connection.autocommit = True
    connection.execute("checkpoint")
    connection.autocommit = False


def _make_months(connection: Connection, bars: pl.DataFrame) -> None:
    """Empty partitions, as candles.upsert makes them."""
    months: list[date] = bars["ts_utc"].dt.truncate("1mo").dt.date().unique().sort().to_list()
    for month in months:
        following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        connection.execute(
            SQL(
                "create table {} partition of candles for values from ({}) to ({}) with (fillfactor = 50)"
            ).format(Identifier(f"candles_{month:%Y_%m}"), Literal(f"{month}Z"), Literal(f"{following}Z"))
        )


def _shared_file(folder: Path) -> Path:
    """A file that the server may read, also where it runs as nobody."""
    folder.chmod(0o711)
    file = folder / "rows.bin"
    file.touch(0o644)
    file.chmod(0o644)
    return file


def _execute_values(url: str, rows: pl.DataFrame) -> None:
    import psycopg2  # type: ignore[import-untyped]
    from psycopg2.extras import execute_values  # type: ignore[import-untyped]

    with psycopg2.connect(url) as peer, peer.cursor() as cursor:
        execute_values(
            cursor,
            f"insert into candles (series_id, ts_utc, open, high, low, close, volume) values %s {_UPDATE}",
            rows.iter_rows(),
            page_size=PEER_PAGE_ROWS,
        )
    peer.close()


def _update_all(connection: Connection, rows: pl.DataFrame) -> None:
    connection.execute("create temporary table all_of_them (like candles) on commit drop")
    copy_in(connection, "all_of_them", rows)
    connection.execute(f"insert into candles select * from all_of_them {_UPDATE}", prepare=False)
