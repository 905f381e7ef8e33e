"""The last look at an order: limits with their numbers, and closing is always allowed."""

import pytest

from data.control import Mode
from data.orders import Side
from execution.core.intents import Intent, client_order_id
from execution.core.risk import Exposure, Limits, reduces, refusal

LIMITS = Limits(order_notional_max=10_000, position_notional_max=20_000, gross_exposure_max=30_000)
FLAT = Exposure(0, 0, 0, 0)


def intent(side: Side, qty: float, price: float = 100.0) -> Intent:
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
    )


@pytest.mark.parametrize(
    ("asked", "exposure", "limit"),
    [
        (intent("buy", 101), FLAT, "order notional 10,100.00 is above the limit 10,000.00"),
        (intent("buy", 50), Exposure(160, 0, 0, 0), "position notional 21,000.00"),
        (intent("buy", 50), Exposure(100, 60, 0, 0), "position notional 21,000.00"),
        (intent("buy", 50), Exposure(0, 0, 0, 29_000), "gross exposure 34,000.00"),
        (intent("sell", 50), Exposure(0, 0, 160, 0), "position notional 21,000.00"),
    ],
)
def test_each_limit_names_itself_and_its_numbers(asked: Intent, exposure: Exposure, limit: str) -> None:
    refused = refusal(asked, exposure, LIMITS, "running")
    assert refused is not None
    assert refused.startswith(limit)


def test_within_the_limits_an_order_goes() -> None:
    assert refusal(intent("buy", 100), FLAT, LIMITS, "running") is None


@pytest.mark.parametrize("mode", ["paused", "killed"])
def test_a_stopped_account_opens_nothing_and_may_always_close(mode: Mode) -> None:
    assert refusal(intent("buy", 1), FLAT, LIMITS, mode) == f"the account is {mode}"
    assert refusal(intent("sell", 500), Exposure(500, 0, 0, 1e9), LIMITS, mode) is None


def test_going_through_zero_is_not_closing() -> None:
    assert not reduces(intent("sell", 150), Exposure(100, 0, 0, 0))


def test_two_orders_that_would_close_the_same_shares_are_not_both_closing() -> None:
    assert reduces(intent("sell", 60), Exposure(100, 0, 40, 0))
    assert not reduces(intent("sell", 61), Exposure(100, 0, 40, 0))
    assert not reduces(intent("sell", 100), Exposure(100, 0, 100, 0))


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
