"""Limits in Postgres: what is set, and who set it when and why.  A change needs no restart."""

import math
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from data import audit
from data.control import no_account
from data.errors import UsageError
from data.instruments import checked_symbol
from data.limits import DUPLICATE_WINDOW_MAX_S, NAMES, OF_ALL_SYMBOLS, OF_THE_ACCOUNT
from data.postgres import connect, one


def set_limit(
    account: str,
    name: str,
    value: float | None,
    *,
    strategy: str = "",
    symbol: str = "",
    actor: str,
    reason: str,
    database_url: str | None = None,
) -> None:
    """In force for every order that is decided after this returns; None takes the limit back."""
    _must_make_sense(name, value, strategy, symbol)
    with connect(database_url) as connection:
        if not connection.execute("select from accounts where name = %s", [account]).rowcount:
            raise no_account(connection, account)
        _must_be_known(connection, strategy)
        row = one(
            connection.execute(
                "insert into limits (account, strategy, symbol, name, value, actor, reason) "
                "values (%s, %s, %s, %s, %s, %s, %s) returning id",
                [account, strategy, symbol, name, value, actor, reason],
            )
        )
        told: dict[str, Any] = {"limit": name, "value": None if value is None else f"{value:g}"}
        scope = {key: text for key, text in (("strategy", strategy), ("symbol", symbol)) if text}
        audit.append(
            connection, actor, "limit", account, {**told, **scope, "reason": reason, "row": row["id"]}
        )


def newest(connection: Connection[DictRow], account: str) -> list[dict[str, Any]]:
    """Every limit that somebody set and nobody took back."""
    rows = connection.execute(
        "select distinct on (strategy, symbol, name) name, value, strategy, symbol, actor, set_at, reason "
        "from limits where account = %s order by strategy, symbol, name, id desc",
        [account],
    ).fetchall()
    return [row for row in rows if row["value"] is not None]


def history(connection: Connection[DictRow], account: str, count: int) -> list[dict[str, Any]]:
    """The newest changes: who, when, why."""
    return connection.execute(
        "select set_at, name, value, strategy, symbol, actor, reason from limits where account = %s "
        "order by id desc limit %s",
        [account, count],
    ).fetchall()


def _must_be_known(connection: Connection[DictRow], strategy: str) -> None:
    """A limit of a strategy whose name is misspelt would limit nobody."""
    names = [
        row["name"] for row in connection.execute("select name from strategies order by name").fetchall()
    ]
    if strategy and strategy not in names:
        raise UsageError(
            f"there is no strategy {strategy!r}", f"Use one of: {', '.join(names) or 'none yet'}."
        )


def _must_make_sense(name: str, value: float | None, strategy: str, symbol: str) -> None:
    if name not in NAMES:
        raise UsageError(f"there is no limit {name!r}", f"Use one of: {', '.join(NAMES)}.")
    if value is not None and (math.isnan(value) or value < 0.0):
        raise UsageError(f"{name} cannot be {value:g}", "A limit is a number from zero up; `off` is none.")
    if symbol:
        checked_symbol(symbol)
    if symbol and name in OF_ALL_SYMBOLS:
        raise UsageError(f"{name} counts all symbols together", "Leave --symbol away.")
    if strategy and name in OF_THE_ACCOUNT:
        raise UsageError(f"{name} is the account's", "Leave --strategy away.")
    if name == "duplicate_window_s" and value is not None and value > DUPLICATE_WINDOW_MAX_S:
        raise UsageError(
            f"{name} cannot be {value:g}", f"Orders are compared over {DUPLICATE_WINDOW_MAX_S:g} s at most."
        )
