"""Delimited text: CSV and its relatives, in blocks, so that a file of any length needs the memory of a block.

Arrow parses a block.  When it stumbles, or a value does not parse, the block is read again in parts, and the part
in which it happened line by line, which is slow and knows the number of each line.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.csv

from data.errors import Corrupt, UsageError
from data.sources.files.lines import (
    Block,
    has_lone_returns,
    joined_lines,
    open_lines,
    parts,
    records,
    whole_lines,
)
from data.sources.files.rows import BadLine, BadLines, Reading
from data.sources.files.times import joined_times

DELIMITERS: Final = (",", ";", "\t", "|")
BLOCK_BYTES: Final = 16 << 20  # larger ones are not faster
LINE_BY_LINE_BYTES: Final = 1 << 20  # smaller ones cost more in calls than in lines
HEAD_BYTES: Final = 1 << 20  # holds the header and the lines by which times are recognised
SAMPLE_LINES: Final = 200
_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Delimited:
    """A text file whose header has been read."""

    path: Path
    file: str
    delimiter: str
    names: tuple[str, ...]
    first_line: int  # of the data
    offset: int  # where the data begin
    head: list[list[str]]  # the fields of the first data lines

    def sample(self, places: tuple[int, ...]) -> pl.Series:
        """The first times, for their form."""
        return pl.Series([_at(fields, places) for fields in self.head], dtype=pl.String)

    def read(self, reading: Reading, bad: BadLines) -> Iterator[tuple[pl.DataFrame, int]]:
        """The bars of the file, block by block, and how many bytes are done; what is none goes to `bad`."""
        for block in self._blocks():
            yield pl.concat(self._parse(block, reading, bad)), block.bytes_done

    def _parse(self, block: Block, reading: Reading, bad: BadLines) -> Iterator[pl.DataFrame]:
        bars = self._fast(block, reading)
        if bars is not None:
            yield bars
        elif len(block.data) <= LINE_BY_LINE_BYTES:
            yield self._slow(block, reading, bad)
        else:
            for part in parts(block):
                yield from self._parse(part, reading, bad)

    def _fast(self, block: Block, reading: Reading) -> pl.DataFrame | None:
        """The bars of a block in which every line is one; None when some line is not."""
        joined = joined_lines(open_lines(block.data))
        if any(line == end for line, end in joined.items()) or has_lone_returns(block.data):
            return None
        layout, numbers = reading.layout, reading.numbers
        texts = {str(place): pa.string() for place in (*layout.time, layout.symbol) if place is not None}
        kind = pa.string() if numbers.thousands else pa.float64()
        kinds = texts | {str(place): kind for place in layout.numbers.values()}
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(block.data),
                pyarrow.csv.ReadOptions(column_names=[str(place) for place in range(len(self.names))]),
                pyarrow.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=bool(joined)),
                pyarrow.csv.ConvertOptions(
                    include_columns=list(kinds),
                    column_types=kinds,
                    null_values=[""],
                    decimal_point=numbers.decimal,
                ),
            )
        except pa.ArrowInvalid:
            return None
        read = pl.DataFrame(pl.from_arrow(table))
        columns = [joined_times([read[str(place)] for place in layout.time]).alias("time")]
        if layout.symbol is not None:
            columns.append(read[str(layout.symbol)].alias("symbol"))
        columns += [read[str(place)].alias(name) for name, place in layout.numbers.items()]
        bars, failed = reading.bars(pl.DataFrame(columns))
        return None if failed.any() else bars

    def _slow(self, block: Block, reading: Reading, bad: BadLines) -> pl.DataFrame:
        """The same block line by line."""
        rows: list[list[str]] = []
        lines: list[int] = []
        broken: dict[int, str] = {}
        for line, fields in records(block.data, block.first_line, self.delimiter, len(self.names)):
            if isinstance(fields, str):
                broken[line] = fields
            else:
                rows.append(fields)
                lines.append(line)
        layout = reading.layout
        texts = {"time": [_at(fields, layout.time) for fields in rows]}
        if layout.symbol is not None:
            texts["symbol"] = [fields[layout.symbol] for fields in rows]
        for name, place in layout.numbers.items():
            texts[name] = [fields[place] for fields in rows]
        raw = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
        bars, failed = reading.bars(raw)
        places = {lines[place]: place for place in failed.arg_true()}
        for line in sorted(broken.keys() | places.keys()):
            if bad.is_full:  # a reason takes longer than a line
                bad.count += 1
                continue
            what = broken[line] if line in broken else reading.fault(raw, places[line])
            bad.add(BadLine(self.file, line, what))
        return bars.filter(~failed)

    def _blocks(self) -> Iterator[Block]:
        with _opened(self.path, self.file) as (stream, position):
            rest, line = b"", self.first_line
            stream.read(self.offset)
            while True:
                fresh = stream.read(BLOCK_BYTES)
                data = rest + fresh
                if not fresh:
                    if data:
                        yield Block(data if data.endswith(b"\n") else data + b"\n", line, position())
                    return
                cut = whole_lines(data)
                if not cut and len(data) > 2 * BLOCK_BYTES:
                    raise UsageError(
                        f"{self.file}, line {line} is longer than {BLOCK_BYTES >> 20} MiB",
                        "Check that it is a text file with a line for each bar.",
                    )
                if cut:
                    yield Block(data[:cut], line, position())
                    line += data.count(b"\n", 0, cut)
                rest = data[cut:]


def open_delimited(
    path: Path, delimiter: str | None = None, header: Sequence[str] | None = None
) -> Delimited:
    """Read the header of a text file, and enough lines to know how it writes."""
    file = str(path)
    with _opened(path, file) as (stream, _):
        head = stream.read(HEAD_BYTES)
    _must_be_text(head, file)
    if len(head) == HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    begin = len(_BOM) if head.startswith(_BOM) else 0
    line, offset = 1, begin
    first = b""
    for line, raw in enumerate(head[begin:].split(b"\n"), 1):  # noqa: B007
        if raw.strip() and not raw.lstrip().startswith(b"#"):
            first = raw
            break
        offset += len(raw) + 1
    if not first:
        raise UsageError(f"{file} is empty", "Give a file with a header and a line for each bar.")
    try:
        text = first.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file}, line {line} is not UTF-8: byte {error.start + 1} is 0x{first[error.start]:02x}",
            f"Convert it, for example with `iconv -f latin1 -t utf-8 {file}`.",
        ) from None
    sign = delimiter or _sniffed(text, file)
    if header is None:
        names = _header_names(text, sign, file)
        line, offset = line + 1, offset + len(first) + 1
    else:
        names = list(header)
    found: list[list[str]] = []
    wrong = ""
    for number, fields in records(head[offset:], line, sign, len(names)):
        if isinstance(fields, list):
            found.append(fields)
        else:
            wrong = wrong or f"{file}, line {number} {fields}"
        if len(found) == SAMPLE_LINES:
            break
    if not found:
        raise UsageError(
            wrong or f"{file} has a header and no lines",
            "Check --delimiter, and --header if there is no header line." if wrong else "Leave it out.",
        )
    return Delimited(path, file, sign, tuple(names), line, offset, found)


def checked_delimiter(sign: str | None) -> str | None:
    if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in '"\r\n'):
        raise UsageError(f"{sign!r} cannot separate columns", "Use one character, like ; or |.")
    return sign


def _at(fields: Sequence[str], places: Sequence[int]) -> str:
    return " ".join(fields[place] for place in places)


def _header_names(header: str, delimiter: str, file: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
    except csv.Error as error:
        raise UsageError(
            f"the header line of {file} cannot be split into names ({error})", "Write it again as plain text."
        ) from None


def _sniffed(header: str, file: str) -> str:
    """The delimiter that makes most fields of the header."""
    widths = {sign: len(_header_names(header, sign, file)) for sign in DELIMITERS}
    widest = max(widths.values())
    likely = [sign for sign, width in widths.items() if width == widest]
    if len(likely) > 1:
        raise UsageError(
            f"it is not plain what separates the columns of {file}, whose first line is {header[:60]!r}",
            "Say it with --delimiter, and check that the file is a table.",
        )
    return likely[0]


def _must_be_text(head: bytes, file: str) -> None:
    if not head:
        raise UsageError(f"{file} is empty", "Give a file with a header and a line for each bar.")
    start = head.removeprefix(_BOM).lstrip()[:1]
    if start in (b"{", b"["):
        raise UsageError(f"{file} is JSON, not a table", "Give it as CSV or parquet.")
    if head.startswith(_UTF_16):
        fix = f"Convert it: `iconv -f utf-16 -t utf-8 {file}`."
        raise UsageError(f"{file} is UTF-16, not UTF-8", fix)
    if b"\0" in head:
        raise UsageError(f"{file} holds binary data, not text", "Give a CSV file in UTF-8, or parquet.")
    if b"\r" in head and b"\n" not in head:
        raise UsageError(
            f"{file} ends its lines with a carriage return only", f"Convert it: `tr '\\r' '\\n' < {file}`."
        )


@contextmanager
def _opened(path: Path, file: str) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """The bytes of a file, unpacked if need be, and how far one has come in the file itself."""
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if not packed:
            yield plain, plain.tell
            return
        try:
            with gzip.open(plain) as unpacked:
                yield unpacked, plain.tell  # type: ignore[misc]  # a GzipFile reads like a file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Corrupt(
                f"{file} is a broken gzip file: {error}", "Fetch it again; check it with `gzip -t`."
            ) from None
