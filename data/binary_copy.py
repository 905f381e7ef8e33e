"""Frames into Postgres at the speed of its own COPY: numpy lays out the rows in the binary format, no Python per row.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": per row a count of columns, per column its
length in bytes and its value, all in network byte order.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl
from psycopg import Connection
from psycopg.sql import SQL, Identifier

CHUNK_ROWS: Final = 50_000  # what is held in memory beside the frame; 4 MB of candles

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER: Final = b"\xff\xff"
_EPOCH_US: Final = 946_684_800_000_000  # timestamptz counts microseconds from 2000-01-01
_INSTANT: Final = pl.Datetime("us", "UTC")
_WIRE: Final[dict[pl.DataType, str]] = {
    pl.Int32(): ">i4",  # int
    pl.Int64(): ">i8",  # bigint
    pl.Float64(): ">f8",  # double precision, NaN and infinities included
    _INSTANT: ">i8",  # timestamptz
}


def copy_in(connection: Connection[Any], table: str, frame: pl.DataFrame) -> None:
    """Append the frame, whose columns are those of the table, in its order, and have no nulls."""
    with connection.cursor().copy(
        SQL("copy {} from stdin (format binary)").format(Identifier(table))
    ) as copy:
        for piece in encoded(frame):
            copy.write(piece)


def encoded(frame: pl.DataFrame) -> Iterator[bytes]:
    """The bytes of a COPY in binary format, in pieces of bounded size."""
    assert not any(frame.null_count().row(0)), "a null has no bytes of its column's width"
    names = frame.columns
    rows = np.zeros(min(CHUNK_ROWS, frame.height), _row_of(frame.schema))
    rows["columns"] = len(names)
    for name in names:
        rows[f"{name}_bytes"] = rows[name].itemsize
    yield _SIGNATURE
    for piece in frame.iter_slices(CHUNK_ROWS):
        filled = rows[: piece.height]
        for name, kind in piece.schema.items():
            values = piece[name].to_physical().to_numpy()
            filled[name] = values - _EPOCH_US if kind == _INSTANT else values
        yield filled.tobytes()
    yield _TRAILER


def _row_of(schema: pl.Schema) -> np.dtype[np.void]:
    fields = [("columns", ">i2")]
    for name, kind in schema.items():
        fields += [(f"{name}_bytes", ">i4"), (name, _WIRE[kind])]
    return np.dtype(fields)
