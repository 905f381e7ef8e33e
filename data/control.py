"""Accounts, and what people told their engines to do.  Postgres holds it; Redis only makes it quick."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import structlog
from psycopg import Connection, errors
from psycopg.rows import DictRow, class_row
from psycopg.types.json import Jsonb
from redis.exceptions import RedisError

from data import audit, bus
from data.errors import Refused, Unavailable, UsageError
from data.postgres import connect

Mode = Literal["running", "paused", "killed"]

# What the audit log calls each change.
_DEEDS: Final[dict[Mode, str]] = {"running": "resume", "paused": "pause", "killed": "kill"}
AUDIT_PATIENCE: Final = "500ms"  # a promotion holds the log for a few

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Control:
    """What an account's engine may do, who said so, and whether a kill was proved flat."""

    account: str
    mode: Mode
    reason: str
    actor: str
    changed_at: datetime
    verified_flat_at: datetime | None
    revision: int
    """how often somebody said something"""


def ensure_account(connection: Connection[DictRow], name: str, broker: str, cash: float) -> None:
    """Open the account here if it is new.  One that trades elsewhere keeps its own orders and positions."""
    connection.execute(
        "insert into accounts (name, broker, cash) values (%s, %s, %s) on conflict do nothing",
        [name, broker, repr(cash)],
    )
    found = connection.execute("select broker from accounts where name = %s", [name]).fetchone()
    assert found is not None, "the account was inserted or stood there before"
    if found["broker"] != broker:
        raise Refused(
            f"the account {name} trades at {found['broker']}, and SLIPWAY_BROKER is {broker}",
            f"Name another account, or set SLIPWAY_BROKER={found['broker']}.",
        )
    connection.execute("insert into controls (account) values (%s) on conflict do nothing", [name])
    connection.execute(
        "insert into lease (account, epoch, holder) values (%s, 0, '') on conflict do nothing", [name]
    )


def get_control(connection: Connection[DictRow], account: str) -> Control:
    with connection.cursor(row_factory=class_row(Control)) as cursor:
        found = cursor.execute("select * from controls where account = %s", [account]).fetchone()
    if found is None:
        raise _no_account(connection, account)
    return found


def set_mode(
    account: str, mode: Mode, *, actor: str, reason: str, database_url: str | None = None
) -> Control:
    """Tell the account's engine.  Durable when this returns, and in force for every later claim."""
    with connect(database_url) as connection:
        changed = connection.execute(
            "update controls set mode = %s, actor = %s, reason = %s, changed_at = clock_timestamp(), "
            "revision = revision + 1, verified_flat_at = null where account = %s",
            [mode, actor, reason, account],
        ).rowcount
        if not changed:
            raise _no_account(connection, account)
        connection.execute(
            "select emit_event(%s, 'control', %s)",
            [account, Jsonb({"mode": mode, "actor": actor, "reason": reason})],
        )
        control = get_control(connection, account)
        _record(connection, control)
    wake(account)
    return control


def _record(connection: Connection[DictRow], control: Control) -> None:
    """Enter the change in the audit log, together with it or not at all.

    Only a kill goes through without: whoever holds the log's lock for too long must not keep an account trading.
    """
    detail = {"reason": control.reason}
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{AUDIT_PATIENCE}'")
            audit.append(connection, control.actor, _DEEDS[control.mode], control.account, detail)
    except errors.LockNotAvailable as error:
        if control.mode != "killed":
            raise Unavailable(
                f"the audit log is locked by somebody else for more than {AUDIT_PATIENCE}, nothing was changed",
                "Try again; `./slipway trade kill` works even so.",
            ) from error
        _log.error("killed without an entry in the audit log, which is locked", account=control.account)


def wake(account: str) -> None:
    """Make the engine look now rather than at its next poll."""
    try:
        with bus.connect() as redis:
            redis.publish(bus.control(account), "changed")
            redis.publish(bus.events(account), '{"kind":"control"}')
    except (RedisError, Unavailable) as error:
        _log.warning("redis did not carry the wake-up; engines poll", account=account, error=str(error))


def _no_account(connection: Connection[DictRow], account: str) -> UsageError:
    names = [row["name"] for row in connection.execute("select name from accounts order by name").fetchall()]
    return UsageError(f"there is no account {account!r}", f"Use one of: {', '.join(names) or 'none yet'}.")
