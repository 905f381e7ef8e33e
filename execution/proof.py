"""Do our books match the broker's?  Asked from outside the engine, reading only."""

from typing import Any

from data.orders import OPEN
from data.postgres import connect
from execution.broker.venue import venue


async def differences(account: str) -> list[str]:
    """Every way in which the ledger and the broker's books differ; empty when they agree."""
    async with venue(account) as (broker, _):
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
    ]


def _compare(kind: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{kind} {key}: ledger {ours.get(key, 'none')}, broker {theirs.get(key, 'none')}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]
