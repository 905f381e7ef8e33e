"""A lazy frame over files of the lake: only what is collected is read, and it is checked when it is."""

from collections.abc import Iterator, Sequence

import polars as pl
from polars.io.plugins import register_io_source

from data.bar import BAR_SCHEMA
from data.catalog import Piece
from data.pieces import read_pieces
from data.storage import Folder, Storage
from data.verifying import verifying


def scan_pieces(storage: Storage, pieces: Sequence[Piece]) -> pl.LazyFrame:
    """The visible rows of these files; columns that nobody asks for are not read."""

    def collected(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = with_columns or BAR_SCHEMA.names()
        if predicate is not None:
            wanted = list(dict.fromkeys([*wanted, *predicate.meta.root_names()]))
        whole = [piece for piece in pieces if piece.spans is None]
        frame = read_pieces(storage, [piece for piece in pieces if piece.spans is not None], wanted).lazy()
        with verifying(storage) as verify:
            if isinstance(storage, Folder) and whole:
                paths = [verify.path(storage, piece) for piece in whole]
                frame = pl.concat([pl.scan_parquet(paths, glob=False).select(wanted), frame])
            else:
                frame = pl.concat([read_pieces(storage, whole, wanted).lazy(), frame])
            if predicate is not None:
                frame = frame.filter(predicate)
            if with_columns is not None:
                frame = frame.select(with_columns)
            try:
                answer = (frame.head(n_rows) if n_rows is not None else frame).collect()
            except pl.exceptions.PolarsError:
                verify.all_are_well()  # or its words would be about what a damaged file did to it
                raise
        yield answer

    return register_io_source(collected, schema=BAR_SCHEMA)
