"""The last look at an order: every limit names itself and its numbers, and closing is always allowed."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.control import Mode
from data.limits import NAMES, Limits, in_force, off, tighter
from data.orders import Side
from execution.core.bucket import Bucket
from execution.core.intents import Intent, client_order_id
from execution.core.risk import Conditions, Exposure, Scope, Situation, reduces, refusal, take_turn

FLAT = Exposure(0, 0, 0, 0)
LIMITS = Limits(
    order_qty_max=200,
    order_notional_max=10_000,
    position_qty_max=300,
    position_notional_max=20_000,
    gross_exposure_max=30_000,
    price_collar_bps=100,
    duplicate_window_s=2,
    orders_per_minute_max=60,
    daily_loss_max=500,
    data_age_max_s=90,
)
NOW_US = 1_800_000_000_000_000
CALM = Conditions(now_us=NOW_US, price=100.0, data_age_s=0.0)


def intent(side: Side, qty: float, price: float = 100.0, occasion: str = "") -> Intent:
    return Intent(
        coid="c",
        account="a",
        artifact_hash="h",
        strategy="s",
        symbol="AAA",
        side=side,
        qty=qty,
        target=1.0,
        bar_ts_us=1,
        reference_price=price,
        decided_at_us=1,
        occasion=occasion,
    )


def situation(
    exposure: Exposure = FLAT,
    limits: Limits = LIMITS,
    mode: Mode = "running",
    strategy: Limits | None = None,
    own: Exposure | None = None,
    **more: Any,
) -> Situation:
    return Situation(
        mode=mode,
        revision=1,
        account=Scope("the account", limits, exposure, more.pop("bucket", None)),
        strategy=Scope("s", strategy or Limits(), own or exposure, more.pop("own_bucket", None)),
        **more,
    )


def refused(asked: Intent, known: Situation, conditions: Conditions = CALM) -> tuple[str, str] | None:
    found = refusal(asked, known, conditions)
    return None if found is None else (found.limit, found.why)


@pytest.mark.parametrize(
    ("asked", "exposure", "limit", "numbers"),
    [
        (intent("buy", 201, 10.0), FLAT, "order_qty_max",
         "the order's 201 shares, above the order_qty_max of the account, 200"),
        (intent("buy", 101), FLAT, "order_notional_max",
         "the order's 10,100.00, above the order_notional_max of the account, 10,000"),
        (intent("buy", 101, 10.0), Exposure(200, 0, 0, 0), "position_qty_max",
         "a position of up to 301 shares, above the position_qty_max of the account, 300"),
        (intent("buy", 50), Exposure(160, 0, 0, 0), "position_notional_max",
         "a position of up to 21,000.00, above the position_notional_max of the account, 20,000"),
        (intent("buy", 50), Exposure(100, 60, 0, 0), "position_notional_max",
         "a position of up to 21,000.00, above the position_notional_max of the account, 20,000"),
        (intent("sell", 50), Exposure(0, 0, 160, 0), "position_notional_max",
         "a position of up to 21,000.00, above the position_notional_max of the account, 20,000"),
        (intent("buy", 50), Exposure(0, 0, 0, 29_000), "gross_exposure_max",
         "an exposure of up to 34,000.00, above the gross_exposure_max of the account, 30,000"),
    ],
)  # fmt: skip
def test_each_size_names_its_limit_and_its_numbers(
    asked: Intent, exposure: Exposure, limit: str, numbers: str
) -> None:
    near = replace(CALM, price=asked.reference_price)
    assert refused(asked, situation(exposure), near) == (limit, numbers)


@pytest.mark.parametrize(
    ("conditions", "limit", "numbers"),
    [
        ({"price": 98.0}, "price_collar_bps",
         "the price 100.0000 is 204.1 bps from the newest, 98.0000, above the price_collar_bps of the account, 100"),
        ({"unpromoted": "the artifact h is on no stage that trades"}, "promoted",
         "the artifact h is on no stage that trades"),
        ({"unhealthy": "the bars of AAA failed"}, "data health", "the bars of AAA failed"),
        ({"feed": "the feed x is stale"}, "feed", "market data is not to be relied on: the feed x is stale"),
        ({"closed": "XNYS closed"}, "session", "XNYS closed"),
        ({"data_age_s": 91.0}, "data_age_max_s",
         "the newest bar of AAA is 91.0 s old, above the data_age_max_s of the account, 90"),
        ({"data_age_s": None}, "data_age_max_s",
         "there is no bar of AAA, above the data_age_max_s of the account, 90"),
        ({"day_loss": 501.0}, "daily_loss_max",
         "the day's loss is 501.00, above the daily_loss_max of the account, 500"),
    ],
)  # fmt: skip
def test_each_condition_of_the_market_names_itself(
    conditions: dict[str, Any], limit: str, numbers: str
) -> None:
    assert refused(intent("buy", 1), situation(), replace(CALM, **conditions)) == (limit, numbers)


def test_what_is_exactly_at_a_limit_goes() -> None:
    edge = replace(CALM, data_age_s=90.0, day_loss=500.0, price=100.5)
    assert refusal(intent("buy", 100), situation(Exposure(100, 0, 0, 10_000)), edge) is None


def test_the_same_order_within_the_window_is_a_duplicate() -> None:
    told = refused(intent("buy", 5), situation(alike_s=1.5))
    assert told == (
        "duplicate_window_s",
        "s asked to buy 5 AAA 1.5 s ago, and the duplicate_window_s of the account is 2",
    )
    assert refused(intent("buy", 5), situation(alike_s=2.0)) is None
    assert refused(intent("buy", 5), situation(alike_s=5.0, strategy=Limits(duplicate_window_s=60))) == (
        "duplicate_window_s",
        "s asked to buy 5 AAA 5 s ago, and the duplicate_window_s of s is 60",
    )


def test_a_restricted_symbol_is_closed_and_not_opened() -> None:
    known = situation(Exposure(10, 0, 0, 0), replace(LIMITS, restricted=1.0))
    assert refused(intent("buy", 1), known) == ("restricted", "AAA is restricted for the account")
    assert refused(intent("sell", 10), known) is None


def test_a_strategy_is_measured_by_what_it_holds_itself() -> None:
    known = situation(Exposure(150, 0, 0, 0), strategy=Limits(position_qty_max=20), own=Exposure(15, 0, 0, 0))
    assert refused(intent("buy", 5), known) is None
    assert refused(intent("buy", 6), known) == (
        "position_qty_max",
        "a position of up to 21 shares, above the position_qty_max of s, 20",
    )


def test_more_than_a_minutes_orders_wait_for_their_turn() -> None:
    known, sent = situation(strategy=Limits(orders_per_minute_max=3)), 0
    while refused(intent("buy", 1), known) is None:
        turns = take_turn(intent("buy", 1), known, NOW_US)
        known = situation(strategy=Limits(orders_per_minute_max=3), bucket=turns[""], own_bucket=turns["s"])
        sent += 1
    assert sent == 3
    assert refused(intent("buy", 1), known) == (
        "orders_per_minute_max",
        "the orders_per_minute_max of s, 3, is used up; the next may go in 20.00 s",
    )
    assert refusal(intent("buy", 1), known, replace(CALM, now_us=NOW_US + 20_000_000)) is None
    assert refused(intent("buy", 1), situation(limits=replace(LIMITS, orders_per_minute_max=0.0))) == (
        "orders_per_minute_max",
        "the orders_per_minute_max of the account is 0",
    )


@pytest.mark.parametrize("mode", ["paused", "flattening", "killed"])
def test_a_stopped_account_opens_nothing_and_may_always_close(mode: Mode) -> None:
    assert refused(intent("buy", 1), situation(mode=mode)) == ("mode", f"the account is {mode}")
    assert refused(intent("sell", 500), situation(Exposure(500, 0, 0, 1e9), mode=mode)) is None


def test_a_halted_symbol_is_not_even_closed_except_by_a_command() -> None:
    known = situation(Exposure(10, 0, 0, 0), halted="the broker has x, which is not ours")
    halted = ("halt", "AAA is halted: the broker has x, which is not ours")
    assert refused(intent("buy", 1), known) == halted
    assert refused(intent("sell", 10), known) == halted
    assert refused(intent("sell", 10, occasion="flatten 3"), known) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0])
def test_what_is_no_number_is_no_order(value: float) -> None:
    assert refused(intent("buy", value), situation()) == ("number", f"the quantity of the order is {value:g}")
    assert refused(intent("buy", 1, price=value), situation()) == (
        "number",
        f"the price of the order is {value:g}",
    )


def test_going_through_zero_is_not_closing() -> None:
    assert not reduces(intent("sell", 150), Exposure(100, 0, 0, 0))


def test_two_orders_that_would_close_the_same_shares_are_not_both_closing() -> None:
    assert reduces(intent("sell", 60), Exposure(100, 0, 40, 0))
    assert not reduces(intent("sell", 61), Exposure(100, 0, 40, 0))
    assert not reduces(intent("sell", 100), Exposure(100, 0, 100, 0))


SHARES = st.integers(0, 400).map(float)
EXPOSURES = st.builds(Exposure, st.integers(-400, 400).map(float), SHARES, SHARES, SHARES)
SOME = st.none() | st.integers(0, 400).map(float)
ANY_LIMITS = st.builds(Limits, **dict.fromkeys(NAMES, SOME))
ORDERS = st.builds(intent, st.sampled_from(["buy", "sell"]), st.integers(1, 400).map(float))
ANY_CONDITIONS = st.builds(
    Conditions,
    now_us=st.just(NOW_US),
    price=st.none() | st.floats(50, 200),
    data_age_s=SOME,
    feed=st.sampled_from(["", "stale"]),
    closed=st.sampled_from(["", "closed"]),
    unpromoted=st.sampled_from(["", "unknown"]),
    unhealthy=st.sampled_from(["", "bad"]),
    day_loss=st.floats(-500, 500),
)
SITUATIONS = st.builds(
    situation,
    exposure=EXPOSURES,
    limits=ANY_LIMITS,
    mode=st.sampled_from(["running", "paused", "flattening", "killed"]),
    strategy=ANY_LIMITS,
    alike_s=st.none() | st.floats(0, 400),
    bucket=st.none() | st.floats(0, 60).map(lambda tokens: Bucket(tokens, NOW_US / 1e6)),
)


@given(ORDERS, SITUATIONS, ANY_CONDITIONS)
def test_what_only_reduces_is_refused_by_nothing_but_a_collar(
    asked: Intent, known: Situation, conditions: Conditions
) -> None:
    if reduces(asked, known.account.exposure):
        told = refusal(asked, known, conditions)
        assert told is None or told.limit == "price_collar_bps"


@given(ORDERS, SITUATIONS, ANY_CONDITIONS)
def test_what_is_accepted_keeps_every_limit_however_the_open_orders_fill(
    asked: Intent, known: Situation, conditions: Conditions
) -> None:
    if refusal(asked, known, conditions) is not None or reduces(asked, known.account.exposure):
        return
    assert known.mode == "running"
    for scope in known.scopes:
        held, limits = scope.exposure, scope.limits
        if reduces(asked, held):
            continue
        ends = (
            held.position + bought - sold + filled
            for bought in (0.0, held.open_buys)
            for sold in (0.0, held.open_sells)
            for filled in (0.0, asked.signed_qty)
        )
        largest = max(abs(end) for end in ends)
        for value, limit in (
            (asked.qty, limits.order_qty_max),
            (largest, limits.position_qty_max),
            (largest * 100.0, limits.position_notional_max),
            (largest * 100.0 + held.gross_elsewhere, limits.gross_exposure_max),
            (conditions.day_loss, limits.daily_loss_max),
        ):
            assert limit is None or value <= limit


@given(ORDERS, SITUATIONS, ANY_CONDITIONS, ANY_LIMITS)
def test_a_tighter_limit_never_lets_through_what_a_looser_one_refused(
    asked: Intent, known: Situation, conditions: Conditions, more: Limits
) -> None:
    if refusal(asked, known, conditions) is not None:
        account = replace(known.account, limits=tighter(known.account.limits, more))
        assert refusal(asked, replace(known, account=account), conditions) is not None


@given(ORDERS, SITUATIONS, ANY_CONDITIONS)
def test_a_command_of_an_operator_is_never_refused(
    asked: Intent, known: Situation, conditions: Conditions
) -> None:
    closing = intent(asked.side, asked.qty, occasion="kill 1")
    assert refusal(closing, known, conditions) is None


def test_what_somebody_set_replaces_a_default_and_what_is_set_for_a_symbol_comes_on_top() -> None:
    defaults = Limits(order_qty_max=100, position_qty_max=100)
    rows = [
        ("", "", "order_qty_max", 500.0),
        ("", "AAA", "order_qty_max", 50.0),
        ("", "AAA", "position_qty_max", 900.0),
        ("s", "", "order_qty_max", 7.0),
        ("", "", "of_a_later_version", 1.0),
    ]
    assert in_force(rows[:1], "", defaults) == Limits(order_qty_max=500, position_qty_max=100)
    assert in_force(rows, "", defaults) == Limits(order_qty_max=50, position_qty_max=100)
    assert in_force(rows, "s", defaults) == Limits(order_qty_max=7)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_that_is_off_limits_nothing(name: str) -> None:
    wild = Conditions(now_us=NOW_US, price=1.0, data_age_s=None, day_loss=1e12)
    known = situation(limits=Limits(**{name: off(name)}), alike_s=0.0)
    assert refusal(intent("buy", 1e9), known, wild) is None


def test_the_same_decision_has_the_same_name_and_another_has_another() -> None:
    named = client_order_id("a", "artifact", "s", "AAA", 1)
    assert named == client_order_id("a", "artifact", "s", "AAA", 1)
    others = {
        client_order_id("b", "artifact", "s", "AAA", 1),
        client_order_id("a", "artifact", "s", "AAA", 2),
        client_order_id("a", "artifact", "s", "AAA", 1, revision=1),
    }
    assert named not in others
    assert len(others) == 3
    assert len(named) <= 48  # Alpaca allows 128; some brokers only 48


def test_another_body_under_the_same_name_is_noticed() -> None:
    assert intent("buy", 1).body_hash != intent("buy", 2).body_hash
    assert intent("buy", 1).body_hash == intent("buy", 1, price=7.0).body_hash
