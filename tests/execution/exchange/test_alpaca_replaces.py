"""Replaces, and what becomes of them and of cancels on the way, with the unmodified alpaca-py."""

from collections.abc import Callable
from typing import Any

from alpaca_client import requests
from order_desk import Desk, refused

# -- replace


def test_replace_gives_a_new_order_and_the_old_one_says_so(desk: Desk) -> None:
    order = desk.send("limit", limit_price=90.0, time_in_force="gtc")
    asked = requests.ReplaceOrderRequest(qty=4, limit_price=99.5, client_order_id="second")
    new = desk.client.replace_order_by_id(order.id, asked)
    assert (new.status, new.qty, new.limit_price, new.client_order_id) == ("new", "4", "99.5", "second")
    assert (new.replaces, new.time_in_force) == (order.id, "gtc")
    old = desk.now(order)
    assert (old.status, old.replaced_by) == ("replaced", new.id)
    assert old.replaced_at is not None
    desk.tape.move(100.0)
    assert (desk.now(order).filled_qty, desk.price(new)) == ("0", 99.5)
    assert desk.kinds() == ["new", "replaced", "new", "fill"]


def test_a_partly_filled_order_is_replaced_by_one_for_the_rest(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(participation=0.004)
    order = desk.send("limit", limit_price=101.0)
    desk.tape.move(100.0)
    assert desk.now(order).filled_qty == "4"
    too_small = requests.ReplaceOrderRequest(qty=4)
    assert refused(lambda: desk.client.replace_order_by_id(order.id, too_small)) == (
        422,
        42210000,
        "qty must be > filled_qty",
    )
    new = desk.client.replace_order_by_id(order.id, requests.ReplaceOrderRequest(qty=6))
    assert (new.qty, new.filled_qty) == ("2", "0")
    desk.tape.move(100.0)
    assert desk.client.get_open_position("AAA").qty == "6"


def test_a_stop_and_a_trail_are_replaced(desk: Desk) -> None:
    stop = desk.send("stop", stop_price=120.0)
    trail = desk.send("trailing_stop", "sell", trail_percent=20.0)
    new_stop = desk.client.replace_order_by_id(stop.id, requests.ReplaceOrderRequest(stop_price=110.0))
    new_trail = desk.client.replace_order_by_id(trail.id, requests.ReplaceOrderRequest(trail=10.0))
    assert (new_stop.stop_price, new_trail.trail_percent, new_trail.stop_price) == ("110.0", "10.0", "90.0")


def test_a_leg_is_replaced_inside_its_group(desk: Desk) -> None:
    order = desk.bracket()
    assert order.legs is not None
    held = desk.client.replace_order_by_id(order.legs[0].id, requests.ReplaceOrderRequest(stop_price=95.0))
    assert held.status == "held"
    desk.tape.move(100.0)
    moved = desk.client.replace_order_by_id(held.id, requests.ReplaceOrderRequest(stop_price=98.0))
    more = requests.ReplaceOrderRequest(qty=11)
    assert refused(lambda: desk.client.replace_order_by_id(moved.id, more))[2] == (
        "qty cannot be changed for advanced orders"
    )
    desk.tape.move(98.5)
    assert desk.price(moved) == 98.0
    assert desk.client.get_order_by_id(order.legs[1].id).status == "canceled"
    assert desk.client.get_all_positions() == []


def test_what_cannot_be_replaced_says_why(desk: Desk) -> None:
    order = desk.send("limit", limit_price=90.0)

    def replace(**asked: Any) -> tuple[int, int, str]:
        return refused(
            lambda: desk.client.replace_order_by_id(order.id, requests.ReplaceOrderRequest(**asked))
        )

    assert replace(limit_price=90.0) == (422, 42210000, "order parameters are not changed")
    assert replace(stop_price=90.0) == (422, 40010001, "limit orders require no stop price")
    assert replace(trail=1.0)[1] == 40010001
    assert replace(limit_price=91.0, client_order_id=order.client_order_id)[2] == (
        "client_order_id must be unique"
    )
    assert replace(qty=1_000_000) == (403, 40310000, "insufficient buying power")
    desk.client.cancel_order_by_id(order.id)
    assert replace(limit_price=91.0) == (422, 42210000, "cannot replace order in canceled status")


def test_an_order_that_fills_first_rejects_its_replacement(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(latency_us=90_000_000)  # a minute and a half
    order = desk.send("limit", limit_price=100.0)
    assert order.status == "pending_new"
    desk.tape.move(100.0, 105.0, 105.0)  # in the market, which has gone away
    assert desk.statuses(order) == ["new"]
    new = desk.client.replace_order_by_id(order.id, requests.ReplaceOrderRequest(limit_price=99.0))
    assert (new.status, desk.statuses(order)) == ("pending_new", ["pending_replace"])
    again = requests.ReplaceOrderRequest(limit_price=98.0)
    assert refused(lambda: desk.client.replace_order_by_id(order.id, again))[2] == "order already replaced"
    desk.tape.move(100.0)
    assert (desk.statuses(order), desk.statuses(new)) == (["filled"], ["rejected"])
    assert desk.kinds()[-4:] == ["pending_replace", "fill", "order_replace_rejected", "rejected"]


def test_an_order_that_fills_first_rejects_its_cancel(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(latency_us=90_000_000)
    order = desk.send("limit", limit_price=100.0)
    desk.tape.move(105.0, 105.0, 105.0)
    desk.client.cancel_order_by_id(order.id)
    assert desk.statuses(order) == ["pending_cancel"]
    desk.tape.move(100.0)
    assert desk.statuses(order) == ["filled"]
    assert desk.kinds()[-3:] == ["pending_cancel", "fill", "order_cancel_rejected"]


def test_with_latency_what_is_not_filled_in_time_is_canceled(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(latency_us=1)
    order = desk.send("limit", limit_price=90.0)
    desk.client.cancel_order_by_id(order.id)
    desk.tape.move(100.0, 100.0)
    assert desk.statuses(order) == ["canceled"]
    assert desk.kinds() == ["pending_new", "pending_cancel", "canceled"]
