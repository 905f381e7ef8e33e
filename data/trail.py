"""What engines decide by themselves, entered in the audit log behind their backs.

The log has one lock for everybody.  An engine that refuses an order or gives itself a command writes a row of its own
and goes on; here those rows are copied into the log, each once.
"""

from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow

from data import audit
from data.postgres import connect

AT_ONCE: Final = 500  # the log's lock is not held for longer than these take


def enter(account: str, database_url: str | None = None) -> int:
    """Copy what is missing; how many rows that were."""
    with connect(database_url) as connection:
        return _enter_commands(connection, account) + _enter_refusals(connection, account)


def _enter_commands(connection: Connection[DictRow], account: str) -> int:
    rows = connection.execute(
        "update commands set audited = true where account = %s and not audited "
        "returning revision, verb, actor, reason, given_at",
        [account],
    ).fetchall()
    for row in sorted(rows, key=lambda row: int(row["revision"])):
        audit.append(
            connection,
            row["actor"],
            row["verb"],
            account,
            {"reason": row["reason"], "given_at": row["given_at"].isoformat()},
        )
    return len(rows)


def _enter_refusals(connection: Connection[DictRow], account: str) -> int:
    rows = connection.execute(
        "update orders set audited = true where coid in (select coid from orders where account = %s "
        "and refused_by <> '' and not audited order by created_at limit %s for update skip locked) "
        "returning coid, strategy, symbol, side, qty, refused_by, reason, created_at",
        [account, AT_ONCE],
    ).fetchall()
    for row in sorted(rows, key=lambda row: (row["created_at"], row["coid"])):
        audit.append(
            connection,
            "risk",
            "refuse order",
            account,
            {
                "order": row["coid"],
                "strategy": row["strategy"],
                "what": f"{row['side']} {row['qty'].normalize():f} {row['symbol']}",
                "limit": row["refused_by"],
                "why": row["reason"].removeprefix("refused: "),
                "refused_at": row["created_at"].isoformat(),
            },
        )
    return len(rows)
