"""Accounts, and what people told their engines to do.  Postgres holds it; Redis only makes it quick."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import structlog
from psycopg import Connection, errors
from psycopg.rows import DictRow, class_row
from redis.exceptions import RedisError

from data import audit, bus
from data.errors import Refused, Unavailable, UsageError
from data.postgres import connect, one

Mode = Literal["running", "paused", "flattening", "killed"]
Verb = Literal["pause", "resume", "cancel", "flatten", "kill"]
"""From the mildest to the last: nothing new, all again, nothing open, nothing held, and never again by itself."""

MODE_AFTER: Final[dict[Verb, Mode]] = {
    "pause": "paused",
    "resume": "running",
    "flatten": "flattening",  # and paused, once the broker shows it flat
    "kill": "killed",
}
AUDIT_PATIENCE: Final = "500ms"  # a promotion holds the log for a few

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Control:
    """What an account's engine may do, who said so, and what of it is proved."""

    account: str
    mode: Mode
    reason: str
    actor: str
    changed_at: datetime
    verified_flat_at: datetime | None
    """when the broker itself showed nothing, after a flatten or a kill"""
    revision: int
    """how often somebody said something"""
    cause: str
    """what made an engine change the mode by itself"""
    cancel_revision: int
    """orders decided before it are to be cancelled"""
    cancelled_revision: int
    """... and are, up to here: the broker showed none of them"""


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
        raise no_account(connection, account)
    return found


def give(account: str, verb: Verb, *, actor: str, reason: str, database_url: str | None = None) -> Control:
    """Tell the account's engine.  Durable when this returns, and in force for every later claim."""
    with connect(database_url) as connection:
        came_of_it = one(
            connection.execute(
                "select give_command(%s, %s, %s, %s, '') as answer", [account, verb, actor, reason]
            )
        )["answer"]
        if came_of_it is None:
            raise no_account(connection, account)
        control = get_control(connection, account)
        if came_of_it == "stricter":
            raise Refused(
                f"{account} is {control.mode}, which does more than a {verb} would",
                f"Wait until it is flat, or end it first: `./slipway trade resume --account {account}`.",
            )
        _record(connection, control, verb, reason, actor)
    wake(account)
    return control


def _record(connection: Connection[DictRow], control: Control, verb: Verb, reason: str, actor: str) -> None:
    """Enter the command in the audit log, together with it or not at all.

    What lowers risk goes through without: whoever holds the log's lock for too long must not keep an account trading.
    The account's engine enters it later.
    """
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{AUDIT_PATIENCE}'")
            audit.append(connection, actor, verb, control.account, {"reason": reason})
            connection.execute(
                "update commands set audited = true where account = %s and revision = %s",
                [control.account, control.revision],
            )
    except errors.LockNotAvailable as error:
        if verb == "resume":
            raise Unavailable(
                f"the audit log is locked by somebody else for more than {AUDIT_PATIENCE}, nothing was changed",
                "Try again; whatever lowers risk works even so.",
            ) from error
        _log.error("the audit log is locked; the command is entered there later", account=control.account)


def wake(account: str) -> None:
    """Make the engine look now rather than at its next poll."""
    try:
        with bus.connect() as redis:
            redis.publish(bus.control(account), "changed")
            redis.publish(bus.events(account), '{"kind":"control"}')
    except (RedisError, Unavailable) as error:
        _log.warning("redis did not carry the wake-up; engines poll", account=account, error=str(error))


def halts(connection: Connection[DictRow], account: str) -> list[dict[str, Any]]:
    """The symbols on which nothing may be opened, and why."""
    return connection.execute(
        "select symbol, reason, halted_at from symbol_halts where account = %s and cleared_at is null "
        "order by symbol, halted_at",
        [account],
    ).fetchall()


def clear_halts(
    account: str, symbol: str, *, actor: str, reason: str, database_url: str | None = None
) -> list[str]:
    """Trade the symbol again: somebody has looked.  The same finding does not halt it again, another does."""
    with connect(database_url) as connection:
        cleared = connection.execute(
            "update symbol_halts set cleared_at = clock_timestamp(), cleared_by = %s, cleared_reason = %s "
            "where account = %s and symbol = %s and cleared_at is null returning reason",
            [actor, reason, account, symbol],
        ).fetchall()
        findings = [str(row["reason"]) for row in cleared]
        if not findings:
            get_control(connection, account)
            raise UsageError(
                f"{symbol} is not halted on {account}", f"See `./slipway trade halts --account {account}`."
            )
        audit.append(
            connection,
            actor,
            "clear halt",
            account,
            {"symbol": symbol, "reason": reason, "findings": findings},
        )
    return findings


def no_account(connection: Connection[DictRow], account: str) -> UsageError:
    """There is none of this name; the sentence says which there are."""
    names = [row["name"] for row in connection.execute("select name from accounts order by name").fetchall()]
    return UsageError(f"there is no account {account!r}", f"Use one of: {', '.join(names) or 'none yet'}.")
