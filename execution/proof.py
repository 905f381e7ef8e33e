"""Do our books match the broker's?  Asked from outside the engine, reading only."""

from collections import Counter
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from data.orders import OPEN, TERMINAL
from data.postgres import connect
from execution.broker.venue import venue


async def differences(account: str) -> list[str]:
    """Every way in which the ledger and the broker's books differ; empty when they agree."""
    async with venue(account, only_read=True) as (broker, _):
        books = await broker.books()
    with connect() as connection:
        fills = connection.execute(
            "select execution_id, qty, price from fills where account = %s", [account]
        ).fetchall()
        positions = connection.execute(
            "select symbol, qty from positions where account = %s and qty <> 0", [account]
        ).fetchall()
        orders = connection.execute(
            "select coid, state from orders where account = %s and broker_id is not null", [account]
        ).fetchall()
    return [
        *_compare(
            "fill",
            {row["execution_id"]: (float(row["qty"]), float(row["price"])) for row in fills},
            {fill.execution_id: (float(fill.qty), float(fill.price)) for fill in books.fills},
        ),
        *_compare(
            "position",
            {row["symbol"]: float(row["qty"]) for row in positions},
            {position.symbol: float(position.qty) for position in books.positions},
        ),
        *_compare(
            "open order",
            {row["coid"]: True for row in orders if row["state"] in OPEN},
            {order.coid: True for order in books.orders if order.state is None or order.state in OPEN},
        ),
        *_compare(
            "order",
            {row["coid"]: True for row in orders},
            {order.coid: True for order in books.orders},
        ),
        *(
            f"order {coid}: the broker has {count} of it"
            for coid, count in Counter(order.coid for order in books.orders).items()
            if count > 1
        ),
    ]


def unexplained(connection: Connection[DictRow], account: str) -> list[str]:
    """What the ledger cannot account for by itself, once all is quiet: I2, I4 and I8 of docs/execution.md."""
    orders = connection.execute(
        """
        select coid, state, qty, filled_qty,
               coalesce((select sum(f.qty) from fills f where f.coid = o.coid and f.account = o.account), 0) as entered
        from orders o where account = %(account)s and (
            (broker_id is null and (not state = any(%(terminal)s) or reason = ''))
            or filled_qty < 0 or filled_qty > qty
            or filled_qty <> coalesce(
                (select sum(f.qty) from fills f where f.coid = o.coid and f.account = o.account), 0)
        ) order by coid
        """,
        {"account": account, "terminal": list(TERMINAL)},
    ).fetchall()
    positions = connection.execute(
        """
        select symbol, p.qty as held, coalesce(f.qty, 0) as filled
        from (select symbol, qty from positions where account = %(account)s) p
        full join (select symbol, sum(case side when 'buy' then qty else -qty end) as qty
                   from fills where account = %(account)s group by symbol) f using (symbol)
        where coalesce(p.qty, 0) <> coalesce(f.qty, 0) order by symbol
        """,
        {"account": account},
    ).fetchall()
    return [
        *(
            f"order {row['coid']}: {row['state']}, {row['filled_qty']} of {row['qty']} filled, "
            f"{row['entered']} in its fills, and no reason or no end"
            for row in orders
        ),
        *(f"position {row['symbol']}: {row['held']} held, fills sum to {row['filled']}" for row in positions),
    ]


def _compare(kind: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{kind} {key}: ledger {ours.get(key, 'none')}, broker {theirs.get(key, 'none')}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]
