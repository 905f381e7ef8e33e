"""The lines of a text: which belong together because a quoted text goes over them, and what their numbers are."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

PARTS: Final = 16  # of a block that is read again; each is small enough to be read line by line
# A quoted text may go over that many lines; beyond, its quote was never closed, and only its own line is bad.
QUOTED_LINES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file."""

    data: bytes
    first_line: int
    bytes_done: int  # of the file, packed as it is


def records(
    data: bytes, first_line: int, delimiter: str, width: int
) -> Iterator[tuple[int, list[str] | str]]:
    """Each line that is not blank or a comment, with its number: its fields, or what is wrong with it."""
    # A byte that is not UTF-8 may stand in a column that nobody asks for.
    lines = data.decode(errors="replace").split("\n")
    joined = joined_lines(open_lines(data))
    at = 0
    while at < len(lines):
        line, number = lines[at].removesuffix("\r"), first_line + at
        end = joined.get(at)
        at += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if '"' not in line:
            fields = line.split(delimiter)
        elif end == at - 1:
            yield number, "has a quote that is never closed"
            continue
        else:
            text = line if end is None else "\n".join(lines[at - 1 : end + 1]).removesuffix("\r")
            try:
                fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
            except csv.Error as error:
                yield number, f"cannot be split into fields ({error})"
                continue
            if end is not None and len(fields) != width:
                yield number, "has a quote that is never closed"
                continue
            if end is not None:
                at = end + 1
        if len(fields) == width:
            yield number, fields
        else:
            yield number, f"has {len(fields)} fields where the header has {width}"


def parts(block: Block) -> Iterator[Block]:
    """A block as smaller ones."""
    begin, line, size = 0, block.first_line, len(block.data) // PARTS
    while begin < len(block.data):
        cut, step = 0, size
        while not cut and begin + step < len(block.data):
            cut = whole_lines(block.data[begin : begin + step])
            step *= 2
        data = block.data[begin : begin + cut] if cut else block.data[begin:]
        yield Block(data, line, block.bytes_done)
        begin, line = begin + len(data), line + data.count(b"\n")


def has_lone_returns(data: bytes) -> bool:
    """Arrow takes a lone carriage return for the end of a line; whoever counts lines does not."""
    return b"\r" in data and data.count(b"\r") != data.count(b"\r\n")


def open_lines(data: bytes) -> NDArray[np.int64]:
    """Lines in which a quote stays open, counted from 0."""
    if b'"' not in data:
        return np.empty(0, dtype=np.int64)
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    ends = np.append(np.flatnonzero(bytes_ == ord("\n")), len(data))
    until = np.searchsorted(np.flatnonzero(bytes_ == ord('"')), ends)
    return np.flatnonzero(np.diff(until, prepend=0) % 2)


def joined_lines(odd: NDArray[np.int64]) -> dict[int, int]:
    """Where a line with an open quote ends; on its own line when nothing closes it."""
    joined: dict[int, int] = {}
    at = 0
    while at < len(odd):
        line = int(odd[at])
        closed = at + 1 < len(odd) and odd[at + 1] - line <= QUOTED_LINES_MAX
        joined[line] = int(odd[at + 1]) if closed else line
        at += 2 if closed else 1
    return joined


def whole_lines(data: bytes) -> int:
    """Behind the last line that is whole, and not inside a quoted text."""
    cut = data.rfind(b"\n") + 1
    odd = open_lines(data[:cut])
    if not odd.size:
        return cut
    last, end = list(joined_lines(odd).items())[-1]
    lines = data.count(b"\n", 0, cut)
    if end > last or lines - last > QUOTED_LINES_MAX:
        return cut
    for _ in range(lines - last):  # what the next block may close
        cut = data.rfind(b"\n", 0, cut - 1) + 1
    return cut
