"""What one symbol's checked sessions become: files that are written aside, and entries ready to be published."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate, pairwise
from typing import Any, Final

import polars as pl

from data import lake
from data.bar import BAR_SCHEMA
from data.calendars import Session
from data.catalog import ENTRY_SCHEMA, Partition, Piece
from data.lake import Stored
from data.pieces import read_pieces
from data.quality import Checked, SessionReport
from data.storage import Storage

# Up to so many new sessions of a symbol and year become a file each, reachable by date; more become one file, which
# is written five times and read three times faster.  A month of nightly runs, or of catching up, stays dated.
DAY_FILES_MAX: Final = 31


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog shows of a batch before it is brought in."""

    shown: dict[tuple[str, date], Partition]
    pieces: list[Piece]
    refused: dict[
        tuple[str, date], tuple[str, ...]
    ]  # findings of what was last refused, by symbol and session
    files: dict[tuple[str, str], int]
    closes: dict[str, float]

    def has_healthy(self, symbol: str, session: date) -> bool:
        shown = self.shown.get((symbol, session))
        return shown is not None and shown.quality != "failed"


@dataclass(frozen=True, slots=True)
class Draft:
    """One symbol of a batch, written aside and not yet published."""

    symbol: str
    files: list[Stored]
    entries: pl.DataFrame  # catalog.ENTRY_SCHEMA, a row per session that changed
    shown: pl.DataFrame  # the bars that will be served
    corrected: list[tuple[datetime, datetime]]  # sessions whose served bars are replaced
    unchanged: int
    quarantined: int
    failed: list[str]


def draft_of(
    storage: Storage,
    dataset: str,
    source: str,
    symbol: str,
    checked: Checked,
    sessions: Sequence[Session],
    known: Known,
    *,
    only_missing: bool,
) -> Draft:
    """Compare with what is visible, write what is new, and describe it."""
    edges = list(accumulate((report.rows for report in checked.sessions), initial=0))
    rows_of = {
        report.day: (start, end)
        for report, (start, end) in zip(checked.sessions, pairwise(edges), strict=True)
    }

    def bars(reports: Sequence[SessionReport]) -> pl.DataFrame:
        """The good rows of these sessions: they are in order of time, so the counts say where each begins."""
        if len(reports) == len(checked.sessions):
            return checked.good
        slices = [checked.good[start:end] for start, end in (rows_of[report.day] for report in reports)]
        return pl.concat(slices) if slices else checked.good.clear()

    shown_before = _shown_before(storage, symbol, sessions, known)
    changed = [
        report
        for report in checked.sessions
        if not _is_unchanged(report, bars, symbol, known, shown_before, only_missing)
    ]
    healthy = [report for report in changed if report.verdict != "failed"]
    files: list[Stored] = []
    path_of: dict[date, str] = {}

    def write(reports: Sequence[SessionReport], period: str) -> None:
        first = known.files.get((symbol, period), 0) + 1
        stored = lake.write(
            storage, dataset, symbol, period, bars(reports), sessions=len(reports), first=first
        )
        files.append(stored)
        path_of.update({report.day: stored.path for report in reports})

    if len(healthy) > DAY_FILES_MAX:
        write(healthy, lake.year_of(healthy[0].day))
    for report in changed:
        if report.day not in path_of:
            write([report], lake.day_of(report.day))
    quarantine = _write_quarantine(storage, dataset, symbol, checked, changed)
    if quarantine:
        files.append(quarantine)
    corrected = {report.day for report in healthy if (symbol, report.day) in known.shown}
    return Draft(
        symbol=symbol,
        files=files,
        entries=_entries(dataset, source, symbol, changed, path_of, known, quarantine),
        shown=bars(healthy),
        corrected=[(each.open_utc, each.close_utc) for each in sessions if each.day in corrected],
        unchanged=len(sessions) - len(changed),
        quarantined=sum(report.quarantined for report in changed),
        failed=[
            f"{symbol} {report.day}: {'; '.join(report.findings)}"
            for report in checked.failed
            if not (only_missing and known.has_healthy(symbol, report.day))
        ],
    )


def _shown_before(
    storage: Storage, symbol: str, sessions: Sequence[Session], known: Known
) -> dict[date, pl.DataFrame]:
    """The bars that are visible now, by session."""
    pieces = [piece for piece in known.pieces if piece.symbol == symbol]
    if not pieces:
        return {}
    bars = read_pieces(storage, pieces).sort("ts_utc")
    edges = bars["ts_utc"].search_sorted(
        pl.Series([session.open_utc for session in sessions], dtype=BAR_SCHEMA["ts_utc"]), side="left"
    )
    bounds = [*edges.to_list(), bars.height]
    return {
        session.day: bars[bounds[place] : bounds[place + 1]]
        for place, session in enumerate(sessions)
        if (symbol, session.day) in known.shown
    }


def _is_unchanged(
    report: SessionReport,
    bars: Callable[[Sequence[SessionReport]], pl.DataFrame],
    symbol: str,
    known: Known,
    shown_before: dict[date, pl.DataFrame],
    only_missing: bool,
) -> bool:
    before = known.shown.get((symbol, report.day))
    if before is None:
        return False
    if only_missing and before.quality != "failed":
        return True
    if (
        report.verdict == "failed" and before.quality != "failed"
    ):  # it will not be shown; is it on record already?
        return known.refused.get((symbol, report.day)) == report.findings
    is_same_verdict = (before.quality, before.findings) == (report.verdict, report.findings)
    return is_same_verdict and bars([report]).equals(shown_before[report.day])


def _write_quarantine(
    storage: Storage, dataset: str, symbol: str, checked: Checked, changed: Sequence[SessionReport]
) -> Stored | None:
    """The bad rows of a batch in one file; which of them belongs to which session, its reason and time tell."""
    if checked.quarantined.is_empty() or not any(report.quarantined for report in changed):
        return None
    period = lake.year_of(changed[0].day) if len(changed) > DAY_FILES_MAX else lake.day_of(changed[0].day)
    return lake.write(storage, f"quarantine/{dataset}", symbol, period, checked.quarantined, sessions=0)


def _entries(
    dataset: str,
    source: str,
    symbol: str,
    reports: Sequence[SessionReport],
    path_of: dict[date, str],
    known: Known,
    quarantine: Stored | None,
) -> pl.DataFrame:
    before = [known.shown.get((symbol, report.day)) for report in reports]
    columns: dict[str, Sequence[Any]] = {
        "session": [report.day for report in reports],
        "path": [path_of[report.day] for report in reports],
        "rows": [report.rows for report in reports],
        "min_ts_utc": [report.first_ts_utc for report in reports],
        "max_ts_utc": [report.last_ts_utc for report in reports],
        "first_open": [report.first_open for report in reports],
        "last_close": [report.last_close for report in reports],
        "quality": [report.verdict for report in reports],
        "findings": [json.dumps(report.findings) for report in reports],
        "quarantined": [report.quarantined for report in reports],
        "quarantine_path": [
            quarantine.path if quarantine and report.quarantined else None for report in reports
        ],
        "based_on": [partition.id if partition else None for partition in before],
        "is_shown": [
            not (report.verdict == "failed" and known.has_healthy(symbol, report.day)) for report in reports
        ],
    }
    frame = pl.DataFrame(columns, schema={name: ENTRY_SCHEMA[name] for name in columns})
    return frame.select(
        pl.lit(dataset).alias("dataset"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(source).alias("source"),
        pl.lit(None, dtype=pl.Int64).alias("revision"),
        *columns,
    ).select(ENTRY_SCHEMA.names())
