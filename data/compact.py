"""Many small files into one: the sessions of a symbol and year move together, and no answer changes.

What was visible before a compaction stays readable under its snapshot, from the files that held it then.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from data import catalog, lake
from data.catalog import ENTRY_SCHEMA, Overtaken, Partition
from data.errors import Unavailable
from data.pieces import read_pieces
from data.postgres import connect
from data.progress import Progress, silent
from data.storage import Storage, lake_storage

ATTEMPTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one symbol and year came to."""

    dataset: str
    symbol: str
    year: int
    sessions: int
    files_before: int
    path: str


def compact(
    dataset: str,
    symbols: Sequence[str] | None = None,
    year: int | None = None,
    *,
    storage: Storage | None = None,
    database_url: str | None = None,
    progress: Progress = silent,
) -> list[Compacted]:
    """Fold the healthy sessions of each symbol and year that are spread over files into one file."""
    storage = storage or lake_storage()
    scattered = _scattered(dataset, symbols, year, database_url)
    done = []
    for place, (symbol, of_year) in enumerate(scattered):
        progress(place, len(scattered), f"{symbol} {of_year}")
        if folded := _fold(storage, dataset, symbol, of_year, database_url):
            done.append(folded)
    progress(len(scattered), len(scattered), "done")
    return done


def _scattered(
    dataset: str, symbols: Sequence[str] | None, year: int | None, database_url: str | None
) -> list[tuple[str, int]]:
    with connect(database_url) as connection:
        shown = _healthy(catalog.partitions(connection, dataset, symbols))
    files = Counter(
        (symbol, of_year) for symbol, of_year, _ in {(p.symbol, p.session.year, p.path) for p in shown}
    )
    return sorted(key for key, count in files.items() if count > 1 and year in (None, key[1]))


def _healthy(partitions: Sequence[Partition]) -> list[Partition]:
    return [partition for partition in partitions if partition.quality != "failed"]


def _fold(
    storage: Storage, dataset: str, symbol: str, year: int, database_url: str | None
) -> Compacted | None:
    first, last = date(year, 1, 1), date(year, 12, 31)
    for _ in range(ATTEMPTS_MAX):
        with connect(database_url) as connection:
            shown = _healthy(catalog.partitions(connection, dataset, [symbol], first, last))
            pieces = catalog.pieces(connection, dataset, [symbol], first, last)
            files = catalog.files_by_period(connection, dataset, [symbol])
        if len(pieces) < 2:
            return None  # somebody else folded them
        bars = read_pieces(storage, pieces).sort("ts_utc")
        stored = lake.write(
            storage, dataset, symbol, str(year), bars,
            sessions=len(shown), first=files.get((symbol, str(year)), 0) + 1,
        )  # fmt: skip
        try:
            with connect(database_url) as connection:
                catalog.publish(
                    connection,
                    [stored],
                    _moved(shown, stored.path),
                    note=f"compact {dataset} {symbol} {year}",
                )
        except Overtaken:
            continue
        return Compacted(dataset, symbol, year, len(shown), len(pieces), stored.path)
    raise Unavailable(
        f"{dataset} {symbol} {year} kept changing while it was compacted", "Run it again later."
    )


def _moved(shown: Sequence[Partition], path: str) -> pl.DataFrame:
    """The same sessions and revisions, in another file."""
    rows = [
        {
            "dataset": each.dataset,
            "symbol": each.symbol,
            "session": each.session,
            "path": path,
            "rows": each.rows,
            "min_ts_utc": each.min_ts_utc,
            "max_ts_utc": each.max_ts_utc,
            "first_open": each.first_open,
            "last_close": each.last_close,
            "quality": each.quality,
            "findings": json.dumps(each.findings),
            "quarantined": each.quarantined,
            "quarantine_path": each.quarantine_path,
            "source": each.source,
            "based_on": each.id,
            "revision": each.revision,
            "is_shown": True,
        }
        for each in shown
    ]
    return pl.DataFrame(rows, schema=ENTRY_SCHEMA)
