"""Reading the ledger: orders, fills and positions as people and reports ask for them."""

from datetime import date, timedelta
from typing import Any, Final

import polars as pl
from psycopg import Connection
from psycopg.rows import DictRow

from data.errors import UsageError
from data.orders import ORDER_SCHEMA
from data.postgres import one

HEARD_WITHIN: Final = timedelta(seconds=5)  # an engine's heart beats every second


def traded_orders(
    connection: Connection[DictRow], account: str, artifact_hash: str, first: date, last: date
) -> pl.DataFrame:
    """The orders that a strategy decided in these sessions, each with its fill, as parity compares them."""
    rows = connection.execute(
        """
        select o.symbol, o.bar_ts_utc, o.side, o.qty::float8 as qty, o.target,
               min(f.bar_ts_utc) as fill_ts_utc,
               (sum(f.qty * f.price) / nullif(sum(f.qty), 0))::float8 as average_price,
               min(f.price)::float8 as single_price, count(f.coid) as fills,
               sum(f.commission)::float8 as commission
        from orders o left join fills f using (coid)
        where o.account = %s and o.artifact_hash = %s and o.target is not null
          and o.state not in ('REJECTED', 'ABANDONED')
          and (o.bar_ts_utc at time zone 'UTC')::date between %s and %s
        group by o.coid order by o.symbol, o.bar_ts_utc
        """,
        [account, artifact_hash, first, last],
    ).fetchall()
    for row in rows:
        average, single, fills = row.pop("average_price"), row.pop("single_price"), row.pop("fills")
        row["fill_price"] = (
            single if fills == 1 else average
        )  # an average would lose a single price's last bit
    return pl.DataFrame(rows, schema=ORDER_SCHEMA)


def known_account(connection: Connection[DictRow], account: str | None, *, to_act: bool = False) -> str:
    """The account that a person means: the named one, else the one that trades now, else that traded last.

    `to_act`: where several trade, none is guessed.
    """
    rows = connection.execute(
        """
        select name from accounts a left join orders o on o.account = a.name
        group by name order by max(o.created_at) desc nulls last, a.created_at desc
        """
    ).fetchall()
    names = [str(row["name"]) for row in rows]
    if account is None and names:
        alive = with_an_engine(connection)
        if to_act and len(alive) > 1:
            raise UsageError(
                f"engines trade on {len(alive)} accounts", f"Add --account {' or '.join(alive)}."
            )
        return next((name for name in names if name in alive), names[0])
    if account is None or account not in names:
        raise UsageError(
            f"there is no account {account!r}" if account else "there is no account yet",
            f"Use one of: {', '.join(names)}." if names else "Trade first: `./slipway trade run`.",
        )
    return account


def with_an_engine(connection: Connection[DictRow]) -> list[str]:
    """The accounts whose engine is on duty, as its heartbeat tells."""
    rows = connection.execute(
        "select account from lease where holder <> '' and heartbeat_at > clock_timestamp() - %s order by account",
        [HEARD_WITHIN],
    ).fetchall()
    return [str(row["account"]) for row in rows]


def positions(connection: Connection[DictRow], account: str) -> list[dict[str, Any]]:
    return connection.execute(
        "select symbol, qty, average_entry, realised, updated_at from positions "
        "where account = %s and qty <> 0 order by symbol",
        [account],
    ).fetchall()


def orders(connection: Connection[DictRow], account: str, limit: int) -> list[dict[str, Any]]:
    return connection.execute(
        "select created_at, symbol, side, qty, filled_qty, state, strategy, bar_ts_utc, reason, coid from orders "
        "where account = %s order by created_at desc limit %s",
        [account, limit],
    ).fetchall()


def fills(connection: Connection[DictRow], account: str, limit: int) -> list[dict[str, Any]]:
    return connection.execute(
        "select filled_at, bar_ts_utc, symbol, side, qty, price, commission, heard_by, coid from fills "
        "where account = %s order by received_at desc limit %s",
        [account, limit],
    ).fetchall()


def latencies(connection: Connection[DictRow], account: str) -> list[dict[str, Any]]:
    """How long each step of an order took, in milliseconds."""
    row = one(
        connection.execute(
            """
            with steps as (
                select created_at - decided_at as intent, sent_at - created_at as claim,
                       acked_at - sent_at as answer, acked_at - decided_at as total
                from orders where account = %s and acked_at is not null and attempts = 1
                  and artifact_hash is not null and target is not null
            ), millis as (
                select 1000 * extract(epoch from intent) as intent, 1000 * extract(epoch from claim) as claim,
                       1000 * extract(epoch from answer) as answer, 1000 * extract(epoch from total) as total
                from steps
            )
            select count(*) as orders,
                   percentile_cont(array[0.5, 0.99]) within group (order by intent) as intent,
                   percentile_cont(array[0.5, 0.99]) within group (order by claim) as claim,
                   percentile_cont(array[0.5, 0.99]) within group (order by answer) as answer,
                   percentile_cont(array[0.5, 0.99]) within group (order by total) as total
            from millis
            """,
            [account],
        )
    )
    if not row["orders"]:
        return []
    names = {
        "intent": "bar heard → intent durable",
        "claim": "intent → claimed to send",
        "answer": "sent → broker's answer",
        "total": "bar heard → broker's answer",
    }
    return [
        {"step": text, "p50_ms": float(row[name][0]), "p99_ms": float(row[name][1])}
        for name, text in names.items()
    ]
