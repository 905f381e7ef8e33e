"""Parquet in the lake: how frames become checked bytes and bytes become checked frames."""

import hashlib
import io
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import Corrupt
from data.storage import Storage

MAX_REVISIONS = 10_000  # of one partition; more means something loops


@dataclass(frozen=True, slots=True)
class Stored:
    """A parquet object that is durably in the lake."""

    path: str
    rows: int
    sha256: str


def partition_key(dataset: str, symbol: str, session: date, revision: int) -> str:
    """Where one symbol's rows of one session are, reachable by date."""
    return f"{dataset}/{symbol}/{session:%Y}/{session:%m}/{session:%d}-{revision}.parquet"


def encode(frame: pl.DataFrame) -> bytes:
    """A frame as parquet; the same rows always give the same bytes."""
    sink = io.BytesIO()
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write(
    storage: Storage, dataset: str, symbol: str, session: date, first: int, frame: pl.DataFrame
) -> tuple[int, Stored]:
    """Store a frame under the first free revision from `first`.

    A crash between writing and publishing leaves an object that no catalog row names.  The next
    writer takes it over when it holds the very same bytes and goes round it otherwise.
    """
    content = encode(frame)
    for revision in range(first, first + MAX_REVISIONS):
        key = partition_key(dataset, symbol, session, revision)
        if storage.put_new(key, content) or storage.get(key) == content:
            return revision, Stored(key, frame.height, sha256(content))
    raise Corrupt(
        f"{MAX_REVISIONS} revisions of {dataset}/{symbol}/{session} are taken",
        "Find out what keeps writing there; nobody corrects a session that often.",
    )


def read(storage: Storage, key: str, digest: str, schema: pl.Schema) -> pl.DataFrame:
    """Read a parquet object back, refusing it unless every byte is the one that was catalogued."""
    content = storage.get(key)
    if sha256(content) != digest:
        raise Corrupt(
            f"{key} does not have the checksum that the catalog recorded",
            "Restore the file, or ingest the session again, which publishes a new revision.",
        )
    table: pa.Table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    frame: Any = pl.from_arrow(table)
    if frame.schema != schema:
        raise Corrupt(
            f"{key} has the columns {dict(frame.schema)}", f"Expected {dict(schema)}; ingest it again."
        )
    return frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
