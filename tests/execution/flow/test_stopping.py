"""Who may trade, and how it is stopped."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from desk import CAPITAL, Desk

from data import control, ledger
from data.postgres import connect
from data.storage import lake_storage
from execution.proof import differences

PATIENCE_S = 30.0
SLOW = ("--pace", "0.02")
SLOWER = ("--pace", "0.2")  # it is not over before another engine has started, however busy the machine is

pytestmark = pytest.mark.full


def eventually(question: Callable[[], Any], what: str) -> Any:
    """The first answer that is not empty."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {PATIENCE_S:.0f} s")


def held(desk: Desk) -> list[dict[str, Any]]:
    with connect() as connection:
        return ledger.positions(connection, desk.account)


def events(desk: Desk) -> list[Any]:
    with desk.control() as exchange:
        return list(exchange.events())


def test_a_kill_stops_closes_and_proves_flat(desk: Desk) -> None:
    with desk.running(*SLOW):
        eventually(lambda: held(desk), "a first position")
        told = control.give(desk.account, "kill", actor="test", reason="drill")

        def flat_at() -> Any:
            with connect() as connection:
                return control.get_control(connection, desk.account).verified_flat_at

        assert eventually(flat_at, "the proof that the account is flat") >= told.changed_at
        assert held(desk) == []
        opened_later = [
            row for row in orders(desk) if row["strategy"] != "operator" and row["created_at"] > told.changed_at
            and row["state"] != "ABANDONED"
        ]  # fmt: skip
        assert opened_later == []
    assert [event for event in events(desk) if event["event"] == "fill"], "it did trade before"


def test_a_kill_outlives_the_engine_that_carried_it_out(desk: Desk) -> None:
    with desk.engine(*SLOW) as first:
        eventually(lambda: held(desk), "a first position")
        control.give(desk.account, "kill", actor="test", reason="drill")
        eventually(lambda: [row for row in orders(desk) if row["strategy"] == "operator"], "a closing order")
        first.kill()
    with desk.running(*SLOW):

        def flat() -> Any:
            with connect() as connection:
                return control.get_control(connection, desk.account).verified_flat_at

        eventually(flat, "the proof that the account is flat")
        assert held(desk) == []
    assert asyncio.run(differences(desk.account)) == []


def orders(desk: Desk) -> list[dict[str, Any]]:
    with connect() as connection:
        return ledger.orders(connection, desk.account, 1000)


def test_a_paused_account_opens_nothing_and_says_why(desk: Desk) -> None:
    with connect() as connection:
        control.ensure_account(connection, desk.account, "sim", CAPITAL)
    control.give(desk.account, "pause", actor="test", reason="lunch")
    with desk.running("--exit-when-done") as engine:
        assert engine.wait(60) == 0
    refused = orders(desk)
    assert refused
    assert {row["reason"] for row in refused} == {"refused: the account is paused"}
    assert held(desk) == []


def test_a_second_engine_is_told_who_holds_the_account(desk: Desk) -> None:
    with desk.running(*SLOWER) as first:
        eventually(lambda: orders(desk), "a first order")
        with desk.engine() as second:
            _, said = second.communicate(timeout=30)
        assert second.returncode == 3
        assert f":{first.pid} trades the account" in said.decode()


def test_a_takeover_fences_the_engine_before_it(desk: Desk) -> None:
    with desk.engine(*SLOWER) as first:
        eventually(lambda: orders(desk), "a first order")
        with desk.running("--exit-when-done", "--take-over") as second:
            _, said = first.communicate(timeout=30)
            assert first.returncode == 3
            assert "was taken over by" in said.decode()
            assert second.wait(60) == 0
    desk.assert_nothing_lost_and_nothing_doubled()


def test_a_tampered_artifact_does_not_trade(desk: Desk) -> None:
    folder = lake_storage().root / "artifacts" / desk.version.artifact_hash  # type: ignore[attr-defined]
    source = folder / "strategy.py"
    source.write_text(source.read_text().replace("else 0.0", "else -1.0"))
    with desk.engine("--exit-when-done") as engine:
        _, said = engine.communicate(timeout=30)
    assert engine.returncode == 3
    assert "strategy.py is not the file that was signed" in said.decode()


def test_an_exchange_that_is_away_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_EXCHANGE_URL", "http://127.0.0.1:1")
    with desk.engine("--exit-when-done") as engine:
        _, said = engine.communicate(timeout=30)
    assert engine.returncode == 1
    assert "the exchange at http://127.0.0.1:1 does not answer" in said.decode()


def test_a_range_without_bars_opens_no_account(desk: Desk) -> None:
    there = desk.arguments("--exit-when-done")
    elsewhere = [word.replace("2025-11-28", "2031-01-06") for word in there]
    done = subprocess.run(
        [sys.executable, "-m", "execution", *elsewhere], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "holds nothing of AAA, CCC from 2031-01-06" in done.stderr
    with connect() as connection:
        assert connection.execute("select name from accounts").fetchall() == []
