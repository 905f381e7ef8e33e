"""Write → audit → publish: how bars get from a source into the lake, the catalog and the candles."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import polars as pl
from psycopg import Connection
from psycopg.rows import DictRow

from data import actions, candles, catalog, listings, quality
from data.bar import BAR_SCHEMA, DAY, step
from data.calendars import Session, sessions
from data.catalog import Overtaken
from data.errors import Corrupt, Unavailable, UsageError
from data.instruments import Instrument, checked_symbol
from data.postgres import connect
from data.progress import Progress, silent
from data.settings import DataSettings, get_settings
from data.sources import Source
from data.staging import Draft, Known, draft_of
from data.storage import Storage, lake_storage

BATCH_ROWS: Final = 1_000_000  # what is in memory at a time, whatever the range: some 250 MB with all copies
PAGE_ROWS: Final = 10_000  # the most that vendors answer at once
WRITERS: Final = max(4, os.cpu_count() or 1)  # they also wait: for fsync, or for a bucket
ATTEMPTS_MAX: Final = 10  # at a batch that other writers keep overtaking


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one ingest did.  `unchanged` sessions were there already, value for value."""

    dataset: str
    published: int
    unchanged: int
    rows: int
    quarantined: int
    failed: tuple[str, ...]
    snapshot: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Some symbols of one calendar over some sessions of one year: one transaction."""

    symbols: tuple[str, ...]
    sessions: tuple[Session, ...]
    start: datetime
    end: datetime

    @property
    def size(self) -> int:
        return len(self.symbols) * len(self.sessions)

    def without(self, known: Known) -> "Batch":
        """The symbols of which a session has no healthy bars, and the range of such sessions."""
        missing = [
            (symbol, place)
            for symbol in self.symbols
            for place, session in enumerate(self.sessions)
            if not known.has_healthy(symbol, session.day)
        ]
        if not missing:
            return replace(self, symbols=(), sessions=())
        places = [place for _, place in missing]
        first, last = min(places), max(places)
        return Batch(
            tuple(dict.fromkeys(symbol for symbol, _ in missing)),
            self.sessions[first : last + 1],
            self.start if first == 0 else self.sessions[first].open_utc,
            self.end if last == len(self.sessions) - 1 else self.sessions[last].close_utc,
        )


@dataclass(frozen=True, slots=True)
class Drafted:
    """A batch that is written aside, with what the source told of it."""

    batch: Batch
    told: dict[str, pl.DataFrame]
    closes: dict[str, float]  # before its first session, by symbol
    drafts: list[Draft]
    skipped: int  # sessions that were not asked for, since healthy bars of them are there


@dataclass(slots=True)
class _Tally:
    published: int = 0
    unchanged: int = 0
    rows: int = 0
    quarantined: int = 0
    failed: list[str] = field(default_factory=list)


def dataset_of(source: str, timeframe: str) -> str:
    return f"bars/{source}/{timeframe}"


def ingest(
    source: Source,
    symbols: Sequence[str],
    first: date,
    last: date,
    timeframe: str = "1m",
    *,
    only_missing: bool = False,
    with_candles: bool = True,
    storage: Storage | None = None,
    database_url: str | None = None,
    settings: DataSettings | None = None,
    progress: Progress = silent,
    now: datetime | None = None,
) -> Ingested:
    """Bring `symbols` up to date from `first` to `last`.  Running it again changes nothing.

    With `only_missing`, sessions of which healthy bars are there are not asked for again.  Each batch is one
    transaction, so a crash leaves whole batches, and the next run goes on behind them.
    """
    settings = settings or get_settings()
    now = now or datetime.now(UTC)
    step(timeframe)
    instruments = [source.instrument(checked_symbol(symbol)) for symbol in dict.fromkeys(symbols)]
    batches = plan(instruments, first, last, timeframe, now)
    writer = _Writer(
        source,
        timeframe,
        only_missing,
        with_candles,
        last,
        storage or lake_storage(settings),
        database_url,
        settings,
        now,
    )
    total = sum(batch.size for batch in batches)
    done = 0
    with connect(database_url) as connection:
        listings.enter(connection, source.name, instruments)
        writer.learn_actions(connection, [each.symbol for each in instruments], first, last)
    # While Postgres commits one batch, the next is fetched and written.
    with ThreadPoolExecutor(1, thread_name_prefix="publish") as publisher:
        pending: Future[None] | None = None
        for batch in batches:
            progress(done, total, f"{batch.sessions[0].day:%Y-%m} {batch.symbols[0]}")
            drafted = writer.draft(batch)
            if pending:
                pending.result()
            pending = publisher.submit(writer.publish, drafted)
            done += batch.size
        if pending:
            pending.result()
    progress(total, total, "done")
    with connect(database_url) as connection:
        snapshot = catalog.newest_snapshot(connection)
    tally = writer.tally
    return Ingested(
        writer.dataset,
        tally.published,
        tally.unchanged,
        tally.rows,
        tally.quarantined,
        tuple(tally.failed),
        snapshot,
    )


def plan(
    instruments: Iterable[Instrument], first: date, last: date, timeframe: str, now: datetime
) -> list[Batch]:
    """The batches that cover the range, year by year; none holds more rows than memory should."""
    by_calendar: dict[str, list[Instrument]] = {}
    for instrument in instruments:
        if instrument.listed and first < instrument.listed:
            raise UsageError(
                f"{instrument.symbol} has no bars before {instrument.listed}", "Start on that day or later."
            )
        by_calendar.setdefault(instrument.calendar, []).append(instrument)
    batches = []
    for calendar, members in by_calendar.items():
        days = sessions(first, last, calendar)
        if not days:
            raise UsageError(
                f"there is no trading session from {first} to {last}", "Pick a range with a weekday in it."
            )
        _must_be_over(days[-1], now)
        for year in range(first.year, last.year + 1):
            of_year = tuple(session for session in days if session.day.year == year)
            if not of_year:
                continue
            size = max(1, BATCH_ROWS // max(1, _rows(of_year, timeframe)))
            start = _midnight(max(first, date(year, 1, 1)))
            end = max(of_year[-1].close_utc, _midnight(min(last, date(year, 12, 31)) + timedelta(days=1)))
            names = [member.symbol for member in members]
            batches += [
                Batch(tuple(names[at : at + size]), of_year, start, end) for at in range(0, len(names), size)
            ]
    return batches


def _rows(days: Sequence[Session], timeframe: str) -> int:
    """How many bars a symbol has on these sessions."""
    if timeframe == DAY:
        return len(days)
    every = step(timeframe)
    return sum((session.close_utc - session.open_utc) // every for session in days)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _must_be_over(session: Session, now: datetime) -> None:
    """A session that still trades would enter the catalog as if it were complete."""
    if session.close_utc > now:
        raise UsageError(
            f"the session {session.day} is not over, it closes at {session.close_utc:%Y-%m-%d %H:%M} UTC",
            "End on an earlier day, or come back after the close.",
        )


@dataclass(slots=True)
class _Writer:
    """Takes one batch after the other from the source to the catalog."""

    source: Source
    timeframe: str
    only_missing: bool
    with_candles: bool
    last: date  # of all batches: what is long before it is for the lake only
    storage: Storage
    database_url: str | None
    settings: DataSettings
    now: datetime
    tally: _Tally = field(default_factory=_Tally)
    actions: pl.DataFrame = field(default_factory=pl.DataFrame)
    # The last closes of the batch before, which may not be committed yet when the next is checked.
    closes: dict[str, float] = field(default_factory=dict)

    @property
    def dataset(self) -> str:
        return dataset_of(self.source.name, self.timeframe)

    def learn_actions(
        self, connection: Connection[DictRow], symbols: Sequence[str], first: date, last: date
    ) -> None:
        """Splits and dividends of the range, entered before the bars that they explain."""
        told = self.source.actions(symbols, first, last)
        if not (fresh := actions.news(connection, self.source.name, told)).is_empty():
            snapshot = catalog.open_snapshot(connection, note=f"actions of {self.source.name}")
            actions.record(connection, self.source.name, fresh, snapshot)
        self.actions = actions.known(connection, self.source.name, symbols)

    def draft(self, batch: Batch) -> Drafted:
        """Fetch, check and write aside one batch."""
        known = self._known(batch)
        whole = batch
        if self.only_missing:
            batch = batch.without(known)
        told: dict[str, pl.DataFrame] = {}
        closes = known.closes | self.closes
        drafts = self._draft(batch, told, known, closes)
        self.closes = closes | {
            each.symbol: each.last_close for each in drafts if each.last_close is not None
        }
        return Drafted(batch, told, closes, drafts, skipped=whole.size - batch.size)

    def publish(self, drafted: Drafted) -> None:
        """Make a batch visible; compare again when another writer was quicker."""
        drafts = drafted.drafts
        for _ in range(ATTEMPTS_MAX):
            try:
                self._publish(drafted.batch, drafts)
            except Overtaken:
                known = self._known(drafted.batch)
                drafts = self._draft(drafted.batch, drafted.told, known, drafted.closes)
                continue
            self._count(drafts)
            self.tally.unchanged += drafted.skipped
            return
        raise Unavailable(
            f"{self.dataset} kept changing under {ATTEMPTS_MAX} attempts to publish",
            "Run the same command again.",
        )

    def _known(self, batch: Batch) -> Known:
        first, last = batch.sessions[0].day, batch.sessions[-1].day
        with connect(self.database_url) as connection:
            shown = catalog.partitions(connection, self.dataset, batch.symbols, first, last)
            symbols_shown = sorted({partition.symbol for partition in shown})
            return Known(
                shown={(partition.symbol, partition.session): partition for partition in shown},
                pieces=catalog.pieces(connection, self.dataset, symbols_shown, first, last, healthy=False)
                if shown
                else [],
                refused=catalog.refused(connection, self.dataset, batch.symbols, first, last),
                files=catalog.files_by_period(connection, self.dataset, batch.symbols),
                closes=catalog.last_closes(connection, self.dataset, batch.symbols, first),
            )

    def _draft(
        self, batch: Batch, told: dict[str, pl.DataFrame], known: Known, closes: dict[str, float]
    ) -> list[Draft]:
        """Check and write aside; while one symbol is written, the next is asked for.  `told` keeps the answers."""

        def draft(symbol: str) -> Draft:
            checked = quality.check(
                told[symbol],
                batch.sessions,
                self.timeframe,
                self.settings.limits(),
                now=self.now,
                splits=actions.splits_of(self.actions, symbol),
                close_before=closes.get(symbol),
            )
            return draft_of(
                self.storage, self.dataset, self.source.name, symbol, checked, batch.sessions, known,
                only_missing=self.only_missing,
            )  # fmt: skip

        # A vendor answers many symbols at once, but no faster when each of them fills pages.
        symbols = batch.symbols
        size = 1 if _rows(batch.sessions, self.timeframe) >= PAGE_ROWS else max(1, len(symbols))
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="ingest") as pool:
            drafts = []
            for at in range(0, len(symbols), size):
                group = symbols[at : at + size]
                if not told.keys() >= set(group):
                    told.update(self._fetch(batch, group))
                drafts += [pool.submit(draft, symbol) for symbol in group]
            return [each.result() for each in drafts]

    def _fetch(self, batch: Batch, symbols: Sequence[str]) -> dict[str, pl.DataFrame]:
        told = self.source.history(symbols, batch.start, batch.end, self.timeframe)
        if dict(told.schema) != dict(BAR_SCHEMA):
            raise Corrupt(
                f"the source {self.source.name} answered with the columns {dict(told.schema)}",
                "This is a defect of the source; report it.",
            )
        if len(symbols) == 1:
            found = {symbols[0]: told}
            strange = told.filter(pl.col("symbol") != symbols[0])["symbol"].unique().to_list()
        else:
            split = told.partition_by("symbol", as_dict=True, maintain_order=True)
            found = {str(key[0]): frame for key, frame in split.items()}
            strange = sorted(set(found) - set(symbols))
        if strange:
            raise Corrupt(
                f"the source {self.source.name} answered with {strange[0]!r}, which nobody asked for",
                "This is a defect of the source; report it.",
            )
        return {symbol: found.get(symbol, told.clear()) for symbol in symbols}

    def _publish(self, batch: Batch, drafts: list[Draft]) -> None:
        changed = [draft for draft in drafts if draft.entries.height]
        if not changed:
            return
        with connect(self.database_url) as connection:
            catalog.publish(
                connection,
                [file for draft in changed for file in draft.files],
                pl.concat([draft.entries for draft in changed]),
                note=f"ingest {self.dataset} {batch.sessions[0].day} to {batch.sessions[-1].day}",
            )
            if self.with_candles:
                self._chart(connection, changed)

    def _chart(self, connection: Connection[DictRow], changed: list[Draft]) -> None:
        """The newest of what is served, as candles: in the same transaction, so that charts never differ."""
        newest = max(filter(None, (catalog.newest_session(connection, self.dataset), self.last)))
        since = _midnight(candles.oldest_kept(newest, self.settings.candles_keep_days))
        for draft in changed:
            for start, end in draft.corrected:
                candles.remove(connection, self.source.name, self.timeframe, draft.symbol, start, end)
        fresh = pl.concat([draft.shown.filter(pl.col("ts_utc") >= since) for draft in changed])
        candles.upsert(connection, self.source.name, self.timeframe, fresh)

    def _count(self, drafts: list[Draft]) -> None:
        for draft in drafts:
            self.tally.published += draft.entries.height
            self.tally.unchanged += draft.unchanged
            self.tally.rows += draft.shown.height
            self.tally.quarantined += draft.quarantined
            self.tally.failed += draft.failed
