"""What people say to an account in the middle of a session, and what an engine says to itself."""

import asyncio
from typing import Any

import pytest
from desk import CAPITAL, SESSION, Desk
from test_stopping import SLOW, eventually, held, orders

from data import audit, control, limit_changes
from data.postgres import connect
from execution.proof import differences

pytestmark = pytest.mark.full


def now(desk: Desk) -> control.Control:
    with connect() as connection:
        return control.get_control(connection, desk.account)


def given(desk: Desk) -> list[dict[str, Any]]:
    with connect() as connection:
        return connection.execute(
            "select verb, actor, cause from commands where account = %s order by revision", [desk.account]
        ).fetchall()


def in_the_audit_log(action: str) -> list[dict[str, Any]]:
    with connect() as connection:
        audit.verify(connection)
        return connection.execute("select * from audit where action = %s order by id", [action]).fetchall()


def test_a_flatten_closes_proves_it_and_leaves_the_account_paused_until_somebody_resumes(desk: Desk) -> None:
    with desk.running(*SLOW):
        eventually(lambda: held(desk), "a first position")
        told = control.give(desk.account, "flatten", actor="test", reason="drill")
        assert told.mode == "flattening"
        flat = eventually(lambda: now(desk).verified_flat_at and now(desk), "the proof that it is flat")
        assert (flat.mode, flat.reason, flat.revision) == ("paused", "drill", told.revision)
        assert held(desk) == []
        control.give(desk.account, "resume", actor="test", reason="drill is over")
        eventually(lambda: held(desk), "a position after the drill")
    assert asyncio.run(differences(desk.account)) == []


def test_a_cancel_of_all_is_proved_and_trading_goes_on(desk: Desk) -> None:
    with desk.running(*SLOW) as engine:
        eventually(lambda: held(desk), "a first position")
        told = control.give(desk.account, "cancel", actor="test", reason="drill")
        assert told.mode == "running"
        eventually(lambda: now(desk).cancelled_revision >= told.revision, "the proof that nothing is open")
        before = {row["coid"] for row in orders(desk)}
        eventually(lambda: {row["coid"] for row in orders(desk)} - before, "an order after the cancel")
        assert engine.poll() is None
    with connect() as connection:
        left = connection.execute(
            "select coid from orders where revision < %s and state in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL')",
            [told.revision],
        ).fetchall()
    assert left == []


def test_a_loss_beyond_the_limit_flattens_and_pauses_once(desk: Desk) -> None:
    with connect() as connection:
        control.ensure_account(connection, desk.account, "sim", CAPITAL)
        connection.execute(
            "insert into trading_days (account, day, opening_profit) values (%s, %s, 90_000)",
            [desk.account, SESSION],
        )
    with desk.running("--pace", "0.05"):
        eventually(lambda: held(desk), "a first position")
        limit_changes.set_limit(desk.account, "daily_loss_max", 50_000.0, actor="test", reason="drill")
        flat = eventually(lambda: now(desk).verified_flat_at and now(desk), "the breaker's flatten")
        assert (flat.mode, flat.actor) == ("paused", "breaker")
        assert flat.reason.startswith("the loss of 2025-11-28, ")
        assert flat.reason.endswith("is above the daily_loss_max 50,000.00")
        control.give(desk.account, "resume", actor="test", reason="on purpose")
        eventually(
            lambda: [row for row in orders(desk) if "the day's loss is" in row["reason"]],
            "a refusal after the resume",
        )
        assert [row["verb"] for row in given(desk)] == ["flatten", "resume"]
        eventually(lambda: in_the_audit_log("refuse order"), "the refusal in the audit log")
    assert [(row["actor"], row["detail"]["reason"]) for row in in_the_audit_log("flatten")] == [
        ("breaker", flat.reason)
    ]


def test_a_limit_that_is_changed_holds_for_the_next_order_and_names_itself(desk: Desk) -> None:
    with desk.running(*SLOW):
        eventually(lambda: held(desk), "a first position")
        limit_changes.set_limit(
            desk.account, "order_notional_max", 1.0, strategy="crossover", actor="test", reason="drill"
        )

        def refused() -> list[dict[str, Any]]:
            return [row for row in orders(desk) if "order_notional_max of crossover, 1" in row["reason"]]

        row = eventually(refused, "a refusal by the new limit")[0]
        entries = eventually(lambda: in_the_audit_log("refuse order"), "the refusal in the audit log")
    told = entries[-1]["detail"]
    assert {entry["detail"]["order"] for entry in entries} <= {each["coid"] for each in orders(desk)}
    assert (told["limit"], told["strategy"]) == ("order_notional_max", "crossover")
    assert row["state"] == "ABANDONED"


def test_before_the_close_of_a_half_day_everything_is_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_EXECUTION_FLATTEN_BEFORE_CLOSE_MINUTES", "120")
    with desk.running(*SLOW):
        eventually(lambda: held(desk), "a first position")
        flat = eventually(lambda: now(desk).verified_flat_at and now(desk), "the flatten before the close")
        assert (flat.mode, flat.actor, flat.reason) == ("paused", "clock", "XNYS closes at 18:00 UTC")
        assert held(desk) == []
    assert [(row["verb"], row["cause"]) for row in given(desk)] == [("flatten", "end of day 2025-11-28 XNYS")]
