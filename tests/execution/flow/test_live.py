"""A live feed: bars come when they come, and the orders are research's all the same."""

import signal
from datetime import UTC, datetime

import polars as pl
import pytest
from desk import CAPITAL, RESEARCHED, SESSION, STRATEGY, SYMBOLS, Desk
from test_stopping import eventually, orders

from data import query
from execution.deployments import FromFile
from execution.markets import Live
from execution.service import Assignment
from research.backtest import backtest
from research.parity import compare_orders

OPENS = datetime(SESSION.year, SESSION.month, SESSION.day, 14, 25, tzinfo=UTC)
SPEED = "1200"  # a half day in ten seconds

pytestmark = pytest.mark.full


def live(desk: Desk, start: datetime = OPENS) -> list[str]:
    return [
        "--account", desk.account, "--live", "synthetic", "--start", start.isoformat()[:19], "--speed", SPEED,
    ]  # fmt: skip


def test_a_session_heard_tick_by_tick_trades_what_research_computes(desk: Desk) -> None:
    until = datetime(SESSION.year, SESSION.month, SESSION.day, 17, 0, tzinfo=UTC)
    with desk.running(arguments=live(desk)) as engine:
        eventually(
            lambda: [row for row in orders(desk) if row["bar_ts_utc"] > until], "an order of the last hour"
        )
        engine.send_signal(signal.SIGTERM)
        assert engine.wait(15) == 0
    bars = query.bars(SYMBOLS, start=RESEARCHED[0], end=SESSION)
    wanted = backtest(STRATEGY, bars, capital=CAPITAL, trade_from=SESSION, record=False)
    early = pl.col("bar_ts_utc") < until  # the newest order may not be filled yet
    parity = compare_orders(wanted.orders.filter(early), desk.traded().filter(early))
    assert parity.research_orders > 10
    assert parity.differences.is_empty(), parity.differences
    desk.assert_books_agree()


def test_killed_in_the_middle_it_goes_on_from_where_the_market_is(desk: Desk) -> None:
    with desk.engine(arguments=live(desk)) as engine:
        eventually(lambda: len(orders(desk)) > 5, "a few orders")
        engine.kill()
    before = {row["coid"] for row in orders(desk)}
    later = datetime(SESSION.year, SESSION.month, SESSION.day, 17, 55, tzinfo=UTC)
    with desk.running(arguments=live(desk, later)):
        eventually(lambda: {row["coid"] for row in orders(desk)} - before, "an order of the second life")
    desk.assert_books_agree()


def test_a_feed_behind_the_simulated_market_is_refused_and_says_why(desk: Desk) -> None:
    with desk.running(arguments=live(desk)):
        eventually(lambda: orders(desk), "an order")
    with desk.engine(arguments=live(desk)) as again:
        _, said = again.communicate(timeout=60)
    assert again.returncode == 3
    assert "simulated market stands at" in said.decode()


def test_a_file_is_a_source_of_strategies_too() -> None:
    asked = Assignment("x", Live("synthetic"), FromFile(STRATEGY, SYMBOLS, RESEARCHED[0]))
    (deployed,) = asked.strategies.deployments()
    assert deployed.universe == tuple(SYMBOLS)
    assert deployed.hash == FromFile(STRATEGY, SYMBOLS, RESEARCHED[0]).deployments()[0].hash
    assert [book.symbols for book in deployed.books("x")] == [("AAA",), ("CCC",)]
