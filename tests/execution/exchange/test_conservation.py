"""Whatever is sent and however the market moves, nothing is created and nothing vanishes."""

from fractions import Fraction

import msgspec
import pytest
from exchange_process import bar
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.exchange.matching import Account
from execution.exchange.orders import Order, OrderRequest, OrderType, Side, TimeInForce
from execution.exchange.terms import Terms

SYMBOLS = ("AAA", "BBB")
prices = st.integers(min_value=500, max_value=50_000).map(lambda cents: cents / 100)
orders = st.tuples(
    st.sampled_from(SYMBOLS), st.sampled_from(Side), st.integers(1, 400), st.none() | prices, st.booleans()
)
bars = st.lists(st.tuples(st.sampled_from(SYMBOLS), prices), min_size=1, max_size=2, unique_by=lambda b: b[0])
cancels = st.integers(0, 30)
scripts = st.lists(orders | bars | cancels, max_size=60)
terms = st.builds(
    Terms,
    name=st.just("test"),
    slippage_bps=st.sampled_from([0.0, 1.0, 25.0]),
    commission_bps=st.sampled_from([0.0, 5.0]),
    commission_min=st.sampled_from([0.0, 1.0]),
    participation=st.sampled_from([None, 0.01, 0.1]),
)


@pytest.mark.full
@settings(max_examples=150, deadline=None)
@given(terms, scripts)
def test_cash_positions_and_quantities_add_up(terms: Terms, script: list[object]) -> None:
    account = Account(terms)
    filled: dict[str, float] = {}
    for step, action in enumerate(script):
        if isinstance(action, int):
            if action < len(account.orders):
                account.cancel(list(account.orders)[action], step)
        elif isinstance(action, tuple):
            symbol, side, qty, limit, day = action
            request = OrderRequest(
                client_order_id=f"order-{step}",
                symbol=symbol,
                side=side,
                qty=float(qty),
                type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                limit_price=limit,
                time_in_force=TimeInForce.DAY if day else TimeInForce.GTC,
            )
            account.submit(request, step)
        else:
            assert isinstance(action, list)
            account.on_bar([bar(step * 90, price, symbol) for symbol, price in action], step)
        for order in account.orders.values():
            assert filled.get(order.id, 0.0) <= order.filled_qty <= order.qty
            filled[order.id] = order.filled_qty
    check_books(account)


def check_books(account: Account) -> None:
    holdings = account.holdings
    held = dict.fromkeys(SYMBOLS, 0.0)
    spent = Fraction(0)
    for fill in account.fills:
        held[fill.symbol] += fill.side.sign * fill.qty
        spent += Fraction(fill.side.sign * fill.qty) * Fraction(fill.price) + Fraction(fill.commission)
    assert {symbol: qty for symbol, qty in held.items() if qty} == {
        symbol: position.qty for symbol, position in holdings.positions.items()
    }
    assert holdings.cash == pytest.approx(float(Fraction(account.terms.cash) - spent), rel=1e-9, abs=1e-6)

    events = account.take_changes().events
    assert [event.seq for event in events] == list(range(1, account.seq + 1))
    assert [event.fill for event in events if event.fill] == account.fills
    announced = {event.order.id: event.order for event in events}
    assert {order_id: _news(order) for order_id, order in account.orders.items()} == {
        order_id: _news(order) for order_id, order in announced.items()
    }

    for order in account.orders.values():
        parts = [fill for fill in account.fills if fill.order_id == order.id]
        assert sum(fill.qty for fill in parts) == order.filled_qty
        assert sum(fill.commission for fill in parts) == pytest.approx(order.commission)
    open_ids = {order.id for order in account.orders.values() if order.status.is_open}
    assert {order.id for order in account.open_orders()} == open_ids

    for order_id in open_ids:  # and what was reserved is released
        account.cancel(order_id, 0)
    assert holdings.exposure == pytest.approx(
        sum(abs(position.qty) * holdings.marks[symbol] for symbol, position in holdings.positions.items())
    )


def _news(order: Order) -> Order:
    """The order without what changes silently: that it has seen a bar, and with it a price."""
    return msgspec.structs.replace(order, first_bar_us=None, priced=True)
