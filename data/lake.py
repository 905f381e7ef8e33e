"""Parquet in the lake: how frames become checked bytes and bytes become checked frames."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import blake3
import numpy as np
import polars as pl

from data.bar import BAR_SCHEMA
from data.errors import Corrupt
from data.storage import Storage

MAX_NUMBERS = 10_000  # of files for one period; more means something loops

# Prices repeat, so a dictionary makes a quarter of them, and zstd behind it would take a quarter of the time for a
# tenth of the bytes.  Times and counts are differences; averages hardly repeat and shrink best byte by byte.  Level 1
# is a quarter of level 3's time for 1 % more bytes.  Together twice as fast as pyarrow's defaults, and two thirds.
_DICTIONARIES: Final = ("symbol", "open", "high", "low", "close", "reason")
_AS_THEY_ARE: Final = ("open", "high", "low", "close")
_ZSTD_LEVEL: Final = 1
_ENCODINGS: Final = {
    "ts_utc": "DELTA_BINARY_PACKED",
    "trade_count": "DELTA_BINARY_PACKED",
    "volume": "BYTE_STREAM_SPLIT",
    "vwap": "BYTE_STREAM_SPLIT",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A parquet object that is durably in the lake."""

    path: str
    dataset: str
    symbol: str
    period: str
    rows: int
    sessions: int
    bytes: int
    sha256: str
    blake3: str


def year_of(session: date) -> str:
    """The period of a file that holds many sessions of one year."""
    return f"{session:%Y}"


def day_of(session: date) -> str:
    """The period of a file that holds one session, reachable by date."""
    return f"{session:%Y}/{session:%m}/{session:%d}"


def file_key(dataset: str, symbol: str, period: str, number: int) -> str:
    """Where one symbol's rows of a year or a session are."""
    return f"{dataset}/{quote(symbol, safe='')}/{period}-{number}.parquet"


def encode(frame: pl.DataFrame, symbol: str) -> bytes:
    """One symbol's frame as parquet; the same rows always give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = frame.drop("symbol").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    named = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(frame.height, dtype=np.int32)), pa.array([symbol])
    )
    table = table.add_column(0, "symbol", named)
    names = table.column_names
    packed = [name for name in names if name not in _AS_THEY_ARE]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression={name: "zstd" if name in packed else "none" for name in names},
        compression_level=dict.fromkeys(packed, _ZSTD_LEVEL),
        use_dictionary=[name for name in _DICTIONARIES if name in names],
        column_encoding={name: how for name, how in _ENCODINGS.items() if name in names},
        write_statistics=["ts_utc"],  # nobody looks for bars by their price
        write_page_checksum=True,
        store_schema=False,  # for other readers the symbol is a plain string
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checksum(content: bytes) -> str:
    """What every read compares: cryptographic, and several times as fast as SHA-256."""
    return blake3.blake3(content).hexdigest()


def write(
    storage: Storage,
    dataset: str,
    symbol: str,
    period: str,
    frame: pl.DataFrame,
    *,
    sessions: int,
    first: int = 1,
) -> Stored:
    """Store a frame under the first free number of its period, from `first` on.

    A crash between writing and publishing leaves an object that no catalog row names.  The next
    writer takes it over when it holds the very same bytes and goes round it otherwise.
    """
    content = encode(frame, symbol)
    for number in range(first, first + MAX_NUMBERS):
        key = file_key(dataset, symbol, period, number)
        if storage.put_new(key, content) or storage.get(key) == content:
            return Stored(
                key,
                dataset,
                symbol,
                period,
                frame.height,
                sessions,
                len(content),
                sha256(content),
                checksum(content),
            )
    raise Corrupt(
        f"{MAX_NUMBERS} files of {dataset}/{symbol}/{period} are there",
        "Find out what keeps writing there; nobody corrects a session that often.",
    )


def verified(storage: Storage, key: str, sha256_told: str, blake3_told: str | None) -> bytes:
    """The bytes of an object, refused unless every one of them is as it was catalogued."""
    content = storage.get(key)
    if (checksum(content) != blake3_told) if blake3_told else (sha256(content) != sha256_told):
        raise _other_bytes(key)
    return content


def verify_file(path: Path, key: str, sha256_told: str, blake3_told: str | None) -> None:
    """As `verified`, for who reads the file by its path afterwards: nothing is copied."""
    try:
        if blake3_told:
            found = blake3.blake3().update_mmap(path).hexdigest()
        else:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise Corrupt(f"{key} is not in the lake", "Ingest it again: `./slipway data ingest`.") from None
    if found != (blake3_told or sha256_told):
        raise _other_bytes(key)


def decode(
    content: bytes, key: str, symbol: str, columns: list[str] | None = None, *, threads: bool = False
) -> pl.DataFrame:
    """The bars of one symbol in a verified object; its pages are checked once more by their own checksums."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = [name for name in (columns or BAR_SCHEMA.names()) if name != "symbol"]
    try:
        table: Any = pq.read_table(
            pa.BufferReader(content), columns=wanted, page_checksum_verification=True, use_threads=threads
        )
    except (pa.ArrowException, OSError) as error:
        raise _other_columns(key, str(error)) from error
    frame = pl.DataFrame(pl.from_arrow(table))
    schema = {name: BAR_SCHEMA[name] for name in wanted}
    if dict(frame.schema) != schema:
        raise _other_columns(key, f"it has {dict(frame.schema)}")
    if columns is None or "symbol" in columns:
        frame = frame.select(pl.lit(symbol).alias("symbol"), *wanted)
    return frame


def _other_bytes(key: str) -> Corrupt:
    return Corrupt(
        f"{key} does not have the checksum that the catalog recorded",
        "Restore the file, or ingest its sessions again, which publishes a new revision.",
    )


def _other_columns(key: str, found: str) -> Corrupt:
    return Corrupt(f"{key} cannot be read as bars: {found.splitlines()[0]}", "Ingest its sessions again.")
