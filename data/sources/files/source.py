"""A source made from files, which ingest takes through checks, lake and catalog like any vendor's."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final

import polars as pl

from data.bar import step
from data.calendars import NEW_YORK, ROUND_THE_CLOCK, Session
from data.errors import Corrupt, UsageError
from data.instruments import ACTION_SCHEMA, AssetClass, Instrument, checked_symbol, option
from data.progress import Progress, silent
from data.sources import SOURCES
from data.sources.files.columns import Columns, Layout
from data.sources.files.delimited import Delimited, checked_delimiter, open_delimited
from data.sources.files.instants import all_sessions
from data.sources.files.numbers import Numbers
from data.sources.files.parquet import MAGIC, Parquet, open_parquet
from data.sources.files.rows import BadLine, BadLines, Reading, symbol_of
from data.sources.files.staging import Staging
from data.sources.files.times import Epoch, TimesSaid, find_times

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
# By their first bytes, whatever they are called.
_PACKED: Final = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
}
_PARQUET: Final = (".parquet", ".pq")
_FINEST: Final = 1e-8  # a file does not tell ticks and lots; no venue for coins quotes in finer steps


@dataclass(frozen=True, slots=True)
class FileSource:
    """Bars from files.  Use it in a `with` block, at whose end what was laid aside is removed.

    Rows outside every session are delivered too when the range asked for covers them: the checks set them aside.
    """

    name: str
    timeframe: str
    calendar: str
    first: date  # the sessions from the first to the last bar
    last: date
    rows: int
    bad_count: int
    bad_lines: tuple[BadLine, ...]  # the first of them
    instruments: dict[str, Instrument]
    staging: Staging

    def __enter__(self) -> "FileSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.staging.close()

    def symbols(self) -> list[str]:
        return list(self.instruments)

    def instrument(self, symbol: str) -> Instrument:
        try:
            return self.instruments[symbol]
        except KeyError:
            some = ", ".join(list(self.instruments)[:10])
            raise UsageError(f"the files have no bars of {symbol!r}", f"They have: {some}.") from None

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        """The bars that open in [start, end), of each symbol in the order of the files, duplicates included."""
        if timeframe != self.timeframe:
            raise UsageError(
                f"the files are imported as bars of {self.timeframe}, not {timeframe}",
                f"Ask for {self.timeframe}, or import with --timeframe {timeframe}.",
            )
        for symbol in symbols:
            self.instrument(symbol)
        return self.staging.bars(symbols, start, end)

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """None: files of bars tell no splits and dividends."""
        return pl.DataFrame(schema=ACTION_SCHEMA)


def open_files(
    paths: Sequence[Path],
    *,
    name: str,
    timeframe: str,
    symbol: str | None = None,
    asset_class: AssetClass = "equity",
    calendar: str | None = None,
    columns: Columns | None = None,
    time_zone: str | None = None,
    epoch: Epoch | None = None,
    time_format: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    delimiter: str | None = None,
    header: Sequence[str] | None = None,
    skip_bad: bool = False,
    progress: Progress = silent,
) -> FileSource:
    """Parse the files once and lay their bars aside.

    A line that is no bar refuses the whole import, unless `skip_bad`; what is wrong with a bar itself (a negative
    price, a duplicate) is for the checks of ingest.
    """
    step(timeframe)
    _check_name(name)
    calendar = calendar or (ROUND_THE_CLOCK if asset_class == "crypto" else NEW_YORK)
    sessions = all_sessions(calendar)
    manner = _Manner(
        timeframe=timeframe,
        calendar=calendar,
        columns=columns or Columns(),
        times=TimesSaid(time_zone, epoch, time_format),
        numbers=Numbers(decimal, thousands),
        symbol=None if symbol is None else checked_symbol(symbol),
        delimiter=checked_delimiter(delimiter),
        header=header,
    )
    sizes = {path: _readable_bytes(path) for path in paths}
    if not sizes or len(sizes) < len(paths):
        raise UsageError("no file is named, or one is named twice", "Name each file once.")
    staging = Staging.open()
    try:
        bad = BadLines()
        _stage(sizes, manner, staging, bad, progress)
        if (bad.count and not skip_bad) or not staging.rows:
            raise _refused(bad, staging.rows)
        first, last = _range(staging, sessions, calendar)
        return FileSource(
            name=name,
            timeframe=timeframe,
            calendar=calendar,
            first=first,
            last=last,
            rows=staging.rows,
            bad_count=bad.count,
            bad_lines=tuple(bad.listed),
            instruments={
                symbol: replace(_instrument(symbol, asset_class), calendar=calendar)
                for symbol in staging.symbols()
            },
            staging=staging,
        )
    except BaseException:
        staging.close()
        raise


@dataclass(frozen=True, slots=True)
class _Manner:
    """What the person says about the files; the rest is found in each."""

    timeframe: str
    calendar: str
    columns: Columns
    times: TimesSaid
    numbers: Numbers
    symbol: str | None
    delimiter: str | None
    header: Sequence[str] | None

    def reading(self, file: Delimited | Parquet) -> Reading:
        layout = self.columns.find(file.names, file.file)
        where = f"the column {layout.time_name!r} of {file.file}"
        times = find_times(file.sample(layout.time), self.times, self.timeframe, self.calendar, where)
        return Reading(file.file, layout, times, self.numbers, self._symbol(file, layout))

    def _symbol(self, file: Delimited | Parquet, layout: Layout) -> str | None:
        """Of the rows of a file that has no column for it."""
        if layout.symbol is not None:
            if self.symbol is None:
                return None
            raise UsageError(
                f"{file.file} tells its symbols in the column {layout.names[layout.symbol]!r}",
                "Leave out --symbol, or say that there is no such column: --column symbol=",
            )
        if self.symbol is not None:
            return self.symbol
        stem = file.path.name.removesuffix(".gz")
        found = symbol_of(Path(stem).stem.upper())
        if found is None:
            raise UsageError(
                f"{file.file} has no column for the symbol, and its name is no symbol",
                "Say it with --symbol, or call the file after its symbol, like AAA.csv.",
            )
        return found


def _stage(
    sizes: Mapping[Path, int], manner: _Manner, staging: Staging, bad: BadLines, progress: Progress
) -> None:
    total, done = sum(sizes.values()), 0
    for path, size in sizes.items():
        file = _open(path, manner)
        reading = manner.reading(file)
        progress(done, total, path.name)
        for bars, read in file.read(reading, bad):
            staging.add(bars)
            progress(done + read, total, path.name)
        done += size
    progress(total, total, "done")


def _refused(bad: BadLines, rows: int) -> UsageError:
    if not bad.count:
        return UsageError("the files have no bars", "Give files with a line for each bar.")
    fix = "Correct the file, or set such lines aside with --skip-bad-lines." if rows else "Correct the file."
    return UsageError(f"{bad.listed[0]} ({bad.count:,} of {rows + bad.count:,} lines cannot be read)", fix)


def _range(staging: Staging, sessions: Sequence[Session], calendar: str) -> tuple[date, date]:
    """From the first session that ends after the first bar to the last that begins by the last bar."""
    spans = [staging.span(symbol) for symbol in staging.symbols()]
    begin, end = min(first for first, _ in spans), max(last for _, last in spans)
    first = bisect_right(sessions, begin, key=lambda session: session.close_utc)
    last = bisect_right(sessions, end, key=lambda session: session.open_utc) - 1
    if first > last:
        raise UsageError(
            f"no bar lies in a session of {calendar}; they are of {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
            "Check --time-zone, --calendar and --asset-class.",
        )
    return sessions[first].day, sessions[last].day


def _instrument(symbol: str, asset_class: AssetClass) -> Instrument:
    if asset_class == "crypto":
        return Instrument(symbol, "crypto", tick_size=_FINEST, lot=_FINEST)
    if asset_class == "equity":
        return Instrument(symbol)
    named = option(symbol)
    if named is None:
        raise UsageError(f"{symbol!r} names no option", "Write it as the OCC does, like SPY261218C00600000.")
    return named


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a source",
            "Use a word of small letters, digits and _, like csv or vendor_x.",
        )
    if name in SOURCES:
        raise UsageError(
            f"{name} is a source of its own, whose bars would be mixed with those of the files",
            "Choose another name with --as, like csv.",
        )


def _readable_bytes(path: Path) -> int:
    """How large a file is that can be read; an error that helps when it cannot."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder", f"Name its files: {path}/*.csv")
        with path.open("rb") as file:
            start = file.read(8)
        size = path.stat().st_size
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "Check its name.") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", f"Check its permissions: `ls -l {path}`."
        ) from None
    for magic, what in _PACKED.items():
        if start.startswith(magic):
            raise UsageError(f"{path} is {what}", "Unpack it, or save it as CSV; .csv.gz needs no unpacking.")
    if path.suffix.lower() in _PARQUET and not start.startswith(MAGIC):
        what = "is empty" if not size else f"begins with {start!r}"
        raise Corrupt(f"{path} is no parquet file: it {what}", "Write it again, or call it what it is.")
    return size


def _open(path: Path, manner: _Manner) -> Delimited | Parquet:
    """By what is in it: a wrong name does no harm."""
    with path.open("rb") as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
    if is_parquet:
        return open_parquet(path)
    return open_delimited(path, manner.delimiter, manner.header)
