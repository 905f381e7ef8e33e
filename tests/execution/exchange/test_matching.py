"""What happens to an order between its acceptance and its end."""

from typing import Any

import pytest
from exchange_process import bar

from execution.exchange.matching import Account
from execution.exchange.orders import (
    Event,
    EventKind,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Reason,
    Reject,
    Side,
    TimeInForce,
)
from execution.exchange.terms import Terms

A_DAY = 24 * 60  # minutes


def account(**terms: Any) -> Account:
    return Account(Terms(**{"name": "test", "slippage_bps": 10.0, **terms}))


def submit(account: Account, side: Side, qty: float, **more: Any) -> Order | Reject:
    more.setdefault("client_order_id", f"order-{len(account.orders) + 1}")
    more.setdefault("symbol", "AAA")
    if "limit_price" in more:
        more["type"] = OrderType.LIMIT
    return account.submit(OrderRequest(side=side, qty=qty, **more), 1_000)


def accepted(account: Account, side: Side, qty: float, **more: Any) -> Order:
    order = submit(account, side, qty, **more)
    assert isinstance(order, Order), order
    return order


def move(account: Account, minute: int, price: float, **more: Any) -> list[Event]:
    return account.on_bar([bar(minute, price, **more)], 1_000)


def test_a_market_order_fills_at_the_next_open_worse_by_the_slippage() -> None:
    book = account()
    move(book, 0, 100.0)
    bought = accepted(book, Side.BUY, 10)
    assert bought.status is OrderStatus.NEW
    (event,) = move(book, 1, 200.0)
    assert event.kind is EventKind.FILL
    assert event.fill is not None
    assert event.fill.price == 200.0 * (1 + 10.0 / 1e4)
    assert book.holdings.cash == 100_000.0 - 10 * event.fill.price
    assert book.holdings.positions == {"AAA": Position(10.0, event.fill.price)}
    accepted(book, Side.SELL, 10)
    (event,) = move(book, 2, 150.0)
    assert event.fill is not None
    assert event.fill.price == 150.0 * (1 - 10.0 / 1e4)
    assert event.position_qty == 0.0
    assert book.holdings.positions == {}


def test_an_order_waits_for_a_bar_of_its_own_symbol() -> None:
    book = account()
    accepted(book, Side.BUY, 1, symbol="BBB")
    assert move(book, 0, 100.0) == []
    assert [event.kind for event in move(book, 1, 50.0, symbol="BBB")] == [EventKind.FILL]


def test_events_are_numbered_without_gaps_and_stamps_only_rise() -> None:
    book = account()
    for minute in range(5):
        accepted(book, Side.BUY, 1)
        accepted(book, Side.SELL, 1)
        move(book, minute, 100.0)
    events = book.take_changes().events
    assert [event.seq for event in events] == list(range(1, 21))
    stamps = [event.at_us for event in events]
    assert stamps == sorted(set(stamps))
    assert book.take_changes().events == []


def test_a_bar_that_the_tape_has_passed_changes_nothing() -> None:
    book = account()
    move(book, 5, 100.0)
    accepted(book, Side.BUY, 1)
    assert move(book, 5, 100.0) == []
    assert move(book, 4, 100.0) == []
    assert len(move(book, 6, 100.0)) == 1


def test_a_client_order_id_is_unique_for_ever() -> None:
    book = account()
    order = accepted(book, Side.BUY, 1, client_order_id="once")
    book.cancel(order.id, 1_000)
    again = submit(book, Side.SELL, 2, client_order_id="once")
    assert isinstance(again, Reject)
    assert again.reason is Reason.DUPLICATE_ID


def test_a_canceled_order_never_fills_and_cannot_be_canceled_twice() -> None:
    book = account()
    order = accepted(book, Side.BUY, 1)
    event = book.cancel(order.id, 1_000)
    assert isinstance(event, Event)
    assert event.order.status is OrderStatus.CANCELED
    assert move(book, 0, 100.0) == []
    again = book.cancel(order.id, 1_000)
    assert isinstance(again, Reject)
    assert again.reason is Reason.NOT_CANCELABLE


@pytest.mark.parametrize(
    ("side", "limit", "price", "paid"),
    [
        (Side.BUY, 90.0, 100.0, None),  # the bar reaches down to 99 only
        (Side.BUY, 99.5, 100.0, 99.5),  # reached inside the bar
        (Side.BUY, 120.0, 100.0, 100.0 * 1.001),  # better than asked for
        (Side.BUY, 100.0, 100.0, 100.0),  # slippage never makes a limit worse
        (Side.SELL, 110.0, 100.0, None),
        (Side.SELL, 100.5, 100.0, 100.5),
        (Side.SELL, 90.0, 100.0, 100.0 * (1 - 0.001)),
        (Side.SELL, 100.0, 100.0, 100.0),
    ],
)
def test_a_limit_order_fills_at_its_limit_or_better(
    side: Side, limit: float, price: float, paid: float | None
) -> None:
    book = account()
    accepted(book, side, 1, limit_price=limit)
    fills = [event.fill.price for event in move(book, 0, price) if event.fill]
    assert fills == ([] if paid is None else [paid])


def test_a_day_order_expires_with_the_session_it_was_first_live_in_and_gtc_does_not() -> None:
    book = account()
    day = accepted(book, Side.BUY, 1, limit_price=50.0)
    lasting = accepted(book, Side.BUY, 1, limit_price=50.0, time_in_force=TimeInForce.GTC)
    assert move(book, 0, 100.0) == []
    assert move(book, 100, 100.0) == []
    (event,) = move(book, A_DAY, 100.0)
    assert (event.kind, event.order.id) == (EventKind.EXPIRED, day.id)
    assert [order.id for order in book.open_orders()] == [lasting.id]
    queued = accepted(book, Side.BUY, 1, limit_price=50.0)  # sent after the last bar: belongs to the next day
    assert move(book, 2 * A_DAY, 100.0) == []
    assert book.orders[queued.id].status is OrderStatus.NEW


