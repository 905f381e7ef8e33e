"""Reads the ledger for routes and stream alike, so that both tell the same story."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import DictRow, class_row

from api.errors import NotFound
from api.messages import Account, Control, Engine, Fill, Order, Position, Run
from data.orders import OPEN, OrderState

Row = TypeVar("Row")
Connection = AsyncConnection[DictRow]

OPEN_STATES: Final = sorted(OPEN)

_ORDERS: Final = """
    select o.coid, o.state, o.strategy, o.artifact_hash, o.symbol, o.side, o.order_type, o.time_in_force, o.qty,
           o.filled_qty, o.reference_price, o.target, o.bar_ts_utc, o.reason, o.attempts, o.broker_id, o.parent,
           o.decided_at, o.created_at, o.sent_at, o.acked_at, o.updated_at, o.expires_at,
           (select round(sum(f.qty * f.price) / sum(f.qty), 6) from fills f where f.coid = o.coid) as average_price
    from orders o
"""
_FILLS: Final = """
    select f.execution_id, f.coid, o.strategy, f.symbol, f.side, f.qty, f.price, f.commission, f.bar_ts_utc,
           f.filled_at, f.received_at, f.heard_by
    from fills f join orders o on o.coid = f.coid
"""
_POSITIONS: Final = "select symbol, qty, average_entry, realised, updated_at from positions"
_RUNS: Final = """
    select r.id, r.account, r.artifact_hash, s.name as strategy, v.number as version, r.feed, r.first_session,
           r.last_session, r.snapshot_id, r.started_at, r.finished_at, r.bars, r.parity
    from runs r left join versions v on v.artifact_hash = r.artifact_hash left join strategies s on s.id = v.strategy_id
"""


async def rows(
    connection: Connection, kind: type[Row], statement: str, values: Sequence[Any] = ()
) -> list[Row]:
    async with connection.cursor(binary=True, row_factory=class_row(kind)) as cursor:
        return await (await cursor.execute(statement, values or None)).fetchall()


async def accounts(connection: Connection, name: str | None = None) -> list[Account]:
    # An epoch of 0 is the lease that is made with the account: no engine has held it.
    return await rows(
        connection,
        Account,
        "select a.name, a.broker, a.cash, a.created_at, coalesce(c.mode, 'running') as mode, l.heartbeat_at "
        "from accounts a left join controls c on c.account = a.name "
        "left join lease l on l.account = a.name and l.epoch > 0 "
        "where %s::text is null or a.name = %s order by a.created_at, a.name",
        [name, name],
    )


async def account(connection: Connection, name: str) -> Account:
    """That account, or an error that names those there are."""
    known = await accounts(connection)
    for found in known:
        if found.name == name:
            return found
    names = ", ".join(found.name for found in known) or "none yet; `./slipway demo` makes one"
    raise NotFound(f"there is no account {name!r}", f"Use one of: {names}.")


async def positions(
    connection: Connection, of_account: str, symbols: list[str] | None = None
) -> list[Position]:
    return await rows(
        connection,
        Position,
        f"{_POSITIONS} where account = %s and (%s::text[] is null or symbol = any(%s)) order by symbol",
        [of_account, symbols, symbols],
    )


async def orders(
    connection: Connection, of_account: str, states: Sequence[OrderState] | None, limit: int
) -> list[Order]:
    wanted = None if states is None else list(states)
    return await rows(
        connection,
        Order,
        f"{_ORDERS} where o.account = %s and (%s::text[] is null or o.state = any(%s)) "
        "order by o.created_at desc, o.coid limit %s",
        [of_account, wanted, wanted, limit],
    )


async def orders_by_id(connection: Connection, coids: list[str]) -> list[Order]:
    return await rows(connection, Order, f"{_ORDERS} where o.coid = any(%s)", [coids])


async def fills(connection: Connection, of_account: str, limit: int) -> list[Fill]:
    return await rows(
        connection,
        Fill,
        f"{_FILLS} where f.account = %s order by f.received_at desc, f.broker_seq desc nulls last limit %s",
        [of_account, limit],
    )


async def fills_by_id(connection: Connection, of_account: str, execution_ids: list[str]) -> list[Fill]:
    return await rows(
        connection,
        Fill,
        f"{_FILLS} where f.account = %s and f.execution_id = any(%s)",
        [of_account, execution_ids],
    )


async def control(connection: Connection, of_account: str) -> Control:
    found = await rows(connection, Control, "select * from controls where account = %s", [of_account])
    if found:
        return found[0]
    opened = await account(connection, of_account)
    return Control(
        account=opened.name,
        mode="running",
        reason="",
        actor="",
        changed_at=opened.created_at,
        verified_flat_at=None,
    )


async def engine(connection: Connection, of_account: str) -> Engine | None:
    found = await rows(
        connection,
        Engine,
        "select holder, epoch, taken_at, heartbeat_at, status from lease where account = %s and epoch > 0",
        [of_account],
    )
    return found[0] if found else None


async def runs(connection: Connection, of_account: str | None, limit: int) -> list[Run]:
    return await rows(
        connection,
        Run,
        f"{_RUNS} where %s::text is null or r.account = %s order by r.started_at desc, r.id desc limit %s",
        [of_account, of_account, limit],
    )


async def now_and_seq(connection: Connection, of_account: str) -> tuple[datetime, int]:
    """The database's clock, which stamped every row, and the number of the account's newest change."""
    cursor = await connection.execute(
        "select clock_timestamp() as now, coalesce((select event_seq from accounts where name = %s), 0) as seq",
        [of_account],
    )
    row = await cursor.fetchone()
    assert row is not None, "the statement returns exactly one row"
    return row["now"], row["seq"]
