"""Sessions, their auctions, and what the end of a day brings."""

import pytest
from exchange_process import MINUTE_US
from market import HALF_DAY, MONDAY, TUESDAY, WEDNESDAY, Market, at

from data.bar import Bar
from execution.exchange.orders import (
    EventKind,
    Order,
    OrderStatus,
    ReplaceRequest,
    Side,
    TimeInForce,
)
from execution.exchange.state import ActivityKind
from execution.exchange.terms import Rules

pytestmark = pytest.mark.full  # calendars take a second to load

# -- replacements and sessions


def test_an_old_order_that_becomes_a_day_order_lives_through_its_day() -> None:
    market = Market()
    order = market.send(limit=50.0, time_in_force=TimeInForce.GTC)
    market.bar(at(MONDAY, 10))
    market.bar(at(TUESDAY, 10))
    asked = ReplaceRequest(client_order_id="new", time_in_force=TimeInForce.DAY)
    assert isinstance(market.account.replace(order, asked, 1_000), Order)
    assert market.bar(at(TUESDAY, 10, 1)) == []
    assert market.bar(at(WEDNESDAY, 10)) == ["expired"]


def test_a_replacement_on_its_way_at_the_close_arrives_the_next_day() -> None:
    market = Market(hours="XNYS", latency_us=90_000_000)
    market.bar(at(MONDAY, 15, 50))
    order = market.send(limit=50.0, time_in_force=TimeInForce.GTC)
    market.bar(at(MONDAY, 15, 58))
    asked = ReplaceRequest(client_order_id="new", time_in_force=TimeInForce.DAY)
    assert isinstance(market.account.replace(order, asked, 1_000), Order)
    assert market.bar(at(MONDAY, 15, 59)) == []
    assert market.bar(at(TUESDAY, 9, 30)) == ["replaced", "new"]
    assert market.bar(at(TUESDAY, 15, 59)) == ["expired"]


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
    assert market.bar(at(WEDNESDAY, 9, 31)) == ["canceled"]  # no bar of its open
    assert market.status(missed) is OrderStatus.CANCELED


def test_closing_auction_orders_trade_at_the_close_of_the_last_bar() -> None:
    market = Market()
    market.bar(at(MONDAY, 15, 50))
    order = market.send(time_in_force=TimeInForce.CLS)
    assert market.bar(at(MONDAY, 15, 58), 100.0) == []
    bar = Bar("AAA", "1m", at(MONDAY, 15, 59), 100.0, 104.0, 100.0, 103.0, 1_000.0)
    (event,) = market.account.on_bar([bar], 1_000)
    assert (event.kind, market.paid(order)) == (EventKind.FILL, 103.0)


@pytest.mark.parametrize(
    ("time_in_force", "minute", "taken"),
    [
        (TimeInForce.OPG, 27, True),
        (TimeInForce.OPG, 28, False),
        (TimeInForce.CLS, 28, True),
        (TimeInForce.CLS, 6 * 60 + 50, False),
        (TimeInForce.CLS, 10 * 60, True),
    ],
)
def test_alpaca_shuts_the_door_before_an_auction(
    time_in_force: TimeInForce, minute: int, taken: bool
) -> None:
    market = Market(rules=Rules.ALPACA)
    market.tick(at(MONDAY, 9) + minute * MINUTE_US, 99.0, 101.0)
    assert isinstance(market.ask(Side.BUY, 10, time_in_force=time_in_force), Order) == taken


@pytest.mark.parametrize(("time_in_force", "paid"), [(TimeInForce.OPG, 100.0), (TimeInForce.CLS, 107.0)])
def test_a_bar_of_a_day_has_both_auctions(time_in_force: TimeInForce, paid: float) -> None:
    market = Market()
    order = market.send(time_in_force=time_in_force)
    market.account.on_bar([Bar("AAA", "1d", at(MONDAY, 9, 30), 100.0, 110.0, 90.0, 107.0, 1_000.0)], 1_000)
    assert market.paid(order) == paid


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