def test_participation_fills_an_order_in_parts_and_charges_commission_once() -> None:
    book = account(participation=0.1, commission_bps=10.0, commission_min=1.0, slippage_bps=0.0)
    order = accepted(book, Side.BUY, 25)
    kinds = [move(book, minute, 100.0, volume=100.0)[0].kind for minute in range(3)]
    assert kinds == [EventKind.PARTIAL_FILL, EventKind.PARTIAL_FILL, EventKind.FILL]
    assert [fill.qty for fill in book.fills] == [10.0, 10.0, 5.0]
    assert [fill.leaves_qty for fill in book.fills] == [15.0, 5.0, 0.0]
    assert sum(fill.commission for fill in book.fills) == pytest.approx(2.5)
    assert book.orders[order.id].commission == pytest.approx(2.5)
    assert len({fill.execution_id for fill in book.fills}) == 3
    assert book.holdings.cash == pytest.approx(100_000.0 - 2_500.0 - 2.5)


def test_the_volume_of_a_bar_is_shared_by_its_orders_in_turn() -> None:
    book = account(participation=0.1)
    first, second = accepted(book, Side.BUY, 8), accepted(book, Side.BUY, 8)
    move(book, 0, 100.0, volume=100.0)
    assert [book.orders[order.id].filled_qty for order in (first, second)] == [8.0, 2.0]


def test_buying_power_counts_positions_and_open_orders_up_to_the_multiplier() -> None:
    book = account(cash=1_000.0, multiplier=2.0, slippage_bps=0.0)
    move(book, 0, 100.0)
    accepted(book, Side.BUY, 10)
    accepted(book, Side.BUY, 10)
    refused = submit(book, Side.BUY, 1)
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.BUYING_POWER
    assert refused.details == {"buying_power": "0.00", "cost_basis": "100.00"}
    move(book, 1, 100.0)
    assert book.holdings.buying_power == 0.0
    accepted(book, Side.SELL, 40)  # through zero to as short as it was long: adds no exposure
    assert isinstance(submit(book, Side.SELL, 1), Reject)


def test_shrinking_a_position_is_allowed_even_under_water() -> None:
    book = account(cash=1_000.0, multiplier=2.0, slippage_bps=0.0)
    move(book, 0, 100.0)
    accepted(book, Side.BUY, 20)
    move(book, 1, 100.0)
    move(book, 2, 60.0)
    assert book.holdings.equity == 200.0
    assert book.holdings.buying_power == 0.0
    assert isinstance(submit(book, Side.BUY, 1), Reject)
    accepted(book, Side.SELL, 20)


def test_an_order_accepted_before_any_price_is_rejected_at_the_first_bar_if_it_is_too_large() -> None:
    book = account(cash=1_000.0, multiplier=2.0)
    large, small = accepted(book, Side.BUY, 100), accepted(book, Side.BUY, 10)
    events = move(book, 0, 100.0)
    assert [(event.kind, event.order.id) for event in events] == [
        (EventKind.REJECTED, large.id),
        (EventKind.FILL, small.id),
    ]


def test_the_average_entry_follows_adds_cuts_and_flips() -> None:
    book = account(slippage_bps=0.0)
    for minute, (side, qty, price, held) in enumerate(
        [
            (Side.BUY, 10, 100.0, Position(10.0, 100.0)),
            (Side.BUY, 10, 110.0, Position(20.0, 105.0)),
            (Side.SELL, 5, 200.0, Position(15.0, 105.0)),
            (Side.SELL, 25, 90.0, Position(-10.0, 90.0)),
            (Side.SELL, 10, 80.0, Position(-20.0, 85.0)),
            (Side.BUY, 20, 50.0, None),
        ]
    ):
        accepted(book, side, qty)
        move(book, minute, price)
        assert book.holdings.positions.get("AAA") == held


@pytest.mark.parametrize(
    ("qty", "more", "reason"),
    [
        (0.0, {}, Reason.INVALID),
        (-1.0, {}, Reason.INVALID),
        (float("nan"), {}, Reason.INVALID),
        (float("inf"), {}, Reason.INVALID),
        (0.1234567891, {}, Reason.INVALID),
        (1.0, {"limit_price": -1.0}, Reason.INVALID),
        (1.0, {"limit_price": None}, Reason.INVALID),
        (1.0, {"symbol": "ZZZ"}, Reason.UNKNOWN_SYMBOL),
    ],
)
def test_a_refused_order_leaves_no_trace(qty: float, more: dict[str, Any], reason: Reason) -> None:
    book = account(symbols=("AAA", "BBB"))
    refused = submit(book, Side.BUY, qty, client_order_id="x", **more)
    assert isinstance(refused, Reject)
    assert refused.reason is reason
    assert (book.seq, book.orders, book.holdings.exposure) == (0, {}, 0)
    accepted(book, Side.BUY, 1, client_order_id="x")


def test_the_same_commands_give_the_same_books() -> None:
    def run() -> list[Event]:
        book = account(participation=0.01)
        for minute in range(20):
            accepted(book, Side.BUY if minute % 3 else Side.SELL, 7)
            move(book, minute, 100.0 + minute)
        return book.take_changes().events

    assert run() == run()
