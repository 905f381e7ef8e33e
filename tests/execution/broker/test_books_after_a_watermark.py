"""A real Alpaca's books: in pages, after a watermark, with fills that come late and orders that are not listed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_json import any_json, plausible_objects
from orders import activity, told
from scripted_broker import NOW_US, ScriptedBroker, http, scripted_broker

from data.orders import OrderState
from execution.broker import Books, BrokerDown, Watermark
from execution.broker.alpaca.adapter import AlpacaBroker
from execution.broker.alpaca.books import ACTIVITIES_PAGE, ORDERS_PAGE, OVERLAP_US

LIST, FILLS, POSITIONS = "GET /v2/orders", "GET /v2/account/activities/FILL", "GET /v2/positions"
SENT_US = 1_790_775_000_123_456

Play = Callable[[ScriptedBroker, AlpacaBroker], Awaitable[None]]


def played(play: Play) -> None:
    async def run() -> None:
        async with scripted_broker() as (script, broker):
            for route in (LIST, FILLS, POSITIONS):
                script.on(route, http(200, []))
            await play(script, broker)

    asyncio.run(run())


def instant(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def names(books: Books) -> list[tuple[str, str]]:
    return [(fill.coid, fill.execution_id) for fill in books.fills]


def test_the_books_are_what_the_broker_shows() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        bracket = told(1, filled_qty="5", status="filled", legs=[told(2, status="held")])
        script.on(LIST, http(200, [bracket, told(3, status="quantum", qty=None, notional="500")]))
        script.on(FILLS, http(200, [activity(2, "3", "5"), activity(1, "2", "2")]))
        script.on(POSITIONS, http(200, [{"symbol": "AAA", "qty": "5"}]))
        books = await broker.books()
        assert [(order.coid, order.parent, order.state, order.qty) for order in books.orders] == [
            ("c1", None, OrderState.FILLED, "5"),
            ("c2", "c1", OrderState.ACKED, "5"),
            ("c3", None, None, None),
        ]
        assert names(books) == [("c1", "b1@2"), ("c1", "b1@5")]  # in the order in which they happened
        assert [(position.symbol, position.qty) for position in books.positions] == [("AAA", "5")]
        assert books.watermark == Watermark(NOW_US, {"b2": "0", "b3": "0"})
        assert (books.odd, books.seq) == ([], None)
        assert [each.route for each in script.requests] == [LIST, FILLS, POSITIONS]  # positions last

    played(play)


def test_after_a_watermark_little_is_asked_and_nothing_is_missed() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        since = Watermark(NOW_US - 1_000_000, {"b1": "0", "b2": "2", "b9": "0"})
        script.on(LIST, http(200, [told(3)]), http(200, [told(2, filled_qty="2", status="partially_filled")]))
        script.on("GET /v2/orders/b1", http(200, told(1, filled_qty="5", status="filled")))
        script.on(FILLS, http(200, [activity(1, "5", "5")]))
        books = await broker.books(since)
        window, still_open = script.asked(LIST)
        assert (window.query["status"], still_open.query["status"]) == ("all", "open")
        assert (
            window.query["after"]
            == script.asked(FILLS)[0].query["after"]
            == instant(since.at_us - OVERLAP_US)
        )
        assert {order.coid: order.state for order in books.orders} == {
            "c1": OrderState.FILLED,  # was open, and is not any more
            "c2": OrderState.PARTIAL,
            "c3": OrderState.ACKED,
        }
        assert books.watermark == Watermark(NOW_US, {"b2": "2", "b3": "0"})

    played(play)


@pytest.mark.parametrize(
    ("filled", "fills", "since"),
    [
        ("5", [], None),
        ("5", [("3", "5")], None),
        ("5", [("3", "3")], {"b1": "1"}),
        ("5", [("3", "3")], {"b1": "3"}),
    ],
)
def test_the_watermark_stays_behind_an_order_whose_fills_are_not_all_told(
    filled: str, fills: list[tuple[str, str]], since: dict[str, str] | None
) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(LIST, http(200, [told(1, filled_qty=filled, status="partially_filled"), told(2)]))
        script.on(FILLS, http(200, [activity(number, *each) for number, each in enumerate(fills)]))
        books = await broker.books(None if since is None else Watermark(NOW_US - 1, since))
        assert books.watermark is not None
        assert books.watermark.at_us == SENT_US

    played(play)


def test_a_fill_that_stays_away_is_waited_for() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(LIST, http(200, [told(1, filled_qty="3", status="partially_filled")]))
        since: Watermark | None = None
        for _ in range(3):
            since = (await broker.books(since)).watermark
            assert since == Watermark(SENT_US, {"b1": "0"})
        script.on(FILLS, http(200, [activity(1, "3", "3")]))
        assert (await broker.books(since)).watermark == Watermark(NOW_US, {"b1": "3"})

    played(play)


def test_fills_that_were_told_before_the_watermark_are_not_owed() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(LIST, http(200, [told(1, filled_qty="5", status="filled")]))
        script.on(FILLS, http(200, [activity(1, "2", "5")]))
        books = await broker.books(Watermark(NOW_US - 1, {"b1": "3"}))
        assert books.watermark is not None
        assert books.watermark.at_us == NOW_US

    played(play)


def test_a_broker_without_a_clock_is_read_from_the_same_place_again() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(LIST, http(200, [], Date="some day"))
        assert (await broker.books()).watermark is None
        since = Watermark(NOW_US, {})
        assert (await broker.books(since)).watermark == since

    played(play)


def test_orders_of_one_instant_may_lie_on_two_pages() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        numbered = [
            told(number, submitted_at=instant(SENT_US + number // 3)) for number in range(ORDERS_PAGE + 2)
        ]
        script.on(LIST, http(200, numbered[:ORDERS_PAGE]), http(200, numbered[-4:]))
        books = await broker.books()
        assert len(books.orders) == len(numbered)
        first, second = script.asked(LIST)
        assert first.query["after"] == "1970-01-01T00:00:00.000000Z"
        assert second.query["after"] < numbered[ORDERS_PAGE - 1]["submitted_at"]

    played(play)


def test_pages_of_fills_follow_one_another_by_token() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        of_all = [activity(number, "1", str(number + 1)) for number in range(ACTIVITIES_PAGE + 1)]
        script.on(LIST, http(200, [told(qty="200", filled_qty="101", status="partially_filled")]))
        script.on(FILLS, http(200, of_all[:-1]), http(200, of_all[-1:]))
        books = await broker.books()
        assert len(books.fills) == ACTIVITIES_PAGE + 1
        assert [each.query.get("page_token") for each in script.asked(FILLS)] == [None, of_all[-2]["id"]]

    played(play)


@pytest.mark.parametrize(
    ("route", "page", "said"),
    [
        (LIST, [told(number) for number in range(ORDERS_PAGE)], "repeats itself"),
        (LIST, [7] * ORDERS_PAGE, "repeats itself"),
        (FILLS, [activity(0, "1", "1")] * ACTIVITIES_PAGE, "where its next page begins"),
        (FILLS, [7] * ACTIVITIES_PAGE, "where its next page begins"),
        (LIST, {"orders": []}, "no list"),
        (FILLS, None, "no list"),
        (POSITIONS, [{"symbol": "AAA"}], "unreadable"),
        (POSITIONS, "many", "no list"),
    ],
)
def test_books_that_end_nowhere_or_leave_out_a_position_are_no_books(
    route: str, page: Any, said: str
) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(route, http(200, page))
        with pytest.raises(BrokerDown, match=said):
            await broker.books()
        assert len(script.requests) < 6

    played(play)


def test_the_order_of_a_fill_that_is_not_listed_is_asked_for_once() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(FILLS, http(200, [activity(1, "2", "2", "b7"), activity(2, "3", "5", "b7")]))
        script.on("GET /v2/orders/b7", http(200, told(7, filled_qty="5", status="filled")))
        assert names(await broker.books()) == [("c7", "b7@2"), ("c7", "b7@5")]
        assert names(await broker.books()) == [("c7", "b7@2"), ("c7", "b7@5")]
        assert len(script.asked("GET /v2/orders/b7")) == 1

    played(play)


def test_what_is_odd_in_the_books_is_told_and_hides_nothing_else() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(LIST, http(200, [told(1, side=None), 7, told(2), told(3, legs=[{}])]))
        script.on(FILLS, http(200, [activity(1, "2", "2", "nobody's"), activity(2, "x", "2", "b2"), {}]))
        books = await broker.books()
        assert [order.coid for order in books.orders] == ["c2", "c3"]
        assert [each.problem.partition(":")[0] for each in books.odd] == ["an order of the books"] * 3 + [
            "a fill of the books"
        ] * 3
        assert "nobody's cannot be found" in books.odd[3].problem

    played(play)


def test_an_open_order_that_the_broker_no_longer_knows_is_asked_for_and_left_out() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        books = await broker.books(Watermark(NOW_US, {"b1": "0"}))
        assert books.orders == []
        assert len(script.asked("GET /v2/orders/b1")) == 1
        assert books.watermark == Watermark(NOW_US, {})

    played(play)


@pytest.mark.full
@settings(deadline=None)  # the machine may be busy
@given(
    orders=st.lists(plausible_objects | any_json, max_size=4) | any_json,
    fills=st.lists(plausible_objects | any_json, max_size=4) | any_json,
    positions=st.lists(plausible_objects, max_size=2) | any_json,
    since=st.none() | st.just(Watermark(NOW_US, {"b1": "1"})),
)
def test_whatever_the_pages_say_there_are_books_or_none(
    orders: Any, fills: Any, positions: Any, since: Watermark | None
) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        for route, page in ((LIST, orders), (FILLS, fills), (POSITIONS, positions)):
            script.on(route, http(200, page))
        script.on("GET /v2/orders/b1", http(200, orders))
        with suppress(BrokerDown):
            books = await broker.books(since)
            assert isinstance(orders, list)
            assert isinstance(positions, list)
            assert len(books.positions) == len(positions)

    played(play)
