"""The index of what the lake holds: every session of every symbol, every revision, and what was visible when.

A snapshot id is the catalog as one transaction left it.  Publishing is serialised by an advisory
lock, so ids rise in the order in which publications became visible.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date, datetime
from typing import Any, Final

import polars as pl
from psycopg import Connection
from psycopg.rows import DictRow

from data.lake import Stored
from data.postgres import one

PUBLISH_LOCK: Final = 7_541_002  # any constant; every publisher meets on it

_INSTANT: Final = pl.Datetime("us", "UTC")
# What a publisher hands over, a row per session.  `based_on` is the row of the catalog that the writer compared
# with, null when it saw none: if another is visible by now, somebody else was quicker.
ENTRY_SCHEMA: Final = pl.Schema(
    {
        "dataset": pl.String(),
        "symbol": pl.String(),
        "session": pl.Date(),
        "path": pl.String(),
        "rows": pl.Int64(),
        "min_ts_utc": _INSTANT,
        "max_ts_utc": _INSTANT,
        "first_open": pl.Float64(),
        "last_close": pl.Float64(),
        "quality": pl.String(),
        "findings": pl.String(),  # a JSON list of sentences
        "quarantined": pl.Int64(),
        "quarantine_path": pl.String(),
        "source": pl.String(),
        "based_on": pl.Int64(),
        "revision": pl.Int64(),  # null: the next one; a compaction names the one it moves
        "is_shown": pl.Boolean(),  # false: on record only, for what is visible is healthy and this is not
    }
)


class Overtaken(Exception):
    """Another writer published one of these sessions since they were compared: compare again."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One session of one symbol, as the catalog shows it."""

    id: int
    dataset: str
    symbol: str
    session: date
    revision: int
    path: str
    rows: int
    min_ts_utc: datetime | None
    max_ts_utc: datetime | None
    first_open: float | None
    last_close: float | None
    sha256: str
    quality: str
    findings: tuple[str, ...]
    quarantined: int
    quarantine_path: str | None
    source: str
    since: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be read of one file: all of it, or the spans of those of its sessions that are wanted."""

    path: str
    symbol: str
    sha256: str
    blake3: str | None
    first: date
    last: date
    rows: int
    since: int  # the snapshot in which its newest session appeared
    spans: tuple[tuple[datetime, datetime], ...] | None  # first and last bar of each session; None: all


_COLUMNS: Final = (
    "c.id, c.dataset, c.symbol, c.session, c.revision, f.path, c.rows, c.min_ts_utc, c.max_ts_utc, c.first_open, "
    "c.last_close, f.sha256, c.quality, c.findings, c.quarantined, q.path as quarantine_path, c.source, c.since"
)
_VISIBLE: Final = (
    "case when %(as_of)s::bigint is null then c.until is null "
    "else c.since <= %(as_of)s and (c.until is null or c.until > %(as_of)s) end"
)
_SELECTED: Final = f"""
    c.dataset = %(dataset)s
    and (%(symbols)s::text[] is null or c.symbol = any (%(symbols)s))
    and (%(first)s::date is null or c.session >= %(first)s)
    and (%(last)s::date is null or c.session <= %(last)s)
    and {_VISIBLE}
"""

_NEWEST_REVISION: Final = (
    "coalesce((select max(c.revision) from catalog c "
    "where c.dataset = i.dataset and c.symbol = i.symbol and c.session = i.session), 0)"
)


def publish(
    connection: Connection[DictRow], files: Iterable[Stored], entries: pl.DataFrame, note: str = ""
) -> int:
    """Enter sessions in the catalog, superseding what they replace.  Returns the new snapshot id.

    The caller commits.  Raises Overtaken, with nothing entered, when another writer was quicker.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [PUBLISH_LOCK])
    _hand_over(connection, entries)
    # Of a backfill nothing was ever there: one look spares comparing session by session.
    is_new = not entries["based_on"].is_not_null().any() and not _are_on_record(connection, entries)
    if not is_new:
        _must_not_be_overtaken(connection)
    _enter_files(connection, files)
    snapshot = open_snapshot(connection, note)
    if not is_new:
        connection.execute(
            "update catalog c set until = %s, superseded_at = clock_timestamp() from incoming_sessions i "
            "where i.is_shown and c.id = i.based_on",
            [snapshot],
        )
    newest = "0" if is_new else _NEWEST_REVISION
    connection.execute(
        f"""
        insert into catalog (dataset, symbol, session, revision, file_id, rows, min_ts_utc, max_ts_utc, first_open,
                             last_close, quality, findings, quarantined, quarantine_file_id, source, since, until)
        select i.dataset, i.symbol, i.session,
               coalesce(i.revision, 1 + {newest}),
               f.id, i.rows, i.min_ts_utc, i.max_ts_utc, i.first_open, i.last_close, i.quality, i.findings::jsonb,
               i.quarantined, q.id, i.source, %(snapshot)s, case when not i.is_shown then %(snapshot)s end
        from incoming_sessions i
        join lake_files f on f.path = i.path left join lake_files q on q.path = i.quarantine_path
        order by i.symbol, i.session
        """,
        {"snapshot": snapshot},
    )
    return snapshot


