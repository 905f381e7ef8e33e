"""Every type, class and time in force of an order, asked for and followed with the unmodified alpaca-py."""

from collections.abc import Callable
from typing import Any

import pytest
from alpaca_client import APIError, TradingClient, enums, models, requests
from exchange_process import Tape, bar

from execution.exchange.ticks import Tick

TYPES: dict[str, type[requests.OrderRequest]] = {
    "market": requests.MarketOrderRequest,
    "limit": requests.LimitOrderRequest,
    "stop": requests.StopOrderRequest,
    "stop_limit": requests.StopLimitOrderRequest,
    "trailing_stop": requests.TrailingStopOrderRequest,
}


class Desk:
    """An account whose market stands at 100, without costs, and alpaca-py to trade it."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.client = TradingClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)
        tape.move(100.0)

    def send(
        self, kind: str = "market", side: str = "buy", qty: float | None = 10, **more: Any
    ) -> models.Order:
        asked = {"symbol": "AAA", "side": side, "qty": qty, "time_in_force": "day", **more}
        return self.client.submit_order(TYPES[kind](**asked))

    def bracket(self, order_class: str = "bracket", kind: str = "market", **more: Any) -> models.Order:
        legs = {"take_profit": {"limit_price": 110.0}, "stop_loss": {"stop_price": 90.0}}
        return self.send(kind, order_class=order_class, **{**legs, **more})

    def now(self, order: models.Order) -> models.Order:
        return self.client.get_order_by_id(order.id, requests.GetOrderByIdRequest(nested=True))

    def statuses(self, order: models.Order) -> list[str]:
        """Of an order and its legs."""
        told = self.now(order)
        return [each.status.value for each in (told, *(told.legs or []))]

    def price(self, order: models.Order) -> float | None:
        average = self.now(order).filled_avg_price
        return None if average is None else float(average)

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.tape.control.events()]


@pytest.fixture
def open_desk(open_tape: Callable[..., Tape]) -> Callable[..., Desk]:
    return lambda **terms: Desk(open_tape(**{"slippage_bps": 0.0, **terms}))


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


def refused(call: Callable[[], object]) -> tuple[int, int, str]:
    with pytest.raises(APIError) as caught:
        call()
    return caught.value.status_code, caught.value.code, caught.value.message


# -- types: bars reach one above and one below their price


def test_a_stop_order_waits_for_its_price_and_then_trades_at_the_market(desk: Desk) -> None:
    order = desk.send("stop", stop_price=105.0)
    assert (order.type, order.stop_price) == ("stop", "105.0")
    desk.tape.move(103.0)
    assert desk.statuses(order) == ["new"]
    desk.tape.move(104.5)  # reaches 105.5
    assert desk.price(order) == 105.0


def test_a_stop_that_is_jumped_over_fills_where_the_market_is(desk: Desk) -> None:
    order = desk.send("stop", "sell", stop_price=95.0)
    desk.tape.move(80.0)
    assert desk.price(order) == 80.0


def test_a_stop_limit_order_is_a_limit_order_once_it_is_triggered(desk: Desk) -> None:
    order = desk.send("stop_limit", stop_price=105.0, limit_price=106.0)
    desk.tape.move(120.0)  # triggered, and beyond its limit
    assert desk.statuses(order) == ["new"]
    desk.tape.move(107.0)  # comes back to 106
    assert desk.price(order) == 106.0


@pytest.mark.parametrize(("trail", "stop"), [({"trail_price": 5.0}, 116.0), ({"trail_percent": 10.0}, 108.9)])
def test_a_trailing_stop_follows_the_market_up_and_never_down(
    desk: Desk, trail: dict[str, float], stop: float
) -> None:
    order = desk.send("trailing_stop", "sell", **trail)
    assert order.hwm == "100.0"
    desk.tape.move(119.0, 120.0)
    told = desk.now(order)
    assert told.hwm == "121.0"
    assert float(told.stop_price or 0) == pytest.approx(stop)
    desk.tape.move(stop + 0.5)
    assert desk.price(order) == pytest.approx(stop)


def test_notional_buys_what_the_money_is_worth_when_it_trades(desk: Desk) -> None:
    order = desk.send(qty=None, notional=1_000.0)
    assert (order.notional, order.qty) == ("1000", None)
    desk.tape.move(80.0)
    told = desk.now(order)
    assert (told.status, told.filled_qty, told.filled_avg_price) == ("filled", "12.5", "80.0")


def test_a_fraction_of_a_share_is_bought_and_sold(desk: Desk) -> None:
    desk.send(qty=0.25)
    desk.tape.move(100.0)
    desk.send(side="sell", qty=0.25)
    desk.tape.move(100.0)
    assert desk.client.get_all_positions() == []


# -- times in force


def test_ioc_takes_what_there_is_and_cancels_the_rest(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(participation=0.005)  # five shares of a bar
    part = desk.send(time_in_force="ioc")
    away = desk.send("limit", time_in_force="ioc", limit_price=99.5)  # inside the bar, but not at once
    desk.tape.move(100.0)
    assert (desk.now(part).status, desk.now(part).filled_qty) == ("canceled", "5")
    assert (desk.now(away).status, desk.now(away).filled_qty) == ("canceled", "0")


def test_fok_is_filled_whole_or_not_at_all(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(participation=0.005)
    small, large = desk.send(qty=5, time_in_force="fok"), desk.send(qty=6, time_in_force="fok")
    desk.tape.move(100.0)
    assert (desk.statuses(small), desk.statuses(large)) == (["filled"], ["canceled"])
    assert desk.now(large).filled_qty == "0"


def test_extended_hours_are_for_limit_orders(desk: Desk) -> None:
    order = desk.send("limit", limit_price=100.0, extended_hours=True)
    assert order.extended_hours
    assert refused(lambda: desk.send(extended_hours=True)) == (
        422,
        40010001,
        'only type="limit" is allowed for extended hours orders',
    )


@pytest.mark.parametrize("time_in_force", ["ioc", "fok", "opg", "cls"])
def test_stops_are_day_or_gtc_orders(desk: Desk, time_in_force: str) -> None:
    status, code, message = refused(lambda: desk.send("stop", stop_price=110.0, time_in_force=time_in_force))
    assert (status, code, message) == (422, 42210000, "stop orders must be day or gtc orders")


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


# -- quotes


def test_a_market_order_takes_the_quote_and_a_limit_order_waits_for_it(desk: Desk) -> None:
    market, limit = desk.send(), desk.send("limit", limit_price=99.0)
    at_us = (desk.tape.control.clock().clock_us or 0) + 60_000_000
    desk.tape.control.post_ticks([Tick("AAA", at_us, bid=99.5, ask=100.5, bid_size=7, ask_size=7)])
    assert (desk.price(market), desk.price(limit)) == (100.5, None)
    desk.tape.control.post_ticks([Tick("AAA", at_us + 1, bid=98.0, ask=98.8)])
    assert desk.price(limit) == 98.8
    assert desk.client.get_open_position("AAA").current_price == "98.4"


# -- halts and the book of assets


def test_a_halted_symbol_does_not_trade_until_it_is_resumed(desk: Desk) -> None:
    desk.tape.control.halt("AAA")
    waits, immediate = desk.send(), desk.send(time_in_force="ioc")
    desk.tape.move(100.0)
    assert (desk.statuses(waits), desk.statuses(immediate)) == (["new"], ["canceled"])
    assert desk.client.get("/assets/AAA")["halted"]
    desk.tape.control.halt("AAA", halted=False)
    desk.tape.move(100.0)
    assert desk.statuses(waits) == ["filled"]


def test_assets_say_what_may_be_done_with_them_and_orders_are_held_to_it(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(
        assets={
            "GONE": {"active": False},
            "SHUT": {"tradable": False},
            "LONG": {"shortable": False},
            "HARD": {"easy_to_borrow": False},
            "WHOLE": {"fractionable": False},
        }
    )
    gone = desk.client.get_asset("GONE")
    assert (gone.status, gone.tradable) == (enums.AssetStatus.INACTIVE, False)
    inactive = desk.client.get_all_assets(requests.GetAssetsRequest(status="inactive"))
    assert [asset.symbol for asset in inactive] == ["GONE"]
    assert not desk.client.get_asset("WHOLE").fractionable

    def why(symbol: str, **more: Any) -> str:
        return refused(lambda: desk.send(symbol=symbol, **more))[2]

    assert why("GONE") == "asset GONE is not active"
    assert why("SHUT") == "asset SHUT is not tradable"
    assert why("LONG", side="sell") == 'asset "LONG" cannot be sold short'
    assert why("HARD", side="sell", time_in_force="gtc") == (
        'only day orders are allowed for hard-to-borrow asset "HARD"'
    )
    assert why("WHOLE", qty=0.5) == 'asset "WHOLE" is not fractionable'
    desk.send(symbol="HARD", side="sell")


# -- Alpaca's own rules


def test_an_account_with_alpacas_rules_refuses_what_alpaca_refuses(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(rules="alpaca")
    desk.send(qty=10)
    desk.tape.move(100.0)

    def why(*args: Any, **more: Any) -> tuple[int, int, str]:
        return refused(lambda: desk.send(*args, **more))

    assert why("limit", limit_price=99.123) == (
        422,
        42210000,
        "invalid limit_price 99.123. sub-penny increment does not fulfill minimum pricing criteria",
    )
    assert why(qty=0.5, time_in_force="gtc") == (422, 42210000, "fractional orders must be DAY orders")
    assert why(symbol="BBB", side="sell", qty=0.5) == (
        422,
        42210000,
        "fractional orders cannot be sold short",
    )
    assert why(side="sell", qty=11) == (
        403,
        40310000,
        "insufficient qty available for order (requested: 11, available: 10)",
    )
    assert why(qty=None, notional=0.5) == (403, 40310000, "cost basis must be >= minimal amount of order 1")
    desk.send("limit", "sell", limit_price=105.0)
    assert why() == (403, 40310000, "potential wash trade detected. use complex orders")
    desk.send("limit", limit_price=104.0)  # below: the two cannot meet
