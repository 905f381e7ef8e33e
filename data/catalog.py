"""The index of what the lake holds: every partition, every revision, and what was visible when.

A snapshot id is the catalog as one transaction left it.  Publishing is serialised by an advisory
lock, so ids rise in the order in which publications became visible.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from data.postgres import one

PUBLISH_LOCK = 7_541_002  # any constant; every publisher meets on it


@dataclass(frozen=True, slots=True)
class Partition:
    """One revision of one symbol's session, ready to be published or as published."""

    dataset: str
    symbol: str
    session: date
    revision: int
    path: str
    rows: int
    min_ts_utc: datetime | None
    max_ts_utc: datetime | None
    sha256: str
    quality: str
    findings: tuple[str, ...]
    quarantined: int
    source: str


_COLUMNS = (
    "dataset, symbol, session, revision, path, rows, min_ts_utc, max_ts_utc, sha256, quality, findings, "
    "quarantined, source"
)


def publish(connection: Connection[DictRow], partitions: list[Partition], note: str = "") -> int:
    """Enter partitions in the catalog, superseding what they replace.  Returns the new snapshot id."""
    connection.execute("select pg_advisory_xact_lock(%s)", [PUBLISH_LOCK])
    snapshot = one(connection.execute("insert into snapshots (note) values (%s) returning id", [note]))["id"]
    with connection.cursor() as cursor:
        cursor.executemany(
            "update catalog set until = %s, superseded_at = clock_timestamp() "
            "where dataset = %s and symbol = %s and session = %s and until is null",
            [(snapshot, p.dataset, p.symbol, p.session) for p in partitions],
        )
        cursor.executemany(
            f"insert into catalog ({_COLUMNS}, since) values (" + ", ".join(["%s"] * 14) + ")",
            [
                (
                    p.dataset, p.symbol, p.session, p.revision, p.path, p.rows, p.min_ts_utc, p.max_ts_utc,
                    p.sha256, p.quality, Jsonb(p.findings), p.quarantined, p.source, snapshot,
                )
                for p in partitions
            ],
        )  # fmt: skip
    return int(snapshot)


def newest_snapshot(connection: Connection[DictRow]) -> int:
    """The id of the catalog as it is now; 0 when nothing was ever published."""
    return int(one(connection.execute("select coalesce(max(id), 0) as id from snapshots"))["id"])


def newest_revision(
    connection: Connection[DictRow], dataset: str, symbol: str, session: date
) -> Partition | None:
    """The visible revision of a partition."""
    rows = connection.execute(
        f"select {_COLUMNS} from catalog where dataset = %s and symbol = %s and session = %s and until is null",
        [dataset, symbol, session],
    ).fetchall()
    return _partition(rows[0]) if rows else None


def partitions(
    connection: Connection[DictRow],
    dataset: str,
    symbols: list[str] | None = None,
    first: date | None = None,
    last: date | None = None,
    as_of: int | None = None,
) -> list[Partition]:
    """The partitions visible in snapshot `as_of` (now when None), by symbol and session."""
    rows = connection.execute(
        f"""
        select {_COLUMNS} from catalog
        where dataset = %(dataset)s
          and (%(symbols)s::text[] is null or symbol = any (%(symbols)s))
          and (%(first)s::date is null or session >= %(first)s)
          and (%(last)s::date is null or session <= %(last)s)
          and case when %(as_of)s::bigint is null then until is null
                   else since <= %(as_of)s and (until is null or until > %(as_of)s) end
        order by symbol, session
        """,
        {"dataset": dataset, "symbols": symbols, "first": first, "last": last, "as_of": as_of},
    ).fetchall()
    return [_partition(row) for row in rows]


def summary(connection: Connection[DictRow]) -> list[dict[str, Any]]:
    """One row per dataset and symbol: what a person asks first."""
    return connection.execute(
        """
        select dataset, symbol, count(*) as sessions, min(session) as first, max(session) as last,
               sum(rows)::bigint as rows, count(*) filter (where quality <> 'passed') as flagged,
               max(revision) as revisions
        from catalog where until is null group by dataset, symbol order by dataset, symbol
        """
    ).fetchall()


def _partition(row: dict[str, Any]) -> Partition:
    return Partition(**{**row, "findings": tuple(row["findings"])})
