"""Bars for people and programs: what the catalog shows, read from the lake, checked on the way."""

from datetime import UTC, date, datetime

import polars as pl

from data import catalog, lake
from data.bar import BAR_SCHEMA, step
from data.catalog import Partition
from data.errors import UsageError
from data.ingest import dataset_of
from data.postgres import connect
from data.storage import Storage, lake_storage


def bars(
    symbols: str | list[str],
    timeframe: str = "1m",
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    database_url: str | None = None,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """The bars of one or several symbols, sorted by symbol and time.

    A date means the whole session, at either end; an instant must carry its zone, and the end instant
    is not included.  `as_of` reads the catalog as it was in that snapshot.
    """
    wanted = [symbols] if isinstance(symbols, str) else list(symbols)
    step(timeframe)
    found = find(
        wanted, timeframe, _day(start), _day(end), source=source, as_of=as_of, database_url=database_url
    )
    return read(found, start, end, storage=storage)


def find(
    symbols: list[str],
    timeframe: str = "1m",
    first: date | None = None,
    last: date | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    database_url: str | None = None,
) -> list[Partition]:
    """The healthy partitions that hold these bars; an error names what is not there."""
    if first and last and last < first:
        raise UsageError(f"the range ends ({last}) before it starts ({first})", "Swap the two.")
    dataset = dataset_of(source, timeframe)
    with connect(database_url) as connection:
        found = catalog.partitions(connection, dataset, symbols, first, last, as_of)
        newest = catalog.newest_snapshot(connection)
        known = {row["symbol"] for row in catalog.summary(connection) if row["dataset"] == dataset}
    for symbol in symbols:
        if symbol not in known:
            there = ", ".join(sorted(known)) or "none yet"
            raise UsageError(
                f"no bars of {symbol!r} are in {dataset}",
                f"Ingest them with `./slipway data ingest {symbol}`; there are: {there}.",
            )
    if as_of is not None and not 1 <= as_of <= newest:
        raise UsageError(
            f"there is no snapshot {as_of}",
            f"Use one from 1 to {newest}." if newest else "Ingest bars first: `./slipway data ingest`.",
        )
    healthy = [partition for partition in found if partition.quality != "failed"]
    if not healthy:
        raise UsageError(
            f"{dataset} holds nothing of {', '.join(symbols)} from {first or 'its start'} to {last or 'now'}",
            "See what there is with `./slipway data list`.",
        )
    return healthy


def read(
    partitions: list[Partition],
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    *,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """The rows of these partitions, every byte checked against the catalog."""
    storage = storage or lake_storage()
    frame = pl.concat([lake.read(storage, p.path, p.sha256, BAR_SCHEMA) for p in partitions])
    if isinstance(start, datetime):
        frame = frame.filter(pl.col("ts_utc") >= _instant(start))
    if isinstance(end, datetime):
        frame = frame.filter(pl.col("ts_utc") < _instant(end))
    return frame.sort("symbol", "ts_utc")


def _day(moment: date | datetime | None) -> date | None:
    return _instant(moment).date() if isinstance(moment, datetime) else moment


def _instant(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise UsageError(f"{moment} has no time zone", f"Say which, for example {moment.isoformat()}+00:00.")
    return moment.astimezone(UTC)
