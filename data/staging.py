"""What one symbol's checked sessions become: files that are written aside, and entries ready to be published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from data import lake
from data.bar import BAR_SCHEMA
from data.calendars import Session
from data.catalog import ENTRY_SCHEMA, Partition, Piece
from data.lake import Stored
from data.pieces import read_pieces
from data.quality import FAILED, Checked
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
        return shown is not None and shown.quality != FAILED


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
    last_close: float | None  # of the newest session with a bar


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
    report = checked.sessions
    is_known = any((symbol, session.day) in known.shown for session in sessions)
    changed = (
        report.filter(~_unchanged(storage, symbol, checked, sessions, known, only_missing))
        if is_known
        else report
    )
    healthy = changed.filter(pl.col("quality") != FAILED)
    # Sessions that go into a file together: a year of them, or each its own.
    groups = [healthy] if healthy.height > DAY_FILES_MAX else [healthy[at] for at in range(healthy.height)]
    groups += [each for each in changed.filter(pl.col("quality") == FAILED).iter_slices(1)]
    files: list[Stored] = []
    entries: list[pl.DataFrame] = []
    for group in groups:
        first = group["session"][0]
        period = lake.year_of(first) if group.height > 1 else lake.day_of(first)
        number = known.files.get((symbol, period), 0) + 1
        frame = _bars(checked, group)
        files.append(lake.write(storage, dataset, symbol, period, frame, sessions=group.height, first=number))
        entries.append(group.with_columns(pl.lit(files[-1].path).alias("path")))
    quarantine = _write_quarantine(storage, dataset, symbol, checked, changed)
    files += [quarantine] if quarantine else []
    shown = [session for session in sessions if (symbol, session.day) in known.shown]
    replaced = set(healthy["session"]) if shown else set()
    return Draft(
        symbol=symbol,
        files=files,
        entries=_entries(dataset, source, symbol, entries, known, quarantine),
        shown=_bars(checked, healthy),
        corrected=[(each.open_utc, each.close_utc) for each in shown if each.day in replaced],
        unchanged=report.height - changed.height,
        quarantined=int(changed["quarantined"].sum()),
        failed=[
            f"{symbol} {day}: {'; '.join(json.loads(findings))}"
            for day, findings in report.filter(pl.col("quality") == FAILED)
            .select("session", "findings")
            .iter_rows()
            if not (only_missing and known.has_healthy(symbol, day))
        ],
        last_close=checked.good["close"][-1] if checked.good.height else None,
    )


def _bars(checked: Checked, sessions: pl.DataFrame) -> pl.DataFrame:
    """The good rows of these sessions: they are in order of time, so the counts say where each begins."""
    if sessions.height == checked.sessions.height:
        return checked.good
    ends = checked.sessions.select("session", "rows", pl.col("rows").cum_sum().alias("end"))
    spans = sessions.select("session").join(ends, on="session", maintain_order="left")
    parts = [checked.good[end - rows : end] for rows, end in spans.select("rows", "end").iter_rows()]
    return pl.concat(parts) if parts else checked.good.clear()


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


def _unchanged(
    storage: Storage,
    symbol: str,
    checked: Checked,
    sessions: Sequence[Session],
    known: Known,
    only_missing: bool,
) -> pl.Series:
    """Which sessions the catalog has already, as they were told now."""
    shown_before = _shown_before(storage, symbol, sessions, known)
    flags = []
    end = 0
    for row in checked.sessions.iter_rows(named=True):
        start, end = end, end + row["rows"]
        day, findings = row["session"], tuple(json.loads(row["findings"]))
        before = known.shown.get((symbol, day))
        if before is None:
            flags.append(False)
        elif only_missing and before.quality != FAILED:
            flags.append(True)
        elif row["quality"] == FAILED and before.quality != FAILED:
            flags.append(known.refused.get((symbol, day)) == findings)  # not to be shown; on record already?
        else:
            is_same_verdict = (before.quality, before.findings) == (row["quality"], findings)
            flags.append(is_same_verdict and checked.good[start:end].equals(shown_before[day]))
    return pl.Series(flags, dtype=pl.Boolean)


def _write_quarantine(
    storage: Storage, dataset: str, symbol: str, checked: Checked, changed: pl.DataFrame
) -> Stored | None:
    """The bad rows of a batch in one file; which of them belongs to which session, its reason and time tell."""
    if checked.quarantined.is_empty() or not changed["quarantined"].sum():
        return None
    first = changed["session"][0]
    period = lake.year_of(first) if changed.height > DAY_FILES_MAX else lake.day_of(first)
    return lake.write(storage, f"quarantine/{dataset}", symbol, period, checked.quarantined, sessions=0)


def _entries(
    dataset: str,
    source: str,
    symbol: str,
    groups: list[pl.DataFrame],
    known: Known,
    quarantine: Stored | None,
) -> pl.DataFrame:
    if not groups:
        return pl.DataFrame(schema=ENTRY_SCHEMA)
    rows = pl.concat(groups)
    days = rows["session"].to_list()
    before = [known.shown.get((symbol, day)) for day in days] if known.shown else [None] * len(days)
    healthy = [each is not None and each.quality != FAILED for each in before]
    return rows.with_columns(
        pl.lit(dataset).alias("dataset"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(source).alias("source"),
        pl.lit(None, dtype=pl.Int64).alias("revision"),
        pl.when(pl.col("quarantined") > 0)
        .then(pl.lit(quarantine.path if quarantine else None, dtype=pl.String))
        .alias("quarantine_path"),
        pl.Series("based_on", [each.id if each else None for each in before], dtype=pl.Int64),
        (~((pl.col("quality") == FAILED) & pl.Series(healthy, dtype=pl.Boolean))).alias("is_shown"),
    ).select(ENTRY_SCHEMA.names())
