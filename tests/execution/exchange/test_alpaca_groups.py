"""Brackets, ocos and otos, sent and followed with the unmodified alpaca-py."""

from collections.abc import Callable
from typing import Any

import pytest
from alpaca_client import requests
from exchange_process import bar
from order_desk import Desk, refused

# -- classes


def test_a_brackets_exits_wait_for_its_entry_and_one_cancels_the_other(desk: Desk) -> None:
    order = desk.bracket()
    assert order.order_class == "bracket"
    assert order.legs is not None
    loss, profit = order.legs
    assert (loss.type, loss.side, loss.status, loss.stop_price) == ("stop", "sell", "held", "90.0")
    assert (profit.type, profit.side, profit.status, profit.limit_price) == ("limit", "sell", "held", "110.0")
    desk.tape.move(100.0)
    assert desk.statuses(order) == ["filled", "new", "new"]
    assert desk.client.get_open_position("AAA").qty_available == "0"  # held once, not twice
    desk.tape.move(109.5)
    assert desk.statuses(order) == ["filled", "canceled", "filled"]
    assert desk.price(profit) == 110.0
    assert desk.client.get_all_positions() == []
    assert desk.kinds() == ["new", "fill", "new", "new", "fill", "canceled"]


def test_where_a_bar_reaches_both_exits_the_loss_counts(desk: Desk) -> None:
    order = desk.bracket(take_profit={"limit_price": 100.8}, stop_loss={"stop_price": 99.2})
    desk.tape.move(100.0)
    assert desk.statuses(order) == ["filled", "filled", "canceled"]


def test_a_bracket_that_is_canceled_takes_its_legs_along(desk: Desk) -> None:
    order = desk.bracket()
    desk.client.cancel_order_by_id(order.id)
    assert desk.statuses(order) == ["canceled"] * 3
    assert desk.kinds() == ["new", "canceled", "canceled", "canceled"]
    desk.tape.move(100.0)
    assert desk.client.get_all_positions() == []


def test_canceling_one_exit_cancels_the_other(desk: Desk) -> None:
    order = desk.bracket()
    desk.tape.move(100.0)
    assert order.legs is not None
    desk.client.cancel_order_by_id(order.legs[0].id)
    assert desk.statuses(order) == ["filled", "canceled", "canceled"]


def test_a_partly_filled_exit_leaves_the_other_the_rest(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(participation=0.004)
    order = desk.bracket(qty=4)
    desk.tape.move(100.0)
    assert order.legs is not None
    loss, profit = order.legs
    desk.tape.control.post_bars([bar(desk.tape.minute, 110.0, volume=250.0)])  # one share
    assert (desk.now(profit).filled_qty, desk.now(profit).status) == ("1", "partially_filled")
    assert (desk.now(loss).qty, desk.now(loss).status) == ("3", "new")


def test_an_oco_is_two_exits_of_a_position(desk: Desk) -> None:
    exits = {"order_class": "oco", "side": "sell", "kind": "limit"}
    assert refused(lambda: desk.bracket(**exits)) == (422, 42210000, "oco orders must be exit orders")
    desk.send()
    desk.tape.move(100.0)
    order = desk.bracket(**exits)
    assert (order.order_class, order.type, order.limit_price) == ("oco", "limit", "110.0")
    assert order.legs is not None
    assert [leg.type.value for leg in order.legs] == ["stop"]
    more = refused(lambda: desk.bracket(**exits))
    assert more == (403, 40310000, "insufficient qty available for order (requested: 10, available: 0)")
    desk.tape.move(90.5)
    assert desk.statuses(order) == ["canceled", "filled"]
    assert desk.client.get_all_positions() == []


@pytest.mark.parametrize(
    ("leg", "price", "paid"),
    [
        ({"take_profit": {"limit_price": 110.0}, "stop_loss": None}, 111.0, 111.0),
        ({"take_profit": None, "stop_loss": {"stop_price": 90.0, "limit_price": 89.0}}, 89.5, 89.5),
    ],
)
def test_an_oto_sends_its_one_exit_when_it_is_filled(
    desk: Desk, leg: dict[str, Any], price: float, paid: float
) -> None:
    order = desk.bracket("oto", **leg)
    assert desk.statuses(order) == ["new", "held"]
    desk.tape.move(100.0, price)
    assert desk.statuses(order) == ["filled", "filled"]
    (exit_,) = desk.now(order).legs or []
    assert float(exit_.filled_avg_price or 0) == paid


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"take_profit": {"limit_price": 80.0}}, "take_profit.limit_price must be > stop_loss.stop_price"),
        ({"take_profit": {"limit_price": 100.0}}, "take_profit.limit_price must be >= base_price + 0.01"),
        ({"stop_loss": {"stop_price": 100.0}}, "stop_loss.stop_price must be <= base_price - 0.01"),
        (
            {"side": "sell", "take_profit": {"limit_price": 90.0}, "stop_loss": {"stop_price": 100.0}},
            "stop_loss.stop_price must be >= base_price + 0.01",
        ),
        ({"time_in_force": "ioc"}, "complex orders must be day or gtc orders"),
        ({"qty": None, "notional": 500.0}, "notional orders must be simple orders"),
    ],
)
def test_legs_in_the_wrong_place_are_refused(desk: Desk, more: dict[str, Any], says: str) -> None:
    assert refused(lambda: desk.bracket(**more)) == (422, 42210000, says)


def test_nested_lists_tell_legs_with_their_order(desk: Desk) -> None:
    order = desk.bracket()
    alone = desk.send("limit", limit_price=50.0)

    def listed(**more: Any) -> list[tuple[object, int]]:
        asked = requests.GetOrdersRequest(**more)
        return [(each.id, len(each.legs or [])) for each in desk.client.get_orders(asked)]

    assert listed(nested=True) == [(alone.id, 0), (order.id, 2)]
    assert len(listed(nested=False)) == 4
    desk.tape.move(100.0)
    assert listed(nested=True) == [(alone.id, 0), (order.id, 2)]  # filled, but its legs are open
    assert len(listed(status="open")) == 3
