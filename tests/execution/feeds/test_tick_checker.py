"""Ticks that nobody may believe, each dropped under its own name."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import OPEN_US, SECOND_US, trade

from data.bar import Bar, Tick
from execution.feeds import checking
from execution.feeds.checking import TickChecker, Tolerance, fault_of, fault_of_bar

QUOTE: dict[str, Any] = {"bid": 10.0, "ask": 10.1, "bid_size": 1.0, "ask_size": 2.0}
LIMITS = Tolerance(ahead_us=2 * SECOND_US, behind_us=10 * SECOND_US)


def tick(**changes: Any) -> Tick:
    return Tick("AAA", OPEN_US, **{**QUOTE, "last": 10.05, "last_size": 3.0, **changes})


@pytest.mark.parametrize("field", ["bid", "ask", "last", "bid_size", "ask_size", "last_size"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none(field: str, value: float) -> None:
    assert fault_of(tick(**{field: value})) == checking.NOT_A_NUMBER


@pytest.mark.parametrize("field", ["bid", "ask", "last"])
@pytest.mark.parametrize("value", [0.0, -0.01])
def test_a_price_that_is_not_positive(field: str, value: float) -> None:
    assert fault_of(tick(**{field: value})) == checking.NOT_POSITIVE


@pytest.mark.parametrize("field", ["bid_size", "ask_size", "last_size"])
def test_a_negative_size(field: str) -> None:
    assert fault_of(tick(**{field: -1.0})) == checking.NEGATIVE_SIZE


def test_a_crossed_quote_is_refused_and_a_locked_one_is_not() -> None:
    assert fault_of(tick(bid=10.2)) == checking.CROSSED
    assert fault_of(tick(bid=10.1)) is None


def test_a_quote_alone_and_a_trade_alone_are_whole_and_nothing_at_all_is_not() -> None:
    assert fault_of(Tick("AAA", OPEN_US, **QUOTE)) is None
    assert fault_of(Tick("AAA", OPEN_US, bid=10.0)) is None
    assert fault_of(trade(OPEN_US, 10.0)) is None
    assert fault_of(Tick("AAA", OPEN_US, last_size=1.0)) == checking.EMPTY


def test_future_ticks_are_dropped_and_do_not_make_others_late() -> None:
    checker = TickChecker(LIMITS)
    assert checker.accept(trade(OPEN_US + 2 * SECOND_US, 10.0), OPEN_US)
    assert not checker.accept(trade(OPEN_US + 3600 * SECOND_US, 10.0), OPEN_US)
    assert checker.accept(trade(OPEN_US, 10.0), OPEN_US)
    assert checker.dropped == {checking.FUTURE: 1}


def test_a_tick_may_be_late_but_not_too_late() -> None:
    checker = TickChecker(LIMITS)
    now_us = OPEN_US + 60 * SECOND_US
    assert checker.accept(trade(now_us, 10.0), now_us)
    assert checker.accept(trade(now_us - 10 * SECOND_US, 10.0), now_us)
    assert not checker.accept(trade(now_us - 10 * SECOND_US - 1, 10.0), now_us)
    assert checker.accept(trade(now_us - 60 * SECOND_US, 10.0, symbol="BBB"), now_us)  # its own newest counts
    assert checker.dropped == {checking.OUT_OF_ORDER: 1}


def test_a_trade_told_twice_is_one_and_two_equal_trades_are_two() -> None:
    checker = TickChecker(LIMITS)
    told = [trade(OPEN_US, 10.0, trade_id="V:1"), trade(OPEN_US, 10.0, trade_id="V:2")]
    assert [checker.accept(each, OPEN_US) for each in (*told, *told)] == [True, True, False, False]
    assert checker.dropped == {checking.DUPLICATE: 2}


def test_without_an_id_the_same_tick_is_the_same_tick() -> None:
    checker = TickChecker(LIMITS)
    assert checker.accept(tick(), OPEN_US)
    assert not checker.accept(tick(), OPEN_US)
    assert checker.accept(tick(bid_size=9.0), OPEN_US)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=80))
def test_each_tick_is_accepted_once_whatever_comes_between(told: list[tuple[int, int]]) -> None:
    checker = TickChecker(LIMITS)
    now_us = OPEN_US + 120 * SECOND_US
    ticks = [trade(OPEN_US + at * SECOND_US, 10.0, trade_id=str((at, number))) for at, number in told]
    accepted = [each for each in ticks if checker.accept(each, now_us)]
    assert len(set(accepted)) == len(accepted)
    assert len(accepted) + checker.dropped.total() == len(ticks)
    newest_us = 0
    for each in ticks:  # what was dropped as late was late indeed
        newest_us = max(newest_us, each.ts_us)
    assert all(each.ts_us <= newest_us for each in accepted)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"close": math.nan}, checking.NOT_A_NUMBER),
        ({"low": 0.0}, checking.NOT_POSITIVE),
        ({"volume": -1.0}, checking.NEGATIVE_SIZE),
        ({"high": 9.0}, checking.MISSHAPEN),
        ({"close": 13.0}, checking.MISSHAPEN),
        ({"ts_us": OPEN_US + 1}, checking.FUTURE),
    ],
)
def test_a_vendors_bar_is_judged_too(changes: dict[str, Any], reason: str | None) -> None:
    whole: dict[str, Any] = {
        "ts_us": OPEN_US,
        "open": 10.0,
        "high": 12.0,
        "low": 9.5,
        "close": 11.0,
        "volume": 5.0,
    }
    assert fault_of_bar(Bar("AAA", "1m", **{**whole, **changes}), OPEN_US) == reason
