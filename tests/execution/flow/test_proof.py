"""What the ledger cannot explain is found, whatever it is: whoever looks for nothing finds nothing."""

import asyncio

import pytest
from desk import SESSION, Desk

from data.postgres import connect
from execution.__main__ import serve
from execution.markets import Replay
from execution.proof import differences, unexplained
from execution.service import Assignment

pytestmark = pytest.mark.full


def found(desk: Desk, change: str) -> tuple[set[str], list[str]]:
    """The kinds of differences from the broker, and what the ledger cannot explain, after a change of the ledger."""
    with connect() as connection:
        connection.execute("set local session_replication_role = replica")  # rows are guarded by triggers
        connection.execute(change)
    with connect() as connection:
        told = unexplained(connection, desk.account)
    return {each.partition(" ")[0] for each in asyncio.run(differences(desk.account))}, told


def test_a_ledger_that_was_tampered_with_is_told_from_one_that_is_right(desk: Desk) -> None:
    assert serve(Assignment(desk.account, Replay(SESSION, SESSION), exit_when_done=True)) == 0
    assert found(desk, "select 1") == (set(), [])

    kinds, told = found(desk, "update positions set qty = qty + 1 where symbol = 'AAA'")
    assert kinds == {"position"}
    assert len(told) == 1
    assert told[0].startswith("position AAA: ")

    kinds, told = found(
        desk, "delete from fills where coid = (select min(coid) from fills where symbol = 'CCC')"
    )
    assert kinds == {"position", "fill"}
    assert [each.partition(" ")[0] for each in told] == ["order", "position", "position"]

    kinds, told = found(desk, "update orders set broker_id = null, state = 'SENDING'")
    assert kinds == {"position", "fill", "order"}
    assert len([each for each in told if each.startswith("order ")]) > 10
