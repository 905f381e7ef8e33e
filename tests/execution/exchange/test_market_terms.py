"""How faithful a market an account trades on: quotes, queues, latency, sessions, auctions, fees; by its terms."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from data.bar import Bar
from execution.exchange.matching import Account
from execution.exchange.orders import (
    EventKind,
    Order,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    Reject,
    ReplaceRequest,
    Side,
    StopLoss,
    TimeInForce,
)
from execution.exchange.state import ActivityKind
from execution.exchange.terms import Queue, Terms
from execution.exchange.ticks import Tick

NEW_YORK = ZoneInfo("America/New_York")
MONDAY, TUESDAY, HALF_DAY = (2025, 11, 10), (2025, 11, 11), (2025, 11, 28)


def at(day: tuple[int, int, int], hour: int, minute: int = 0) -> int:
    return int(datetime(*day, hour, minute, tzinfo=NEW_YORK).timestamp()) * 1_000_000


class Market:
    """An account without costs unless its terms say so, and the tape it trades on."""

    def __init__(self, **terms: Any) -> None:
        self.account = Account(Terms(**{"name": "test", "slippage_bps": 0.0, **terms}))

    def send(self, side: Side = Side.BUY, qty: float = 10, limit: float | None = None, **more: Any) -> str:
        answer = self.ask(side, qty, limit, **more)
        assert isinstance(answer, Order), answer
        return answer.id

    def ask(self, side: Side, qty: float, limit: float | None = None, **more: Any) -> Order | Reject:
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        request = OrderRequest(
            client_order_id=str(len(self.account.orders)),
            symbol="AAA",
            side=side,
            qty=float(qty),
            limit_price=limit,
            **{"type": kind, **more},
        )
        return self.account.submit(request, 1_000)

    def bar(self, at_us: int, price: float = 100.0, reach: float = 1.0, timeframe: str = "1m") -> list[str]:
        bar = Bar("AAA", timeframe, at_us, price, price + reach, price - reach, price, 1_000.0)
        return [event.kind.value for event in self.account.on_bar([bar], 1_000)]

    def tick(self, at_us: int, *prices: float | None, **sizes: float) -> list[str]:
        tick = Tick("AAA", at_us, *prices, **sizes)
        return [event.kind.value for event in self.account.on_ticks([tick], 1_000)]

    def status(self, order_id: str) -> OrderStatus:
        return self.account.orders[order_id].status

    def paid(self, order_id: str) -> float | None:
        return self.account.orders[order_id].filled_avg_price


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


# -- sessions


def test_only_orders_for_extended_hours_trade_in_them() -> None:
    market = Market(hours="XNYS")
    regular, extended = market.send(limit=101.0), market.send(limit=101.0, extended_hours=True)
    assert market.bar(at(MONDAY, 3)) == []  # before four nobody trades
    assert market.bar(at(MONDAY, 8)) == ["fill"]
    assert (market.status(regular), market.status(extended)) == (OrderStatus.NEW, OrderStatus.FILLED)
    assert market.bar(at(MONDAY, 9, 30)) == ["fill"]


def test_the_close_ends_day_orders_and_puts_the_others_to_sleep() -> None:
    market = Market(hours="XNYS")
    market.bar(at(MONDAY, 15, 58))
    day = market.send(limit=50.0)
    evening = market.send(limit=50.0, extended_hours=True)
    lasting = market.send(limit=50.0, time_in_force=TimeInForce.GTC)
    assert market.bar(at(MONDAY, 15, 59)) == ["expired", "done_for_day"]
    assert market.status(day) is OrderStatus.EXPIRED
    assert market.bar(at(MONDAY, 19, 59)) == ["expired"]
    assert market.status(evening) is OrderStatus.EXPIRED
    late = market.send(limit=50.0)  # belongs to the next day
    market.bar(at(TUESDAY, 9, 30))
    assert market.status(lasting) is OrderStatus.NEW
    assert market.status(late) is OrderStatus.NEW
    assert market.bar(at(TUESDAY, 15, 59)) == ["done_for_day", "expired"]


def test_a_half_day_closes_at_one() -> None:
    market = Market(hours="XNYS")
    market.bar(at(HALF_DAY, 12, 58))
    market.send(limit=50.0)
    assert market.bar(at(HALF_DAY, 12, 59)) == ["expired"]


def test_a_bar_of_a_day_is_a_whole_session() -> None:
    market = Market(hours="XNYS")
    order = market.send(limit=50.0)
    assert market.bar(at(MONDAY, 9, 30), timeframe="1d") == ["expired"]
    assert market.status(order) is OrderStatus.EXPIRED


# -- auctions


def test_opening_auction_orders_trade_at_the_next_open_or_not_at_all() -> None:
    market = Market(slippage_bps=10.0)
    market.bar(at(MONDAY, 15, 59))
    order = market.send(time_in_force=TimeInForce.OPG)
    limited = market.send(limit=99.0, time_in_force=TimeInForce.OPG)
    assert market.bar(at(TUESDAY, 9, 29), 90.0) == []
    assert market.bar(at(TUESDAY, 9, 30), 100.0) == ["fill", "canceled"]
    assert market.paid(order) == 100.0  # one price for all: no slippage
    assert market.status(limited) is OrderStatus.CANCELED
    missed = market.send(time_in_force=TimeInForce.OPG)
    assert market.bar(at(TUESDAY, 9, 31)) == []
    assert market.bar(at((2025, 11, 12), 9, 31)) == ["canceled"]  # no bar of its open
    assert market.status(missed) is OrderStatus.CANCELED


def test_closing_auction_orders_trade_at_the_close_of_the_last_bar() -> None:
    market = Market()
    market.bar(at(MONDAY, 15, 50))
    order = market.send(time_in_force=TimeInForce.CLS)
    assert market.bar(at(MONDAY, 15, 58), 100.0) == []
    bar = Bar("AAA", "1m", at(MONDAY, 15, 59), 100.0, 104.0, 100.0, 103.0, 1_000.0)
    (event,) = market.account.on_bar([bar], 1_000)
    assert (event.kind, market.paid(order)) == (EventKind.FILL, 103.0)


@pytest.mark.parametrize(("time_in_force", "paid"), [(TimeInForce.OPG, 100.0), (TimeInForce.CLS, 107.0)])
def test_a_bar_of_a_day_has_both_auctions(time_in_force: TimeInForce, paid: float) -> None:
    market = Market()
    order = market.send(time_in_force=time_in_force)
    market.account.on_bar([Bar("AAA", "1d", at(MONDAY, 9, 30), 100.0, 110.0, 90.0, 107.0, 1_000.0)], 1_000)
    assert market.paid(order) == paid


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


# -- fees and days


def test_fees_of_sales_are_booked_at_the_end_of_the_day_and_borrowed_shares_cost_by_the_night() -> None:
    market = Market(sale_fee_bps=10.0, sale_fee_per_share=0.01, borrow_bps=365.0)
    market.send(Side.SELL, 100)
    market.bar(at(MONDAY, 10))
    assert market.account.state.accrued_fees == pytest.approx(10_000 * 0.001 + 1.0)
    cash = market.account.holdings.cash
    market.bar(at(TUESDAY, 10), 90.0)
    borrowed, fee = market.account.activities
    assert (borrowed.kind, fee.kind, fee.day) == (ActivityKind.FEE, ActivityKind.FEE, "2025-11-10")
    assert borrowed.net_amount == pytest.approx(-10_000 * 0.0365 / 365)
    assert fee.net_amount == pytest.approx(-11.0)
    assert market.account.holdings.cash == pytest.approx(cash - 11.0 - 1.0)
    assert market.account.state.accrued_fees == 0.0


def test_the_end_of_a_day_is_remembered() -> None:
    market = Market()
    market.send()
    market.bar(at(MONDAY, 10), 100.0)
    market.bar(at(MONDAY, 11), 110.0)
    market.bar(at(TUESDAY, 10), 120.0)
    (monday,) = market.account.days
    assert (monday.day, monday.equity) == ("2025-11-10", 100_000.0 + 100.0)
    assert market.account.state.day_marks == {"AAA": 110.0}


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
