"""Every type and time in force of an order, sent and followed with the unmodified alpaca-py."""

from collections.abc import Callable
from typing import Any

import pytest
from alpaca_client import enums, requests
from order_desk import Desk, refused

from data.bar import Tick

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
