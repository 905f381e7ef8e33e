"""The append-only log of who did what, chained by hash so that a changed or missing row shows."""

import getpass
import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from data.errors import Corrupt

AUDIT_LOCK = 7_541_003  # any constant; every writer meets on it, so the chain never forks
GENESIS = "0" * 64


def person() -> str:
    """Who sits at this terminal, as the log names them; a container's user may be a number without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"uid-{os.getuid()}"


def append(
    connection: Connection[DictRow], actor: str, action: str, subject: str, detail: dict[str, Any]
) -> None:
    """Add a row in the caller's transaction."""
    connection.execute("select pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
    last = connection.execute("select id, hash from audit order by id desc limit 1").fetchone()
    number, previous = (last["id"] + 1, last["hash"]) if last else (1, GENESIS)
    at = datetime.now(UTC)
    connection.execute(
        "insert into audit (id, at, actor, action, subject, detail, previous, hash) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            number, at, actor, action, subject, Jsonb(detail), previous,
            _hash(number, at, actor, action, subject, detail, previous),
        ],
    )  # fmt: skip


def verify(connection: Connection[DictRow]) -> int:
    """Walk the chain from its beginning; the number of rows, or Corrupt at the first that does not fit."""
    previous = GENESIS
    rows = connection.execute("select * from audit order by id").fetchall()
    for number, row in enumerate(rows, start=1):
        expected = _hash(
            number, row["at"], row["actor"], row["action"], row["subject"], row["detail"], previous
        )
        if (row["id"], row["previous"], row["hash"]) != (number, previous, expected):
            raise Corrupt(
                f"the audit log was changed at row {number}",
                "Restore it from a backup and find out who wrote there.",
            )
        previous = row["hash"]
    return len(rows)


def _hash(number: int, at: datetime, *told: Any) -> str:
    canonical = json.dumps([number, at.astimezone(UTC).isoformat(), *told], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
