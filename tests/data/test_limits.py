"""Limits in Postgres: set with a reason, in force at once, and every change on record."""

import math

import pytest

from data import audit, control, limit_changes
from data.errors import UsageError
from data.limits import NAMES
from data.postgres import connect


@pytest.fixture(autouse=True)
def account(database_url: str) -> None:
    with connect() as connection:
        control.ensure_account(connection, "paper", "sim", 1000.0)
        connection.execute("insert into strategies (name) values ('crossover')")


def change(name: str, value: float | None, *, strategy: str = "", symbol: str = "") -> None:
    limit_changes.set_limit(
        "paper", name, value, strategy=strategy, symbol=symbol, actor="ann", reason="news"
    )


def in_force() -> list[tuple[str, float, str, str]]:
    with connect() as connection:
        rows = limit_changes.newest(connection, "paper")
    return [(row["name"], row["value"], row["strategy"], row["symbol"]) for row in rows]


def test_the_newest_change_of_each_scope_counts_and_one_taken_back_does_not() -> None:
    change("order_qty_max", 10.0)
    change("order_qty_max", 20.0)
    change("order_qty_max", 5.0, strategy="crossover", symbol="AAA")
    change("restricted", 1.0, symbol="GME")
    change("daily_loss_max", 1.0)
    change("daily_loss_max", None)
    assert in_force() == [
        ("order_qty_max", 20.0, "", ""),
        ("restricted", 1.0, "", "GME"),
        ("order_qty_max", 5.0, "crossover", "AAA"),
    ]


def test_every_change_says_who_when_and_why_here_and_in_the_audit_log() -> None:
    change("order_qty_max", 10.0)
    change("order_qty_max", None, strategy="crossover")
    with connect() as connection:
        rows = limit_changes.history(connection, "paper", 10)
        assert audit.verify(connection) == 2
        told = connection.execute("select actor, action, subject, detail from audit order by id").fetchall()
    assert [(row["name"], row["value"], row["strategy"], row["actor"], row["reason"]) for row in rows] == [
        ("order_qty_max", None, "crossover", "ann", "news"),
        ("order_qty_max", 10.0, "", "ann", "news"),
    ]
    assert {(row["actor"], row["action"], row["subject"]) for row in told} == {("ann", "limit", "paper")}
    assert told[0]["detail"] == {"limit": "order_qty_max", "value": "10", "reason": "news", "row": 1}
    assert told[1]["detail"]["strategy"] == "crossover"


@pytest.mark.parametrize(
    ("name", "value", "scope", "says"),
    [
        ("nosuch", 1.0, {}, f"there is no limit 'nosuch'. Use one of: {', '.join(NAMES)}."),
        ("order_qty_max", math.nan, {}, "order_qty_max cannot be nan"),
        ("order_qty_max", -1.0, {}, "order_qty_max cannot be -1"),
        ("duplicate_window_s", 3601.0, {}, "Orders are compared over 3600 s at most."),
        ("gross_exposure_max", 1.0, {"symbol": "AAA"}, "Leave --symbol away."),
        ("daily_loss_max", 1.0, {"strategy": "crossover"}, "daily_loss_max is the account's"),
        ("order_qty_max", 1.0, {"strategy": "crosover"}, "there is no strategy 'crosover'. Use one of: crossover."),
        ("order_qty_max", 1.0, {"symbol": "aaa"}, "'aaa' is not a symbol"),
    ],
)  # fmt: skip
def test_a_limit_that_would_limit_nothing_is_refused_with_a_sentence(
    name: str, value: float, scope: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        change(name, value, **scope)
    assert says in str(refused.value)
    assert in_force() == []


def test_an_account_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="there is no account 'live'"):
        limit_changes.set_limit("live", "order_qty_max", 1.0, actor="ann", reason="news")
