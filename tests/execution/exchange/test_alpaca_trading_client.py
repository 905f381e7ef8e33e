"""The unmodified alpaca-py `TradingClient` trades on the exchange as it does at Alpaca."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from alpaca_client import APIError, TradingClient, enums, models, requests
from exchange_process import MINUTE_US, OPEN_US, Tape

from execution.exchange.faults import FaultKind


@pytest.fixture
def client(tape: Tape) -> TradingClient:
    return alpaca(tape)


def alpaca(tape: Tape) -> TradingClient:
    return TradingClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)


def market(
    qty: float, side: str = "buy", symbol: str = "AAA", coid: str | None = None
) -> requests.OrderRequest:
    return requests.MarketOrderRequest(
        symbol=symbol, qty=qty, side=side, time_in_force="day", client_order_id=coid
    )


def limit(qty: float, price: float, side: str = "buy", symbol: str = "AAA") -> requests.OrderRequest:
    return requests.LimitOrderRequest(
        symbol=symbol, qty=qty, side=side, time_in_force="gtc", limit_price=price
    )


def refused(call: Callable[[], object]) -> tuple[int, int, str]:
    with pytest.raises(APIError) as caught:
        call()
    return caught.value.status_code, caught.value.code, caught.value.message


def test_an_order_is_submitted_found_filled_and_held_as_a_position(tape: Tape, client: TradingClient) -> None:
    tape.move(100.0)
    order = client.submit_order(market(10, coid="mine"))
    assert (order.status, order.qty, order.filled_qty) == (enums.OrderStatus.NEW, "10", "0")
    assert client.get_order_by_client_id("mine") == client.get_order_by_id(order.id) == order

    tape.move(110.0)
    filled = client.get_order_by_client_id("mine")
    price = 110.0 * (1 + 1.0 / 1e4)
    assert (filled.status, filled.filled_qty, filled.filled_avg_price) == (
        enums.OrderStatus.FILLED,
        "10",
        repr(price),
    )
    assert filled.filled_at is not None
    assert filled.filled_at > filled.submitted_at

    position = client.get_open_position("AAA")
    assert (position.qty, position.side, position.avg_entry_price) == ("10", "long", repr(price))
    assert position.market_value == "1100.0"
    assert client.get_open_position(str(position.asset_id)) == position
    assert client.get_all_positions() == [position]

    account = client.get_account()
    assert account.status == enums.AccountStatus.ACTIVE
    assert float(account.cash) == 100_000.0 - 10 * price
    assert float(account.equity) == 100_000.0 - 10 * price + 10 * 110.0
    assert float(account.buying_power) == pytest.approx(4 * float(account.equity) - 1_100.0)
    assert account.shorting_enabled


def test_a_short_position_is_negative_as_alpaca_writes_it(tape: Tape, client: TradingClient) -> None:
    client.submit_order(market(2.5, "sell"))
    tape.move(100.0)
    position = client.get_open_position("AAA")
    assert (position.qty, position.side, position.qty_available) == ("-2.5", "short", "-2.5")
    assert float(position.market_value) == -250.0
    assert float(client.get_account().short_market_value) == -250.0


def test_a_client_order_id_cannot_be_used_twice_even_after_cancel(client: TradingClient) -> None:
    order = client.submit_order(market(1, coid="once"))
    client.cancel_order_by_id(order.id)
    assert refused(lambda: client.submit_order(market(1, coid="once"))) == (
        422,
        40010001,
        "client_order_id must be unique",
    )


def test_without_a_client_order_id_the_exchange_gives_one(client: TradingClient) -> None:
    first, second = client.submit_order(market(1)), client.submit_order(market(1))
    assert first.client_order_id != second.client_order_id


def test_what_does_not_exist_is_a_404(client: TradingClient) -> None:
    assert refused(lambda: client.get_order_by_id(uuid4()))[:2] == (404, 40410000)
    assert refused(lambda: client.get_order_by_client_id("nobody"))[:2] == (404, 40410000)
    assert refused(lambda: client.cancel_order_by_id(uuid4()))[:2] == (404, 40410000)
    assert refused(lambda: client.get_open_position("AAA"))[:2] == (404, 40410000)
    assert refused(lambda: client.close_position("AAA"))[:2] == (404, 40410000)


def test_more_than_the_buying_power_is_refused_with_the_numbers(tape: Tape, client: TradingClient) -> None:
    tape.move(100.0)
    assert refused(lambda: client.submit_order(market(4_001))) == (403, 40310000, "insufficient buying power")


def test_cancel_works_once(tape: Tape, client: TradingClient) -> None:
    order = client.submit_order(limit(1, 10.0))
    client.cancel_order_by_id(order.id)
    canceled = client.get_order_by_id(order.id)
    assert canceled.status == enums.OrderStatus.CANCELED
    assert canceled.canceled_at is not None
    again = refused(lambda: client.cancel_order_by_id(order.id))
    assert again == (422, 42210000, 'order is already in "canceled" state')


def test_cancel_all_names_every_open_order(tape: Tape, client: TradingClient) -> None:
    orders = [client.submit_order(limit(1, price, symbol=symbol)) for symbol in "AB" for price in (9.0, 8.0)]
    answers = client.cancel_orders()
    assert {answer.id for answer in answers} == {order.id for order in orders}
    assert {answer.status for answer in answers} == {200}
    assert client.get_orders() == []
    assert client.cancel_orders() == []


def test_orders_are_listed_by_status_symbol_side_time_and_direction(
    tape: Tape, client: TradingClient
) -> None:
    filled = client.submit_order(market(1))
    tape.move(100.0)
    first = client.submit_order(limit(1, 10.0))
    second = client.submit_order(limit(1, 500.0, side="sell", symbol="BBB"))

    def listed(**wanted: object) -> list[object]:
        return [order.id for order in client.get_orders(requests.GetOrdersRequest(**wanted))]

    assert [order.id for order in client.get_orders()] == [second.id, first.id]
    assert listed(status="all") == [second.id, first.id, filled.id]
    assert listed(status="all", direction="asc") == [filled.id, first.id, second.id]
    assert listed(status="open", direction="asc") == [first.id, second.id]
    assert listed(status="closed") == [filled.id]
    assert listed(status="all", limit=1) == [second.id]
    assert listed(status="all", symbols=["AAA"]) == [first.id, filled.id]
    assert listed(status="all", side="sell") == [second.id]
    assert listed(status="all", after=filled.submitted_at) == [second.id, first.id]
    assert listed(status="all", until=first.submitted_at) == [filled.id]
    assert listed(status="all", nested=True) == [second.id, first.id, filled.id]


def test_pages_of_orders_by_time_miss_none(tape: Tape, client: TradingClient) -> None:
    sent = [client.submit_order(market(1)).id for _ in range(12)]
    seen: list[object] = []
    after = datetime.now(UTC) - timedelta(hours=1)
    while page := client.get_orders(
        requests.GetOrdersRequest(status="all", direction="asc", limit=5, after=after)
    ):
        seen += [order.id for order in page]
        after = page[-1].submitted_at
    assert seen == sent


def test_close_position_sends_a_market_order_for_all_or_part(tape: Tape, client: TradingClient) -> None:
    client.submit_order(market(10))
    tape.move(100.0)
    part = client.close_position("AAA", requests.ClosePositionRequest(qty="4"))
    assert (part.side, part.qty, part.type) == ("sell", "4", "market")
    status, code, message = refused(lambda: client.close_position("AAA"))
    assert (status, code) == (403, 40310000)
    assert message == "insufficient qty available for order (requested: 10, available: 6)"
    tape.move(100.0)
    half = client.close_position("AAA", requests.ClosePositionRequest(percentage="50"))
    assert half.qty == "3"
    tape.move(100.0)
    client.close_position("AAA")
    tape.move(100.0)
    assert client.get_all_positions() == []


def test_close_all_positions_cancels_first_when_asked(tape: Tape, client: TradingClient) -> None:
    client.submit_order(market(10))
    client.submit_order(market(5, "sell", symbol="BBB"))
    tape.move(100.0)
    tape.move(50.0, symbol="BBB")
    held = client.submit_order(limit(10, 500.0, side="sell"))
    failed, closed = client.close_all_positions()
    assert (failed.symbol, failed.status, failed.body.held_for_orders) == ("AAA", 403, 10.0)
    assert (closed.symbol, closed.status, closed.body.side) == ("BBB", 200, "buy")
    closed_too = client.close_all_positions(cancel_orders=True)
    assert {answer.status for answer in closed_too} == {200}
    assert client.get_order_by_id(held.id).status == enums.OrderStatus.CANCELED
    tape.move(100.0)
    tape.move(50.0, symbol="BBB")
    assert client.get_all_positions() == []


def test_fill_activities_page_through_every_fill_once(tape: Tape, client: TradingClient) -> None:
    for _ in range(7):
        client.submit_order(market(1))
    tape.move(100.0)

    def pages(direction: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        query = {"page_size": 3, "direction": direction}
        while page := client.get("/account/activities/FILL", query):
            found += page
            query["page_token"] = page[-1]["id"]
        return found

    newest_first = pages("desc")
    assert len({fill["execution_id"] for fill in newest_first}) == 7
    assert pages("asc") == newest_first[::-1]
    fill = models.TradeActivity(**newest_first[0])
    assert (fill.qty, fill.price, fill.leaves_qty) == (1.0, 100.0 * (1 + 1 / 1e4), 0.0)
    assert newest_first[0]["bar_ts_us"] == OPEN_US
    assert client.get("/account/activities", {"activity_types": "DIV"}) == []
    assert client.get("/account/activities", {"after": fill.transaction_time.isoformat()}) == []
    one = {"order_id": str(fill.order_id)}
    assert client.get("/account/activities/FILL", one) == newest_first[:1]


def test_the_market_clock_says_open(client: TradingClient) -> None:
    clock = client.get_clock()
    assert clock.is_open
    assert abs(clock.timestamp - datetime.now(UTC)) < timedelta(minutes=1)


def test_only_listed_symbols_trade_when_symbols_were_declared(open_tape: Callable[..., Tape]) -> None:
    tape = open_tape(symbols=["AAA", "BRK.B"])
    client = alpaca(tape)
    assert client.get_asset("BRK.B").tradable
    assert client.get_asset(str(client.get_asset("AAA").id)).symbol == "AAA"
    assert {asset.symbol for asset in client.get_all_assets()} == {"AAA", "BRK.B"}
    assert refused(lambda: client.get_asset("ZZZ"))[:2] == (404, 40410000)
    assert refused(lambda: client.submit_order(market(1, symbol="ZZZ"))) == (
        422,
        42210000,
        'asset "ZZZ" not found',
    )
    tape.move(100.0, symbol="ZZZ")  # a bar lists it
    client.submit_order(market(1, symbol="ZZZ"))


def test_wrong_keys_are_unauthorized(tape: Tape) -> None:
    for key, secret in [("nobody", "x"), (tape.keys.key_id, "wrong")]:
        client = TradingClient(key, secret, url_override=tape.url)
        assert refused(client.get_account)[:2] == (401, 40110000)


def test_accounts_see_only_their_own(open_tape: Callable[..., Tape]) -> None:
    mine, other = open_tape(), open_tape()
    order = alpaca(mine).submit_order(market(1, coid="shared"))
    assert refused(lambda: alpaca(other).get_order_by_id(order.id))[0] == 404
    alpaca(other).submit_order(market(1, coid="shared"))
    mine.move(100.0)
    assert [position.symbol for position in alpaca(mine).get_all_positions()] == ["AAA"]
    assert alpaca(other).get_all_positions() == []
    assert other.control.clock().clock_us is None
    assert mine.control.clock().clock_us == OPEN_US + (mine.minute - 1) * MINUTE_US


def test_alpaca_py_itself_repeats_a_post_after_504_and_the_client_order_id_saves_it(
    tape: Tape, client: TradingClient
) -> None:
    client._retry_wait = 0  # it would sleep three seconds
    tape.control.arm_fault(FaultKind.HTTP_504_AFTER_ACCEPT)
    assert refused(lambda: client.submit_order(market(1, coid="mine")))[2] == "client_order_id must be unique"
    assert [order.client_order_id for order in client.get_orders()] == ["mine"]
    tape.control.arm_fault(FaultKind.HTTP_504_AFTER_ACCEPT)
    client.submit_order(market(1))
    assert len(client.get_orders()) == 3  # one call without an id made two orders
