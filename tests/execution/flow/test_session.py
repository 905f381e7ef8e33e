"""A session through the real thing: Redis, Postgres, HTTP and WebSocket, with what goes wrong in between."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from desk import CAPITAL, RESEARCHED, SESSION, SYMBOLS, Desk

from data import ledger, registry
from data.postgres import connect
from execution.__main__ import serve
from execution.exchange.faults import FaultKind
from execution.markets import Replay
from execution.service import Assignment
from research.gates import measure_parity
from research.publish import publish
from research.strategies.crossover import Crossover

SESSION_TIMEOUT_S = 60

pytestmark = pytest.mark.full


def trade(desk: Desk) -> None:
    assert serve(Assignment(desk.account, Replay(SESSION, SESSION), exit_when_done=True)) == 0


def test_execution_trades_exactly_what_research_computed(desk: Desk) -> None:
    trade(desk)
    desk.assert_nothing_lost_and_nothing_doubled()


def test_a_session_that_was_traded_is_not_traded_again(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    trade(desk)
    assert serve(Assignment(desk.account, Replay(SESSION, SESSION), exit_when_done=True)) == 3
    assert "already" in capfd.readouterr().err
    desk.assert_nothing_lost_and_nothing_doubled()


@pytest.mark.parametrize(
    "fault",
    [
        FaultKind.LOSE_REQUEST,
        FaultKind.LOSE_REPLY,
        FaultKind.HTTP_504_AFTER_ACCEPT,
        FaultKind.MUTE_EVENTS,
    ],
)
def test_an_exchange_that_loses_things_costs_time_and_nothing_else(
    desk: Desk, fault: FaultKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_EXECUTION_QUARANTINE_S", "0.3")
    monkeypatch.setenv("SLIPWAY_EXECUTION_REQUEST_TIMEOUT_S", "0.5")
    with desk.control() as control:
        control.arm_fault(fault, count=2)
    trade(desk)
    desk.assert_nothing_lost_and_nothing_doubled()


@contextmanager
def repeating(action: object, every_s: float) -> Iterator[None]:
    """Do something again and again while the block runs."""
    over = threading.Event()

    def loop() -> None:
        while not over.wait(every_s):
            action()  # type: ignore[operator]

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_redis_emptied_again_and_again_costs_time_and_nothing_else(desk: Desk, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, repeating(client.flushall, 0.2):
        trade(desk)
    desk.assert_nothing_lost_and_nothing_doubled()


def test_a_socket_that_drops_again_and_again_costs_time_and_nothing_else(desk: Desk) -> None:
    with desk.control() as control, repeating(lambda: control.arm_fault(FaultKind.DROP_SOCKETS), 0.3):
        trade(desk)
    desk.assert_nothing_lost_and_nothing_doubled()


def test_what_a_retired_version_left_is_not_traded_around(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    trade(desk)
    other, _ = publish(Crossover(fast=6, slow=20), SYMBOLS, *RESEARCHED, capital=CAPITAL)
    assert measure_parity(other).holds
    with connect() as connection:
        held = ledger.positions(connection, desk.account)
        registry.promote(connection, other, "paper", actor="test", reason="test")
    assert held, "the session ends with a position, or this proves nothing"
    assert serve(Assignment(desk.account, Replay(SESSION, SESSION), exit_when_done=True)) == 3
    assert "holds shares that no promoted strategy owns" in capfd.readouterr().err
