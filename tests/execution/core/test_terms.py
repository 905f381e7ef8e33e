"""An order that makes no sense cannot be made, and equal terms are told alike."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from execution.core.intents import Intent
from execution.core.terms import MARKET_DAY, OrderTerms, StopLoss

SENSIBLE: dict[str, OrderTerms] = {
    "market": MARKET_DAY,
    "limit": OrderTerms(type="limit", limit_price=100.25, time_in_force="ioc"),
    "outside regular hours": OrderTerms(type="limit", limit_price=100.25, extended_hours=True),
    "stop": OrderTerms(type="stop", stop_price=90.0, time_in_force="gtc"),
    "stop limit": OrderTerms(type="stop_limit", stop_price=90.0, limit_price=89.5),
    "trail by money": OrderTerms(type="trailing_stop", trail_price=1.5),
    "trail by percent": OrderTerms(type="trailing_stop", trail_percent=2.5, time_in_force="gtc"),
    "at the open": OrderTerms(time_in_force="opg"),
    "at the close": OrderTerms(type="limit", limit_price=100.0, time_in_force="cls"),
    "money": OrderTerms(notional=500.0),
    "bracket": OrderTerms(order_class="bracket", take_profit=110.0, stop_loss=StopLoss(90.0, 89.0)),
    "oto profit": OrderTerms(order_class="oto", take_profit=110.0),
    "oto loss": OrderTerms(order_class="oto", stop_loss=StopLoss(90.0), time_in_force="gtc"),
    "oco": OrderTerms(type="limit", limit_price=90.0, order_class="oco", stop_loss=StopLoss(110.0)),
}


def intent(
    terms: OrderTerms = MARKET_DAY, qty: float = 5.0, side: Any = "buy", symbol: str = "AAA"
) -> Intent:
    return Intent(
        coid="c", account="a", artifact_hash=None, strategy="s", symbol=symbol, side=side, qty=qty, target=None,
        bar_ts_us=0, reference_price=100.0, decided_at_us=0, terms=terms,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"type": "limit"}, "needs a limit_price"),
        ({"limit_price": 1.0}, "a market order has no limit_price"),
        ({"type": "stop_limit", "stop_price": 1.0}, "needs a limit_price"),
        ({"type": "stop", "stop_price": 1.0, "limit_price": 1.0}, "a stop order has no limit_price"),
        ({"type": "trailing_stop"}, "one of trail_price and trail_percent"),
        ({"type": "trailing_stop", "trail_price": 1.0, "trail_percent": 1.0}, "one of trail_price"),
        ({"trail_price": 1.0}, "one of trail_price"),
        ({"type": "trailing_stop", "trail_percent": 100.0}, "below 100"),
        ({"type": "limit", "limit_price": float("nan")}, "limit_price must be a number above 0, not nan"),
        ({"type": "limit", "limit_price": float("inf")}, "above 0, not inf"),
        ({"type": "limit", "limit_price": 0.0}, "above 0, not 0"),
        ({"notional": -5.0}, "notional must be"),
        ({"order_class": "oto", "stop_loss": StopLoss(-1.0)}, "stop_loss.stop_price must be"),
        ({"type": "stop", "stop_price": 1.0, "time_in_force": "ioc"}, "not ioc"),
        ({"extended_hours": True}, "outside regular hours"),
        (
            {"type": "limit", "limit_price": 1.0, "extended_hours": True, "time_in_force": "fok"},
            "regular hours",
        ),
        ({"notional": 5.0, "time_in_force": "gtc"}, "amount of money"),
        ({"notional": 5.0, "order_class": "oto", "take_profit": 5.0}, "amount of money"),
        ({"take_profit": 5.0}, "a simple order neither"),
        ({"order_class": "bracket", "take_profit": 5.0}, "a bracket has a take_profit and a stop_loss"),
        ({"order_class": "oto", "take_profit": 5.0, "stop_loss": StopLoss(1.0)}, "an oto one of them"),
        ({"order_class": "oco", "take_profit": 5.0, "stop_loss": StopLoss(1.0)}, "an oco a stop_loss"),
        ({"order_class": "oco", "stop_loss": StopLoss(1.0)}, "an oco is a limit order"),
        ({"order_class": "oto", "take_profit": 5.0, "time_in_force": "ioc"}, "with exits"),
    ],
)
def test_terms_that_contradict_themselves_cannot_be_made(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        OrderTerms(**terms)


@pytest.mark.parametrize(
    ("terms", "order", "said"),
    [
        ("bracket", {"side": "sell"}, "on the wrong sides"),
        ("oco", {"side": "sell"}, "on the wrong sides"),
        ("limit", {"qty": 0.5}, "parts of a share"),
        ("trail by money", {"qty": 0.5}, "parts of a share"),
        ("bracket", {"qty": 0.5}, "parts of a share"),
        ("limit", {"qty": float("nan")}, "a quantity is a number above 0"),
    ],
)
def test_terms_that_contradict_the_order_make_no_intent(terms: str, order: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        intent(SENSIBLE[terms], **order)


def test_coins_are_divided_as_one_likes() -> None:
    assert intent(OrderTerms(time_in_force="gtc"), qty=0.001, symbol="BTC/USD").qty == 0.001
    assert intent(qty=0.5).terms is MARKET_DAY


def test_orders_of_today_are_told_as_ever() -> None:
    """Their body hashes stand in the ledger."""
    assert OrderTerms().told == "market|day"
    assert intent().body_hash == "e228b4b21e1101c69293788275e3995e08941b2dc5c7a54a9f637838c469f9ff"


@pytest.mark.parametrize("terms", SENSIBLE.values(), ids=SENSIBLE)
def test_terms_come_back_from_their_json(terms: OrderTerms) -> None:
    written = msgspec.json.encode(terms)
    assert msgspec.json.decode(written, type=OrderTerms) == terms
    assert (written == b"{}") == (terms == MARKET_DAY)


def test_other_terms_are_another_body() -> None:
    hashes = {intent(terms, 5.0).body_hash for terms in SENSIBLE.values()}
    assert len(hashes) == len(SENSIBLE)


@pytest.mark.full
@settings(deadline=None)  # the machine may be busy
@given(
    type=st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]),
    order_class=st.sampled_from(["simple", "bracket", "oco", "oto"]),
    time_in_force=st.sampled_from(["day", "gtc", "opg", "cls", "ioc", "fok"]),
    numbers=st.dictionaries(
        st.sampled_from(
            ["limit_price", "stop_price", "trail_price", "trail_percent", "notional", "take_profit"]
        ),
        st.floats() | st.just(5.0),
    ),
    loss=st.none() | st.builds(StopLoss, st.floats(), st.none() | st.floats()),
    qty=st.floats() | st.just(5.0),
)
def test_terms_are_made_or_refused(
    numbers: dict[str, Any], loss: StopLoss | None, qty: float, **kinds: Any
) -> None:
    try:
        terms = OrderTerms(**kinds, **numbers, stop_loss=loss)
        intent(terms, qty)
    except UsageError as refused:
        assert "makes no sense" in refused.what  # noqa: PT017  either way is fine
        return
    assert msgspec.json.decode(msgspec.json.encode(terms), type=OrderTerms) == terms