def _are_on_record(connection: Connection[DictRow], entries: pl.DataFrame) -> bool:
    """Whether the catalog has anything of these symbols between the first and the last of these sessions."""
    found = connection.execute(
        "select from catalog where dataset = any (%s) and symbol = any (%s) and session between %s and %s limit 1",
        [
            entries["dataset"].unique().to_list(),
            entries["symbol"].unique().to_list(),
            entries["session"].min(),
            entries["session"].max(),
        ],
    ).fetchone()
    return found is not None


def _must_not_be_overtaken(connection: Connection[DictRow]) -> None:
    connection.execute(
        "analyze incoming_sessions"
    )  # or Postgres plans for a table of a thousand rows it never saw
    overtaken = connection.execute(
        "select i.symbol, i.session from incoming_sessions i left join catalog c "
        "on c.dataset = i.dataset and c.symbol = i.symbol and c.session = i.session and c.until is null "
        "where c.id is distinct from i.based_on limit 1"
    ).fetchone()
    if overtaken:
        raise Overtaken(f"{overtaken['symbol']} {overtaken['session']}")


def open_snapshot(connection: Connection[DictRow], note: str) -> int:
    """A new snapshot id, for what this transaction enters; the lock is held until it ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", [PUBLISH_LOCK])
    return int(one(connection.execute("insert into snapshots (note) values (%s) returning id", [note]))["id"])


def _hand_over(connection: Connection[DictRow], entries: pl.DataFrame) -> None:
    connection.execute(
        """
        create temporary table if not exists incoming_sessions (
            dataset text, symbol text, session date, path text, rows int, min_ts_utc timestamptz,
            max_ts_utc timestamptz, first_open float8, last_close float8, quality text, findings text,
            quarantined int, quarantine_path text, source text, based_on bigint, revision int, is_shown boolean
        ) on commit drop
        """
    )
    connection.execute("truncate incoming_sessions")
    ordered = entries.select(ENTRY_SCHEMA.names())
    with connection.cursor().copy("copy incoming_sessions from stdin (format csv)") as copy:
        copy.write(ordered.write_csv(include_header=False))


def _enter_files(connection: Connection[DictRow], files: Iterable[Stored]) -> None:
    columns = ", ".join(field.name for field in fields(Stored))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into lake_files ({columns}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (path) do nothing",
            [astuple(file) for file in files],
        )


def newest_snapshot(connection: Connection[DictRow]) -> int:
    """The id of the catalog as it is now; 0 when nothing was ever published."""
    return int(one(connection.execute("select coalesce(max(id), 0) as id from snapshots"))["id"])


def partitions(
    connection: Connection[DictRow],
    dataset: str,
    symbols: Sequence[str] | None = None,
    first: date | None = None,
    last: date | None = None,
    as_of: int | None = None,
) -> list[Partition]:
    """The sessions visible in snapshot `as_of` (now when None), by symbol and session."""
    rows = connection.execute(
        f"select {_COLUMNS} from catalog c join lake_files f on f.id = c.file_id "
        f"left join lake_files q on q.id = c.quarantine_file_id where {_SELECTED} order by c.symbol, c.session",
        _selection(dataset, symbols, first, last, as_of),
    ).fetchall()
    return [Partition(**{**row, "findings": tuple(row["findings"])}) for row in rows]


def pieces(
    connection: Connection[DictRow],
    dataset: str,
    symbols: Sequence[str] | None = None,
    first: date | None = None,
    last: date | None = None,
    as_of: int | None = None,
    *,
    healthy: bool = True,
) -> list[Piece]:
    """What to read for these sessions, file by file, by symbol and session; only healthy sessions unless asked."""
    wanted = _selection(dataset, symbols, first, last, as_of)
    condition = _SELECTED + (" and c.quality <> 'failed'" if healthy else "")
    rows = connection.execute(
        f"""
        with shown as materialized (  -- so that each file is looked up once, not once a session
            select file_id, min(session) as first, max(session) as last, sum(rows)::bigint as rows,
                   max(since) as since, count(*) as sessions
            from catalog c where {condition} group by file_id
        )
        select f.id, f.path, f.symbol, f.sha256, f.blake3, s.first, s.last, s.rows, s.since,
               s.sessions < f.sessions as is_part
        from shown s join lake_files f on f.id = s.file_id order by f.symbol, s.first, f.id
        """,
        wanted,
    ).fetchall()
    parts = [row["id"] for row in rows if row["is_part"]]
    spans = _spans(connection, condition, wanted, parts) if parts else {}
    return [
        Piece(
            row["path"], row["symbol"], row["sha256"], row["blake3"], row["first"], row["last"], row["rows"],
            row["since"], spans.get(row["id"], ()) if row["is_part"] else None,
        )
        for row in rows
    ]  # fmt: skip


def _spans(
    connection: Connection[DictRow], condition: str, wanted: Mapping[str, Any], files: list[int]
) -> dict[int, tuple[tuple[datetime, datetime], ...]]:
    rows = connection.execute(
        f"""
        select c.file_id, array_agg(c.min_ts_utc order by c.min_ts_utc) as starts,
               array_agg(c.max_ts_utc order by c.min_ts_utc) as ends
        from catalog c where c.file_id = any (%(files)s) and c.rows > 0 and {condition} group by c.file_id
        """,
        {**wanted, "files": files},
    ).fetchall()
    return {row["file_id"]: tuple(zip(row["starts"], row["ends"], strict=True)) for row in rows}


def last_closes(
    connection: Connection[DictRow], dataset: str, symbols: Sequence[str], before: date
) -> dict[str, float]:
    """The last close of each symbol before a session."""
    rows = connection.execute(
        "select s.symbol, c.last_close from unnest(%(symbols)s::text[]) as s (symbol) cross join lateral ("
        "  select last_close from catalog c where c.dataset = %(dataset)s and c.symbol = s.symbol "
        "  and c.session < %(before)s and c.until is null and c.quality <> 'failed' order by session desc limit 1) c",
        {"symbols": list(symbols), "dataset": dataset, "before": before},
    ).fetchall()
    return {row["symbol"]: row["last_close"] for row in rows if row["last_close"] is not None}


def newest_session(connection: Connection[DictRow], dataset: str) -> date | None:
    """The newest session of a dataset that is visible, of any symbol."""
    found: date | None = one(
        connection.execute(
            "select max(session) as newest from catalog where dataset = %s and until is null", [dataset]
        )
    )["newest"]
    return found


def unhealthy(
    connection: Connection[DictRow], dataset: str, symbols: Sequence[str], until: date
) -> dict[str, str]:
    """The symbols whose newest session up to a day failed its checks, and what was found."""
    rows = connection.execute(
        "select s.symbol, c.session, c.findings from unnest(%(symbols)s::text[]) as s (symbol) cross join lateral ("
        "  select session, quality, findings from catalog c where c.dataset = %(dataset)s and c.symbol = s.symbol "
        "  and c.session <= %(until)s and c.until is null order by session desc limit 1) c where c.quality = 'failed'",
        {"symbols": list(symbols), "dataset": dataset, "until": until},
    ).fetchall()
    return {
        row["symbol"]: f"the bars of {row['symbol']} failed their checks on {row['session']}: "
        + ", ".join(row["findings"])
        for row in rows
    }


def refused(
    connection: Connection[DictRow], dataset: str, symbols: Sequence[str], first: date, last: date
) -> dict[tuple[str, date], tuple[str, ...]]:
    """The findings of what was last refused, for a healthy revision was visible, by symbol and session."""
    rows = connection.execute(
        "select distinct on (symbol, session) symbol, session, findings from catalog "
        "where dataset = %s and symbol = any (%s) and session between %s and %s and until = since "
        "order by symbol, session, id desc",
        [dataset, list(symbols), first, last],
    ).fetchall()
    return {(row["symbol"], row["session"]): tuple(row["findings"]) for row in rows}


def files_by_period(
    connection: Connection[DictRow], dataset: str, symbols: Sequence[str]
) -> dict[tuple[str, str], int]:
    """How many files each symbol and period has had: where the next one begins to look for a free number."""
    rows = connection.execute(
        "select symbol, period, count(*) as files from lake_files where dataset = %s and symbol = any (%s) "
        "group by symbol, period",
        [dataset, list(symbols)],
    ).fetchall()
    return {(row["symbol"], row["period"]): row["files"] for row in rows}


def known_files(connection: Connection[DictRow]) -> list[dict[str, Any]]:
    """Every file that the catalog ever named, and whether a visible session is in it."""
    return connection.execute(
        "select f.path, f.symbol, f.dataset, f.rows, f.sha256, f.blake3, "
        "exists (select from catalog c where c.until is null "
        "and f.id in (c.file_id, c.quarantine_file_id)) as is_shown "
        "from lake_files f order by f.path"
    ).fetchall()


def flagged(connection: Connection[DictRow]) -> list[dict[str, Any]]:
    """The visible sessions whose checks found something."""
    return connection.execute(
        "select dataset, symbol, session, quality, findings from catalog "
        "where until is null and quality <> 'passed' order by quality, dataset, symbol, session"
    ).fetchall()


def summary(connection: Connection[DictRow]) -> list[dict[str, Any]]:
    """One row per dataset and symbol: what a person asks first."""
    return connection.execute(
        """
        select dataset, symbol, count(*) as sessions, min(session) as first, max(session) as last,
               sum(rows)::bigint as rows, count(*) filter (where quality <> 'passed') as flagged,
               max(revision) as revisions, count(distinct file_id) as files
        from catalog where until is null group by dataset, symbol order by dataset, symbol
        """
    ).fetchall()


def _selection(
    dataset: str, symbols: Sequence[str] | None, first: date | None, last: date | None, as_of: int | None
) -> dict[str, Any]:
    wanted = None if symbols is None else list(symbols)
    return {"dataset": dataset, "symbols": wanted, "first": first, "last": last, "as_of": as_of}
