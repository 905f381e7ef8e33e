"""Bars for people and programs: what the catalog shows, read from the lake, checked on the way."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import polars as pl

from data import actions, calendars, catalog, listings
from data.actions import Adjustment
from data.bar import BAR_SCHEMA, DAY, step
from data.calendars import NEW_YORK, Session
from data.catalog import Piece
from data.errors import UsageError
from data.ingest import dataset_of
from data.lazy import scan_pieces
from data.pieces import read_pieces
from data.postgres import connect
from data.resample import check_coarser, resample_lazily
from data.settings import get_settings
from data.storage import Storage, lake_storage

Moment = date | datetime


def bars(
    symbols: str | Sequence[str],
    timeframe: str = "1m",
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    resample_to: str | None = None,
    adjusted: Adjustment = "raw",
    database_url: str | None = None,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """The bars of one or several symbols, sorted by symbol and time.

    A date means the whole session, at either end; an instant must carry its zone, and the end instant
    is not included.  `as_of` reads the catalog as it was in that snapshot.  `resample_to` makes coarser bars,
    none of which reaches over the end of its session.  `adjusted` takes "splits", or "all", dividends too, out of
    prices and volumes.
    """
    asked = _Question(names(symbols), timeframe, source, as_of, resample_to, adjusted, database_url)
    found = asked.find(start, end)
    frame = read(found, start, end, storage=storage)
    return frame if asked.is_plain else asked.shape(frame.lazy(), found).collect()


def scan(
    symbols: str | Sequence[str],
    timeframe: str = "1m",
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    resample_to: str | None = None,
    adjusted: Adjustment = "raw",
    database_url: str | None = None,
    storage: Storage | None = None,
) -> pl.LazyFrame:
    """What `bars` gives, as a lazy frame: read and checked when it is collected, and only the columns in use."""
    asked = _Question(names(symbols), timeframe, source, as_of, resample_to, adjusted, database_url)
    found = asked.find(start, end)
    frame = scan_pieces(storage or lake_storage(), found)
    return asked.shape(_cut(frame, start, end).sort("symbol", "ts_utc"), found)


def session_bars(
    symbol: str,
    timeframe: str = "1m",
    first: date | None = None,
    last: date | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    adjusted: Adjustment = "raw",
    database_url: str | None = None,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """One row per session: its date, how many bars it has, its prices and volume."""
    daily = bars(
        symbol, timeframe, first, last, source=source, as_of=as_of, resample_to=DAY, adjusted=adjusted,
        database_url=database_url, storage=storage,
    )  # fmt: skip
    with connect(database_url) as connection:
        held = catalog.partitions(connection, dataset_of(source, timeframe), [symbol], first, last, as_of)
        known = listings.known(connection, source, [symbol])
    calendar = known[symbol].calendar if symbol in known else NEW_YORK
    days = calendars.sessions(held[0].session, held[-1].session, calendar)
    dated = pl.DataFrame(
        {"session": [each.day for each in days], "ts_utc": [each.open_utc for each in days]},
        schema_overrides={"ts_utc": BAR_SCHEMA["ts_utc"]},
    )
    counted = pl.DataFrame({"session": [each.session for each in held], "bars": [each.rows for each in held]})
    return (
        daily.join(dated, on="ts_utc")
        .join(counted, on="session")
        .sort("session")
        .select("session", "bars", "open", "high", "low", "close", pl.col("volume").round().cast(pl.Int64))
    )


def find(
    symbols: Sequence[str],
    timeframe: str = "1m",
    first: date | None = None,
    last: date | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    database_url: str | None = None,
) -> list[Piece]:
    """The files that hold these bars, healthy sessions only; an error names what is not there."""
    step(timeframe)
    if first and last and last < first:
        raise UsageError(f"the range ends ({last}) before it starts ({first})", "Swap the two.")
    dataset = dataset_of(source, timeframe)
    url = database_url or get_settings().postgres()
    with connect(url, autocommit=True) as connection:
        newest = catalog.newest_snapshot(connection)
    if as_of is not None:
        _must_have_been(as_of, newest)
    found = _found(url, dataset, tuple(symbols), first, last, newest if as_of is None else as_of)
    if {piece.symbol for piece in found} != set(symbols):
        with connect(url) as connection:
            known = {row["symbol"] for row in catalog.summary(connection) if row["dataset"] == dataset}
        _must_know(symbols, known, dataset)
    if not found:
        raise UsageError(
            f"{dataset} holds nothing of {', '.join(symbols)} from {first or 'its start'} to {last or 'now'}",
            "See what there is with `./slipway data list`.",
        )
    return list(found)


@lru_cache(maxsize=64)
def _found(
    url: str, dataset: str, symbols: tuple[str, ...], first: date | None, last: date | None, snapshot: int
) -> tuple[Piece, ...]:
    """What a snapshot shows never changes, so the same question is not asked of Postgres twice."""
    with connect(url, autocommit=True) as connection:
        return tuple(catalog.pieces(connection, dataset, symbols, first, last, snapshot))


def find_near(
    symbols: Sequence[str],
    timeframe: str,
    start: Moment | None,
    end: Moment | None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    database_url: str | None = None,
) -> list[Piece]:
    """As `find`, for a range that may begin or end with an instant."""
    first, last = _session_near(start, -1), _session_near(end, 1)
    if isinstance(start, datetime) and isinstance(end, datetime) and end <= start:
        raise UsageError(f"the range ends ({end}) before it starts ({start})", "Swap the two.")
    return find(symbols, timeframe, first, last, source=source, as_of=as_of, database_url=database_url)


def read(
    pieces: Sequence[Piece],
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """The rows of these files, every byte checked against the catalog, by symbol and time."""
    frame = read_pieces(storage or lake_storage(), pieces)
    in_order = all((one.symbol, one.last) < (next_.symbol, next_.first) for one, next_ in pairwise(pieces))
    frame = frame if in_order else frame.sort("symbol", "ts_utc")
    if isinstance(start, datetime) or isinstance(end, datetime):
        frame = _cut(frame.lazy(), start, end).collect()
    return frame


class _Question:
    """What somebody asks for, beside the range."""

    def __init__(
        self,
        symbols: list[str],
        timeframe: str,
        source: str,
        as_of: int | None,
        resample_to: str | None,
        adjusted: Adjustment,
        database_url: str | None,
    ) -> None:
        step(timeframe)
        actions.check_adjustment(adjusted)
        if resample_to is not None:
            check_coarser(timeframe, resample_to)
        self.symbols, self.timeframe, self.source, self.as_of = symbols, timeframe, source, as_of
        self.coarser = resample_to or timeframe
        self.adjusted: Adjustment = adjusted
        self.database_url = database_url

    @property
    def is_plain(self) -> bool:
        return self.adjusted == "raw" and self.coarser == self.timeframe

    def find(self, start: Moment | None, end: Moment | None) -> list[Piece]:
        return find_near(
            self.symbols, self.timeframe, start, end,
            source=self.source, as_of=self.as_of, database_url=self.database_url,
        )  # fmt: skip

    def shape(self, frame: pl.LazyFrame, found: Sequence[Piece]) -> pl.LazyFrame:
        """Adjusted, then made coarser, as asked."""
        if self.is_plain:
            return frame
        days = self._sessions(min(piece.first for piece in found), max(piece.last for piece in found))
        if self.adjusted != "raw":
            frame = self._adjust(frame)
        if self.coarser != self.timeframe:
            frame = pl.concat(
                resample_lazily(
                    frame.filter(pl.col("symbol").is_in(members)), sessions, self.timeframe, self.coarser
                )
                for members, sessions in days
            ).sort("symbol", "ts_utc")
        return frame

    def _sessions(self, first: date, last: date) -> list[tuple[list[str], list[Session]]]:
        """The symbols by calendar, with that calendar's sessions."""
        by_calendar: dict[str, list[str]] = {}
        with connect(self.database_url) as connection:
            known = listings.known(connection, self.source, self.symbols)
        for symbol in self.symbols:
            calendar = known[symbol].calendar if symbol in known else NEW_YORK
            by_calendar.setdefault(calendar, []).append(symbol)
        return [
            (members, calendars.sessions(first, last, calendar)) for calendar, members in by_calendar.items()
        ]

    def _adjust(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        with connect(self.database_url) as connection:
            told = actions.wanted(
                actions.known(connection, self.source, self.symbols, self.as_of), self.adjusted
            )
            known = listings.known(connection, self.source, self.symbols)
            dataset = dataset_of(self.source, self.timeframe)
            dated = [
                {
                    "symbol": symbol,
                    "session": day,
                    "open_utc": calendars.session_from(day, known[symbol].calendar).open_utc,
                    "close_before": catalog.last_closes(connection, dataset, [symbol], day).get(symbol),
                }
                for symbol, day in told.select("symbol", "session")
                .unique()
                .sort("symbol", "session")
                .iter_rows()
            ]
        return actions.adjust(frame, told, actions.dated(dated), self.adjusted)


def names(symbols: str | Sequence[str]) -> list[str]:
    return [symbols] if isinstance(symbols, str) else list(dict.fromkeys(symbols))


def _must_know(symbols: Sequence[str], known: set[str], dataset: str) -> None:
    for symbol in symbols:
        if symbol not in known:
            there = ", ".join(sorted(known)) or "none yet"
            raise UsageError(
                f"no bars of {symbol!r} are in {dataset}",
                f"Ingest them with `./slipway data ingest {symbol}`; there are: {there}.",
            )


def _must_have_been(as_of: int, newest: int) -> None:
    if not 1 <= as_of <= newest:
        raise UsageError(
            f"there is no snapshot {as_of}",
            f"Use one from 1 to {newest}." if newest else "Ingest bars first: `./slipway data ingest`.",
        )


def _cut(frame: pl.LazyFrame, start: Moment | None, end: Moment | None) -> pl.LazyFrame:
    if isinstance(start, datetime):
        frame = frame.filter(pl.col("ts_utc") >= instant(start))
    if isinstance(end, datetime):
        frame = frame.filter(pl.col("ts_utc") < instant(end))
    return frame


def _session_near(moment: Moment | None, days: int) -> date | None:
    """A date is a session; an instant may lie in a session that is dated a day off, east or west of Greenwich."""
    return instant(moment).date() + timedelta(days=days) if isinstance(moment, datetime) else moment


def instant(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise UsageError(f"{moment} has no time zone", f"Say which, for example {moment.isoformat()}+00:00.")
    return moment.astimezone(UTC)
