"""Write → audit → publish: how bars get from a source into the lake, the catalog and the candles."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from data import candles, catalog, lake, quality
from data.bar import step
from data.calendars import Session, sessions
from data.catalog import Partition
from data.errors import UsageError
from data.postgres import connect
from data.sources import Source, known_symbols
from data.storage import Storage, lake_storage

Progress = Callable[[int, int, str], None]  # done, total, what


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one ingest did.  `unchanged` partitions were there already, byte for byte."""

    dataset: str
    published: int
    unchanged: int
    rows: int
    failed: tuple[str, ...]
    snapshot: int


def dataset_of(source: str, timeframe: str) -> str:
    return f"bars/{source}/{timeframe}"


def ingest(
    source: Source,
    symbols: list[str],
    first: date,
    last: date,
    timeframe: str = "1m",
    *,
    storage: Storage | None = None,
    database_url: str | None = None,
    progress: Progress = lambda done, total, what: None,
    now: datetime | None = None,
) -> Ingested:
    """Bring `symbols` up to date from `first` to `last`.  Running it again changes nothing.

    Each session is one transaction over all symbols, so a crash leaves whole sessions, and the next
    run continues behind them.
    """
    step(timeframe)
    symbols = known_symbols(source, symbols)
    for symbol in symbols:
        if first < source.listed_since(symbol):
            raise UsageError(
                f"{symbol} has no bars before {source.listed_since(symbol)}", "Start on that day or later."
            )
    days = sessions(first, last, source.calendar)
    if not days:
        raise UsageError(
            f"there is no trading session from {first} to {last}", "Pick a range with a weekday in it."
        )
    _must_be_over(days[-1], now or datetime.now(UTC))
    storage = storage or lake_storage()
    dataset = dataset_of(source.name, timeframe)
    published = unchanged = rows = 0
    failed: list[str] = []
    with connect(database_url) as connection:
        for place, session in enumerate(days):
            progress(place, len(days), str(session.day))
            told = source.history(symbols, session, timeframe)
            fresh: list[Partition] = []
            changed: list[pl.DataFrame] = []
            for symbol in symbols:
                checked = quality.check(told.filter(pl.col("symbol") == symbol), session, timeframe)
                known = catalog.newest_revision(connection, dataset, symbol, session.day)
                partition = _write(storage, dataset, symbol, session, checked, source.name, known)
                if partition is None:
                    unchanged += 1
                    continue
                fresh.append(partition)
                if checked.verdict == "failed":
                    failed.append(f"{symbol} {session.day}: {'; '.join(checked.findings)}")
                else:
                    changed.append(checked.good)
                    rows += checked.good.height
            if fresh:
                catalog.publish(connection, fresh, note=f"ingest {dataset} {session.day}")
                if changed:
                    candles.upsert(connection, source.name, timeframe, pl.concat(changed))
                connection.commit()
                published += len(fresh)
        progress(len(days), len(days), "done")
        snapshot = catalog.newest_snapshot(connection)
    return Ingested(dataset, published, unchanged, rows, tuple(failed), snapshot)


def _must_be_over(session: Session, now: datetime) -> None:
    """A session that still trades would enter the catalog as if it were complete."""
    if session.close_utc > now:
        raise UsageError(
            f"the session {session.day} is not over, it closes at {session.close_utc:%Y-%m-%d %H:%M} UTC",
            "End on an earlier day, or come back after the close.",
        )


def _write(
    storage: Storage,
    dataset: str,
    symbol: str,
    session: Session,
    checked: quality.Checked,
    source: str,
    known: Partition | None,
) -> Partition | None:
    """Write one partition aside; None when the visible revision already holds these very bytes."""
    content_hash = lake.sha256(lake.encode(checked.good))
    if known is not None and known.sha256 == content_hash:
        return None
    first = known.revision + 1 if known else 1
    revision, stored = lake.write(storage, dataset, symbol, session.day, first, checked.good)
    if not checked.quarantined.is_empty():
        lake.write(storage, f"quarantine/{dataset}", symbol, session.day, revision, checked.quarantined)
    times = checked.good["ts_utc"].to_list()
    return Partition(
        dataset=dataset,
        symbol=symbol,
        session=session.day,
        revision=revision,
        path=stored.path,
        rows=stored.rows,
        min_ts_utc=times[0] if times else None,
        max_ts_utc=times[-1] if times else None,
        sha256=stored.sha256,
        quality=checked.verdict,
        findings=checked.findings,
        quarantined=checked.quarantined.height,
        source=source,
    )
