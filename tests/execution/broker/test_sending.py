"""Every kind of order leaves in the words that the unmodified alpaca-py would use."""

import json
from typing import Any

import pytest
from alpaca_client import enums, requests
from orders import intent

from execution.broker.alpaca import sending
from execution.core.terms import OrderTerms, StopLoss

BUY_5_TODAY: dict[str, Any] = {
    "symbol": "AAA", "qty": 5, "side": enums.OrderSide.BUY, "time_in_force": enums.TimeInForce.DAY,
    "client_order_id": "c1",
}  # fmt: skip
PROFIT, LOSS = (
    requests.TakeProfitRequest(limit_price=110.5),
    requests.StopLossRequest(stop_price=90.0, limit_price=89.25),
)

KINDS: dict[str, tuple[OrderTerms, requests.OrderRequest]] = {
    "market": (OrderTerms(), requests.MarketOrderRequest(**BUY_5_TODAY)),
    "limit": (
        OrderTerms(type="limit", limit_price=100.25),
        requests.LimitOrderRequest(**BUY_5_TODAY, limit_price=100.25),
    ),
    "fok": (
        OrderTerms(type="limit", limit_price=0.0001, time_in_force="fok"),
        requests.LimitOrderRequest(
            **{**BUY_5_TODAY, "time_in_force": enums.TimeInForce.FOK}, limit_price=0.0001
        ),
    ),
    "outside regular hours": (
        OrderTerms(type="limit", limit_price=100.0, extended_hours=True),
        requests.LimitOrderRequest(**BUY_5_TODAY, limit_price=100.0, extended_hours=True),
    ),
    "stop": (
        OrderTerms(type="stop", stop_price=101.5),
        requests.StopOrderRequest(**BUY_5_TODAY, stop_price=101.5),
    ),
    "stop limit": (
        OrderTerms(type="stop_limit", stop_price=101.5, limit_price=102.0),
        requests.StopLimitOrderRequest(**BUY_5_TODAY, stop_price=101.5, limit_price=102.0),
    ),
    "trail by money": (
        OrderTerms(type="trailing_stop", trail_price=1.5),
        requests.TrailingStopOrderRequest(**BUY_5_TODAY, trail_price=1.5),
    ),
    "trail by percent": (
        OrderTerms(type="trailing_stop", trail_percent=2.5),
        requests.TrailingStopOrderRequest(**BUY_5_TODAY, trail_percent=2.5),
    ),
    "bracket": (
        OrderTerms(order_class="bracket", take_profit=110.5, stop_loss=StopLoss(90.0, 89.25)),
        requests.MarketOrderRequest(
            **BUY_5_TODAY, order_class=enums.OrderClass.BRACKET, take_profit=PROFIT, stop_loss=LOSS
        ),
    ),
    "oto": (
        OrderTerms(order_class="oto", take_profit=110.5),
        requests.MarketOrderRequest(**BUY_5_TODAY, order_class=enums.OrderClass.OTO, take_profit=PROFIT),
    ),
    "oco": (
        OrderTerms(type="limit", limit_price=110.5, order_class="oco", stop_loss=StopLoss(120.0)),
        requests.LimitOrderRequest(
            **BUY_5_TODAY,
            order_class=enums.OrderClass.OCO,
            take_profit=PROFIT,
            stop_loss=requests.StopLossRequest(stop_price=120.0),
        ),
    ),
    "money": (
        OrderTerms(notional=500.5),
        requests.MarketOrderRequest(**{**BUY_5_TODAY, "qty": None}, notional=500.5),
    ),
}


@pytest.mark.parametrize(("terms", "theirs"), KINDS.values(), ids=KINDS)
def test_an_order_is_told_as_alpaca_py_would(terms: OrderTerms, theirs: requests.OrderRequest) -> None:
    ours = json.loads(sending.new_order(intent(terms=terms)))
    assert as_numbers(ours) == as_numbers(json.loads(json.dumps(theirs.to_request_fields())))


@pytest.mark.parametrize(
    ("terms", "theirs"),
    [
        (OrderTerms(), {"qty": 5}),
        (OrderTerms(type="limit", limit_price=99.5), {"qty": 5, "limit_price": 99.5}),
        (
            OrderTerms(type="stop_limit", limit_price=99.5, stop_price=100.0),
            {"qty": 5, "limit_price": 99.5, "stop_price": 100.0},
        ),
        (OrderTerms(type="trailing_stop", trail_price=1.5), {"qty": 5, "trail": 1.5}),
        (OrderTerms(type="trailing_stop", trail_percent=2.5), {"qty": 5, "trail": 2.5}),
        (OrderTerms(notional=500.0), {}),  # an amount of money cannot be changed
    ],
)
def test_a_replacement_is_told_as_alpaca_py_would(terms: OrderTerms, theirs: dict[str, Any]) -> None:
    request = requests.ReplaceOrderRequest(
        **theirs, time_in_force=enums.TimeInForce.DAY, client_order_id="c1"
    )
    ours = json.loads(sending.replacement(intent(terms=terms)))
    assert as_numbers(ours) == as_numbers(json.loads(json.dumps(request.to_request_fields())))


@pytest.mark.parametrize(
    ("qty", "digits"),
    [(5.0, "5"), (0.1, "0.1"), (1e-7, "0.0000001"), (1e16, "10000000000000000"), (2.5, "2.5")],
)
def test_quantities_have_no_exponent(qty: float, digits: str) -> None:
    assert json.loads(sending.new_order(intent(qty=qty)))["qty"] == digits


def as_numbers(told: Any) -> Any:
    """We write numbers as strings, with their own digits; alpaca-py writes floats."""
    if isinstance(told, dict):
        return {name: as_numbers(value) for name, value in told.items()}
    try:
        return told if isinstance(told, bool) else float(told)
    except ValueError:
        return told
