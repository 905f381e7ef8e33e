"""An intent and its limits in one transaction of the real database."""

import asyncio

import pytest

from data import audit, control, trail
from data.limits import Limits
from data.postgres import Connections, connect
from execution.core.bucket import Rate
from execution.core.intents import Intent
from execution.core.risk import Conditions, Refusal
from execution.store import Store

ACCOUNT = "paper"
CALM = Conditions(now_us=1_800_000_000_000_000, price=100.0, data_age_s=0.0)


@pytest.fixture(autouse=True)
def account(database_url: str) -> None:
    with connect() as connection:
        control.ensure_account(connection, ACCOUNT, "sim", 1e6)


def intent(number: int, qty: float = 1.0) -> Intent:
    return Intent(
        coid=f"order-{number}", account=ACCOUNT, artifact_hash="h", strategy="s", symbol="AAA", side="buy", qty=qty,
        target=None, bar_ts_us=number, reference_price=100.0, decided_at_us=number,
    )  # fmt: skip


async def write(limits: Limits, *intents: Intent) -> list[Refusal | None]:
    """All of them at the same time."""
    async with Connections(8) as pool:
        store = Store(pool, ACCOUNT, 0, Rate(0.0, 1.0, 0.0))
        return await asyncio.gather(*(store.intents.write(each, limits, CALM, 60.0) for each in intents))


def test_orders_that_are_decided_at_the_same_time_do_not_share_a_limit() -> None:
    told = asyncio.run(write(Limits(position_qty_max=5), *(intent(number) for number in range(20))))
    assert sum(refused is None for refused in told) == 5
    told = asyncio.run(write(Limits(orders_per_minute_max=3), *(intent(number) for number in range(20, 40))))
    assert sum(refused is None for refused in told) == 3


def test_a_decision_that_was_refused_is_refused_again_in_the_same_words() -> None:
    limits = Limits(order_qty_max=5)
    first, again = (asyncio.run(write(limits, intent(1, qty=6.0)))[0] for _ in range(2))
    assert first == again == Refusal(
        "order_qty_max", "the order's 6 shares, above the order_qty_max of the account, 5"
    )  # fmt: skip
    assert asyncio.run(write(Limits(), intent(1, qty=6.0))) == [first], "whatever the limits are now"


def test_a_refused_order_is_a_row_and_an_audit_entry_that_name_the_limit_and_the_numbers() -> None:
    asyncio.run(write(Limits(order_qty_max=5), intent(1, qty=6.0), intent(2, qty=4.0)))
    assert (trail.enter(ACCOUNT), trail.enter(ACCOUNT)) == (1, 0)
    with connect() as connection:
        assert audit.verify(connection) == 1
        entry = connection.execute("select * from audit").fetchone()
        rows = connection.execute(
            "select coid, state, refused_by, reason from orders order by coid"
        ).fetchall()
    assert entry is not None
    assert (entry["actor"], entry["action"], entry["subject"]) == ("risk", "refuse order", ACCOUNT)
    assert {key: entry["detail"][key] for key in ("order", "what", "limit", "why")} == {
        "order": "order-1",
        "what": "buy 6 AAA",
        "limit": "order_qty_max",
        "why": "the order's 6 shares, above the order_qty_max of the account, 5",
    }
    assert [tuple(row.values()) for row in rows] == [
        ("order-1", "ABANDONED", "order_qty_max", f"refused: {entry['detail']['why']}"),
        ("order-2", "INTENT", "", ""),
    ]
