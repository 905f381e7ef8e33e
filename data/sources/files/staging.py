"""The bars of an import, parsed once and laid aside, so that each symbol and year is a slice and not a parse.

A folder of parquet chunks in the order of the files, and what each chunk holds.  The folder is locked while its
import lives, and a later import removes what a killed one has left.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

import polars as pl

from data.bar import BAR_SCHEMA
from data.errors import Unavailable
from data.settings import get_settings

_LOCK: Final = "lock"
# Few enough that a slice of one symbol among thousands skips most of a chunk, enough that pages fill.
_GROUP_ROWS: Final = 32_768


@dataclass(frozen=True, slots=True)
class _Chunk:
    path: Path
    spans: dict[str, tuple[datetime, datetime]]  # by symbol: its first and last instant in here


@dataclass(slots=True)
class Staging:
    """Bars on their way.  Within a symbol they keep the order in which they were added."""

    folder: Path
    lock: TextIO
    rows: int = 0
    chunks: list[_Chunk] = field(default_factory=list)

    @classmethod
    def open(cls, parent: Path | None = None) -> "Staging":
        """A new folder of our own; what dead imports left is removed."""
        parent = parent or get_settings().state_dir / "staging"
        with _no_room(parent):
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (parent / _LOCK).open("a") as door:
                # Nobody takes a folder for a dead one between its making and its locking.
                fcntl.flock(door, fcntl.LOCK_EX)
                _remove_leftovers(parent)
                folder = Path(tempfile.mkdtemp(dir=parent, prefix="import-"))
                lock = (folder / _LOCK).open("a")
                fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(folder, lock)

    def add(self, bars: pl.DataFrame) -> None:
        if bars.is_empty():
            return
        spans = bars.group_by("symbol").agg(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max())
        if spans.height > 1:
            bars = bars.sort("symbol", maintain_order=True)
        path = self.folder / f"{len(self.chunks):06}.parquet"
        with _no_room(self.folder):
            bars.write_parquet(path, compression="lz4", row_group_size=_GROUP_ROWS)
        self.chunks.append(_Chunk(path, {symbol: (first, last) for symbol, first, last in spans.iter_rows()}))
        self.rows += bars.height

    def symbols(self) -> list[str]:
        return sorted({symbol for chunk in self.chunks for symbol in chunk.spans})

    def span(self, symbol: str) -> tuple[datetime, datetime]:
        """The first and the last instant of a symbol, wherever in the files they stand."""
        spans = [chunk.spans[symbol] for chunk in self.chunks if symbol in chunk.spans]
        return min(first for first, _ in spans), max(last for _, last in spans)

    def bars(self, symbols: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """The bars in [start, end) by symbol: filtered, never sorted by time."""
        wanted = [
            chunk.path
            for chunk in self.chunks
            if any(
                symbol in chunk.spans and chunk.spans[symbol][0] < end and chunk.spans[symbol][1] >= start
                for symbol in symbols
            )
        ]
        if not wanted:
            return pl.DataFrame(schema=BAR_SCHEMA)
        inside = pl.col("symbol").is_in(list(symbols)) & pl.col("ts_utc").is_between(
            start, end, closed="left"
        )
        bars = pl.scan_parquet(wanted).filter(inside).collect()
        return bars.sort("symbol", maintain_order=True) if len(symbols) > 1 else bars

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()


def _remove_leftovers(parent: Path) -> None:
    """The kernel drops a lock with its process, however that ends: what is not locked is dead."""
    for folder in parent.glob("import-*"):
        try:
            with (folder / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError:
            pass  # its import died before it could lock
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _no_room(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"bars cannot be laid aside in {where}: {error.strerror or error}",
            "Check free space and permissions (`./slipway doctor`), or set SLIPWAY_STATE_DIR.",
        ) from error
