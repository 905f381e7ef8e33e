"""How faithful a market an account trades on: quotes, queues, latency, spread; by its terms."""

from typing import Any

import pytest
from market import MONDAY, Market, at

from execution.exchange.orders import (
    Order,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    Reject,
    ReplaceRequest,
    Side,
    StopLoss,
)
from execution.exchange.terms import Queue

# -- quotes


def test_who_crosses_the_quote_pays_the_other_side_and_takes_what_is_shown() -> None:
    market = Market(participation=0.5, slippage_bps=10.0)
    market.tick(at(MONDAY, 10), 99.0, 101.0, bid_size=40.0, ask_size=40.0)
    bought = market.send(Side.BUY, 30)
    assert market.tick(at(MONDAY, 10, 1), 99.0, 101.0, bid_size=40.0, ask_size=40.0) == ["partial_fill"]
    assert market.account.orders[bought].filled_qty == 20.0
    assert market.paid(bought) == 101.0 * 1.001
    assert market.tick(at(MONDAY, 10, 2), 99.0, 102.0, bid_size=40.0, ask_size=40.0) == ["fill"]


def test_a_trade_through_a_limit_fills_it_and_a_quote_away_does_not() -> None:
    market = Market()
    order = market.send(limit=99.0)
    assert market.tick(at(MONDAY, 10), 99.5, 100.5) == []
    assert market.tick(at(MONDAY, 10, 1), None, None, 98.9) == ["fill"]
    assert market.paid(order) == 99.0


def test_the_back_of_the_queue_waits_for_what_was_shown_before_it() -> None:
    market = Market(queue=Queue.BACK)
    order = market.send(qty=100, limit=99.0)
    market.tick(at(MONDAY, 10), 99.0, 100.0, bid_size=300.0)
    assert market.tick(at(MONDAY, 10, 1), None, None, 99.0, last_size=250.0) == []
    assert market.tick(at(MONDAY, 10, 2), None, None, 99.0, last_size=80.0) == ["partial_fill"]
    assert market.account.orders[order].filled_qty == 30.0
    assert market.tick(at(MONDAY, 10, 3), None, None, 98.5, last_size=1.0) == ["fill"]


def test_at_the_back_of_the_queue_a_bar_has_to_trade_through_the_limit() -> None:
    front, back = Market(), Market(queue=Queue.BACK)
    for market, touched in ((front, ["fill"]), (back, [])):
        market.send(limit=99.0)
        assert market.bar(at(MONDAY, 10)) == touched  # reaches 99 and not beyond
    assert back.bar(at(MONDAY, 10, 1), 99.5) == ["fill"]


def test_stops_are_triggered_by_trades_not_by_quotes_beside_them() -> None:
    market = Market()
    market.bar(at(MONDAY, 10))
    stop = market.send(Side.SELL, type=OrderType.STOP, stop_price=95.0)
    assert market.tick(at(MONDAY, 10, 1), 94.0, 96.0, 95.5) == []
    assert market.tick(at(MONDAY, 10, 2), 94.0, 96.0, 95.0) == ["fill"]
    assert market.paid(stop) == 94.0


def test_a_bar_around_ticks_only_marks() -> None:
    market = Market()
    market.tick(at(MONDAY, 10), 99.0, 101.0)
    order = market.send()
    assert market.bar(at(MONDAY, 9, 59), 50.0) == []
    assert market.bar(at(MONDAY, 10), 60.0) == []  # the tick lies inside it
    assert market.account.holdings.marks["AAA"] == 60.0
    assert market.tick(at(MONDAY, 10, 1), 99.0, 101.0) == ["fill"]
    assert market.paid(order) == 101.0


def test_ticks_that_the_market_has_passed_change_nothing() -> None:
    market = Market()
    market.bar(at(MONDAY, 10))
    market.send()
    assert market.tick(at(MONDAY, 10), 99.0, 101.0) == []
    assert market.tick(at(MONDAY, 10, 1), 99.0, 101.0) == ["fill"]


def test_half_the_spread_is_paid_on_bars() -> None:
    market = Market(spread_bps=20.0)
    bought, sold = market.send(), market.send(Side.SELL, 4)
    market.bar(at(MONDAY, 10))
    assert market.paid(bought) == pytest.approx(100.1)
    assert market.paid(sold) == pytest.approx(99.9)


# -- latency


def test_an_order_trades_at_no_price_from_before_it_arrived() -> None:
    market = Market(latency_us=1)
    market.bar(at(MONDAY, 10))
    order = market.send()
    assert market.status(order) is OrderStatus.PENDING_NEW
    assert market.bar(at(MONDAY, 10, 1), 101.0) == []  # opened before the order was there
    assert market.bar(at(MONDAY, 10, 2), 102.0) == ["new", "fill"]
    assert market.paid(order) == 102.0


def test_a_replacement_stands_for_what_the_original_did_not_fill_on_the_way() -> None:
    market = Market(latency_us=90_000_000, participation=0.004)
    market.bar(at(MONDAY, 10))
    order = market.send(limit=105.0)
    for minute in (1, 2, 3):
        market.bar(at(MONDAY, 10, minute))
    assert market.account.orders[order].filled_qty == 4.0
    new = market.account.replace(order, ReplaceRequest(client_order_id="new", limit_price=106.0), 1_000)
    assert isinstance(new, Order)
    assert new.qty == 6.0
    assert market.bar(at(MONDAY, 10, 4)) == ["partial_fill"]
    assert market.bar(at(MONDAY, 10, 6)) == ["replaced", "new", "fill"]
    assert market.account.orders[new.id].qty == 2.0
    assert market.account.holdings.qty("AAA") == 10.0


# -- groups inside one bar


def test_a_stop_loss_that_the_open_has_passed_fills_where_the_market_is() -> None:
    market = Market()
    market.bar(at(MONDAY, 10))
    market.send()
    bracket = OrderRequest(
        client_order_id="bracket", symbol="AAA", side=Side.BUY, qty=10.0,
        order_class=OrderClass.BRACKET, take_profit=110.0, stop_loss=StopLoss(95.0),
    )  # fmt: skip
    assert isinstance(market.account.submit(bracket, 1_000), Order)
    assert market.bar(at(MONDAY, 10, 1), 90.0) == ["fill", "fill", "new", "new", "fill", "canceled"]
    assert market.account.fills[-1].price == 90.0


# -- what an account may


def test_its_owner_can_stop_orders_shorts_and_margin() -> None:
    market = Market(cash=1_000.0)
    market.bar(at(MONDAY, 10))
    settings = market.account.state.configuration

    def why(side: Side, qty: float, **wishes: Any) -> str:
        market.account.configure(type(settings)(**wishes))
        answer = market.ask(side, qty)
        return answer.message if isinstance(answer, Reject) else "taken"

    assert why(Side.BUY, 1, suspend_trade=True) == "new orders are rejected by user request"
    assert why(Side.SELL, 1, no_shorting=True) == "account is not allowed to short"
    assert (
        why(Side.BUY, 0.5, fractional_trading=False) == "fractional trading is not enabled for this account"
    )
    assert why(Side.BUY, 20, max_margin_multiplier="1") == "insufficient buying power"
    assert why(Side.BUY, 20, max_margin_multiplier="4") == "taken"
