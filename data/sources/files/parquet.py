"""Parquet files that others wrote: whatever types their columns have, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import Corrupt, UsageError
from data.sources.files.rows import BadLine, BadLines, Reading
from data.sources.files.times import joined_times

MAGIC: Final = b"PAR1"
BATCH_ROWS: Final = 250_000  # like a block of text
SAMPLE_ROWS: Final = 200
# What Arrow raises when metadata make no sense; a name that is no UTF-8 is a ValueError.
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Parquet:
    """A parquet file whose schema has been read."""

    path: Path
    file: str
    names: tuple[str, ...]
    bytes_total: int
    rows: int

    def sample(self, places: tuple[int, ...]) -> pl.Series:
        """The first values of the column of times, which may be joined of two."""
        found = next(self._batches(places, SAMPLE_ROWS), None)
        if found is None:
            raise _broken(self.file, "its rows are missing")
        return joined_times([found[place] for place in places])

    def read(self, reading: Reading, bad: BadLines) -> Iterator[tuple[pl.DataFrame, int]]:
        """The bars of the file, batch by batch, and how many bytes are done; what is none goes to `bad`."""
        layout = reading.layout
        wanted = {
            *layout.time,
            *layout.numbers.values(),
            *(() if layout.symbol is None else (layout.symbol,)),
        }
        first = 1
        for found in self._batches(sorted(wanted), BATCH_ROWS):
            columns = {"time": joined_times([found[place] for place in layout.time])}
            if layout.symbol is not None:
                columns["symbol"] = found[layout.symbol].cast(pl.String)
            for name, place in layout.numbers.items():
                columns[name] = self._numbers(found[place], self.names[place])
            raw = pl.DataFrame(columns)
            bars, failed = reading.bars(raw)
            for at in failed.arg_true():
                bad.add(BadLine(self.file, first + at, "" if bad.is_full else reading.fault(raw, at), "row"))
            first += bars.height
            yield bars.filter(~failed), self.bytes_total * (first - 1) // self.rows
        if first <= self.rows:
            raise _broken(self.file, f"it has {first - 1} of its {self.rows} rows")

    def _batches(self, places: Sequence[int], rows: int) -> Iterator[dict[int, pl.Series]]:
        """The columns at these places, batch by batch."""
        names = {place: self.names[place] for place in places}
        try:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as opened:
                for batch in opened.iter_batches(batch_size=rows, columns=list(names.values())):
                    batch.validate(full=True)  # a flipped bit makes texts that are no UTF-8
                    yield {place: _series(batch.column(name)) for place, name in names.items()}
        except _DAMAGE as error:
            raise _broken(self.file, error) from None

    def _numbers(self, column: pl.Series, label: str) -> pl.Series:
        """Numbers of any width as floats; text as it is."""
        if column.dtype == pl.String:
            return column
        if column.dtype.is_numeric() or column.dtype == pl.Null:
            return column.cast(pl.Float64)
        raise UsageError(
            f"the column {label!r} of {self.file} holds {column.dtype}, not numbers",
            "Name another with --column.",
        )


def open_parquet(path: Path) -> Parquet:
    """Read the schema of a parquet file."""
    file = str(path)
    try:
        with pq.ParquetFile(path) as opened:
            names, rows = tuple(opened.schema_arrow.names), opened.metadata.num_rows
    except _DAMAGE as error:
        raise _broken(file, error) from None
    if not rows:
        raise UsageError(f"{file} has no rows", "Leave it out.")
    return Parquet(path, file, names, path.stat().st_size, rows)


def _broken(file: str, why: Exception | str) -> Corrupt:
    reason = (str(why) or type(why).__name__).splitlines()[0]
    return Corrupt(f"{file} is a broken parquet file: {reason}", "Write or fetch it again.")


def _series(column: pa.Array) -> pl.Series:
    """A column in one of the few types that are told apart later."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = pc.cast(column, pa.large_string())  # how old writers store text
    elif pa.types.is_decimal(kind):
        column = pc.cast(pc.cast(column, pa.string()), pa.float64())  # directly, Arrow is off by a last bit
    elif pa.types.is_timestamp(kind) and kind.tz and kind.tz[0] in "+-":
        column = pc.cast(column, pa.string())  # polars knows no zones that are a mere offset; the text has it
    return pl.Series(pl.from_arrow(column))
