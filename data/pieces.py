"""From files of the lake to one frame: verified, read side by side, cut to what is visible."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import polars as pl

from data import lake
from data.bar import BAR_SCHEMA
from data.catalog import Piece
from data.storage import Folder, Storage

BUCKET_READERS: Final = 16  # they mostly wait


def read_pieces(storage: Storage, pieces: Sequence[Piece], columns: list[str] | None = None) -> pl.DataFrame:
    """The visible rows of these files in their order; every byte is checked against the catalog."""
    if not pieces:
        return pl.DataFrame(schema={name: BAR_SCHEMA[name] for name in columns or BAR_SCHEMA.names()})
    if len(pieces) == 1:
        return read_piece(storage, pieces[0], columns, threads=True)
    with ThreadPoolExecutor(min(readers(storage), len(pieces)), thread_name_prefix="lake") as pool:
        return pl.concat(pool.map(lambda piece: read_piece(storage, piece, columns), pieces))


def readers(storage: Storage) -> int:
    """How many files are worth reading at a time: decoding a local one keeps a core busy."""
    return (os.cpu_count() or 1) if isinstance(storage, Folder) else BUCKET_READERS


def read_piece(
    storage: Storage, piece: Piece, columns: list[str] | None = None, *, threads: bool = False
) -> pl.DataFrame:
    content = lake.verified(storage, piece.path, piece.sha256, piece.blake3)
    wanted = columns
    # Spans are cut by time; and the symbol, which is not read from the file, does not tell how many rows there are.
    if columns and "ts_utc" not in columns and (piece.spans is not None or set(columns) == {"symbol"}):
        wanted = [*columns, "ts_utc"]
    frame = visible(lake.decode(content, piece.path, piece.symbol, wanted, threads=threads), piece)
    return frame if columns is None else frame.select(columns)


def visible(frame: pl.DataFrame, piece: Piece) -> pl.DataFrame:
    """The rows of those sessions of a file that are wanted."""
    if piece.spans is None:
        return frame
    spans = pl.DataFrame(
        piece.spans, schema={"start": BAR_SCHEMA["ts_utc"], "end": BAR_SCHEMA["ts_utc"]}, orient="row"
    )
    if spans.is_empty():
        return frame.clear()
    ts_us = frame["ts_utc"].dt.epoch("us").to_numpy()
    starts, ends = (spans[name].dt.epoch("us").to_numpy() for name in ("start", "end"))
    place = np.searchsorted(starts, ts_us, side="right") - 1
    return frame.filter(pl.Series((place >= 0) & (ts_us <= ends[np.maximum(place, 0)])))
