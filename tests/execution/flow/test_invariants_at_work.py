"""Somebody spoils the ledger of an engine at work: it pauses the account, keeps the evidence and calls a person."""

import json
from typing import Any

import pytest
from desk import Desk
from test_stopping import eventually, held

from data import control
from data.postgres import connect

pytestmark = pytest.mark.full


def mode(desk: Desk) -> str:
    with connect() as connection:
        return control.get_control(connection, desk.account).mode


def deeds() -> list[str]:
    with connect() as connection:
        rows = connection.execute("select action from audit where actor = 'invariant'").fetchall()
    return [row["action"] for row in rows]


def evidence(desk: Desk) -> list[dict[str, Any]]:
    with connect() as connection:
        return connection.execute(
            "select payload, problem from raw_events where account = %s order by id", [desk.account]
        ).fetchall()


def alerts(desk: Desk) -> list[dict[str, Any]]:
    with connect() as connection:
        rows = connection.execute(
            "select payload from outbox where account = %s and kind = 'alert' order by seq", [desk.account]
        ).fetchall()
    return [row["payload"] for row in rows]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_EXECUTION_RECONCILE_EVERY_S", "0.5")


def test_a_position_that_no_fills_explain_pauses_the_account(desk: Desk) -> None:
    with desk.running("--pace", "0.05"):
        symbol = eventually(lambda: held(desk), "a first position")[0]["symbol"]
        assert mode(desk) == "running"
        with connect() as connection:
            connection.execute(
                "update positions set qty = qty + 1 where account = %s and symbol = %s",
                [desk.account, symbol],
            )
        eventually(lambda: mode(desk) == "paused", "the pause")
        eventually(lambda: [each for each in alerts(desk) if each["kind"] == "invariant"], "the alert")
        eventually(lambda: deeds() == ["pause"], "the entry in the audit log")
    with connect() as connection:
        assert control.get_control(connection, desk.account).actor == "invariant"
    (row,) = [each for each in evidence(desk) if each["problem"].startswith(f"violated I4: {symbol}")]
    kept = json.loads(row["payload"])
    assert kept["invariant"] == "I4"
    assert "its fills add up to" in kept["told"]


def test_a_pause_by_an_invariant_leaves_a_kill_as_it_is(desk: Desk) -> None:
    with desk.running("--pace", "0.05"):
        eventually(lambda: held(desk), "a first position")
        control.give(desk.account, "kill", actor="test", reason="drill")
        with connect() as connection:
            connection.execute(
                "insert into positions (account, symbol, qty, average_entry) values (%s, 'ZZZ', 1, 1)",
                [desk.account],
            )
        eventually(lambda: [each for each in alerts(desk) if each["kind"] == "invariant"], "the alert")
    assert mode(desk) == "killed"
    with connect() as connection:
        assert control.get_control(connection, desk.account).actor == "test"
