"""Our client against the running exchange: every kind of order, every fault of a wire, and books that add up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from exchange_process import Tape
from orders import intent
from pydantic import SecretStr

from data.errors import Refused
from data.orders import TERMINAL, OrderState
from execution.broker import Books, BrokerDown, BrokerEvent, BrokerFill, BrokerOrder, Connected, Watermark
from execution.broker.alpaca import books as reader
from execution.broker.alpaca.adapter import AlpacaBroker
from execution.broker.credentials import Credentials
from execution.broker.venue import simulator_credentials
from execution.core.lifecycle import Accepted, Duplicate, Outcome, Rejected, Unknown
from execution.core.terms import OrderTerms, StopLoss
from execution.exchange.faults import FaultKind

Play = Callable[[AlpacaBroker], Awaitable[None]]

RESTING = OrderTerms(type="limit", limit_price=90.0)
KINDS: dict[str, OrderTerms] = {
    "market": OrderTerms(),
    "limit": RESTING,
    "limit till cancelled": OrderTerms(type="limit", limit_price=90.0, time_in_force="gtc"),
    "fill or kill": OrderTerms(type="limit", limit_price=90.0, time_in_force="fok"),
    "outside regular hours": OrderTerms(type="limit", limit_price=90.0, extended_hours=True),
    "at the open": OrderTerms(time_in_force="opg"),
    "at the close": OrderTerms(time_in_force="cls"),
    "stop": OrderTerms(type="stop", stop_price=110.0),
    "stop limit": OrderTerms(type="stop_limit", stop_price=110.0, limit_price=111.0),
    "trail by money": OrderTerms(type="trailing_stop", trail_price=1.5),
    "trail by percent": OrderTerms(type="trailing_stop", trail_percent=2.5),
    "money": OrderTerms(notional=500.0),
    "bracket": OrderTerms(order_class="bracket", take_profit=110.0, stop_loss=StopLoss(90.0, 89.0)),
    "oto": OrderTerms(order_class="oto", stop_loss=StopLoss(90.0)),
}


def played(tape: Tape, play: Play, credentials: Credentials | None = None, total_s: float = 5.0) -> None:
    async def run() -> None:
        broker = AlpacaBroker(
            credentials or simulator_credentials(tape.url, tape.keys), connect_s=1.0, total_s=total_s
        )
        try:
            await play(broker)
        finally:
            await broker.close()

    asyncio.run(run())


async def sent(outcome: Awaitable[Outcome]) -> str:
    accepted = await outcome
    assert isinstance(accepted, Accepted), accepted
    return accepted.broker_id


async def found(broker: AlpacaBroker, coid: str) -> BrokerOrder:
    order = await broker.find(coid)
    assert order is not None
    return order


AUCTIONS = ("at the open", "at the close")  # for which the exchange loads a calendar


@pytest.mark.parametrize(
    "terms",
    [
        pytest.param(terms, id=name, marks=[pytest.mark.full] if name in AUCTIONS else [])
        for name, terms in KINDS.items()
    ],
)
def test_every_kind_of_order_is_taken_found_and_cancelled(terms: OrderTerms, tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        broker_id = await sent(broker.submit(intent(terms=terms)))
        order = await found(broker, "c1")
        assert (order.broker_id, order.state, order.qty) == (
            broker_id, OrderState.ACKED, None if terms.notional else "5",
        )  # fmt: skip
        (first, *exits) = (await broker.books()).orders
        assert first == order
        assert {leg.parent for leg in exits} <= {"c1"}
        assert len(exits) == (terms.take_profit is not None) + (terms.stop_loss is not None)
        await broker.cancel(broker_id)
        await broker.cancel(broker_id)  # once more is no failure
        assert all(order.state in TERMINAL for order in (await broker.books()).orders)

    tape.move(100.0)
    played(tape, play)


def test_an_oco_closes_what_is_held(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        await sent(broker.submit(intent("held")))
        tape.move(100.0)
        exits = OrderTerms(type="limit", limit_price=110.0, order_class="oco", stop_loss=StopLoss(90.0))
        await sent(broker.submit(intent("exits", side="sell", terms=exits)))
        tape.move(111.0)
        books = await broker.books()
        assert {order.state for order in books.orders} == {OrderState.FILLED, OrderState.CANCELED}
        assert books.positions == []
        assert [fill.coid for fill in books.fills] == ["held", "exits"]

    tape.move(100.0)
    played(tape, play)


def test_a_replacement_is_another_order_and_the_first_one_tells_of_it(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        first = await sent(broker.submit(intent("c1", terms=RESTING)))
        other = OrderTerms(type="limit", limit_price=91.0, time_in_force="gtc")
        second = await sent(broker.replace(first, intent("c2", 7.0, terms=other)))
        old, new = await found(broker, "c1"), await found(broker, "c2")
        assert (old.state, old.status, old.replaced_by) == (OrderState.CANCELED, "replaced", second)
        assert (new.broker_id, new.state, new.replaces, new.qty) == (second, OrderState.ACKED, first, "7")
        assert isinstance(await broker.replace(first, intent("c3", terms=RESTING)), Rejected)
        assert isinstance(await broker.replace("nobody", intent("c4", terms=RESTING)), Rejected)

    tape.move(100.0)
    played(tape, play)


def test_a_replacement_that_was_accepted_may_come_too_late(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        first = await sent(broker.submit(intent("c1", terms=RESTING)))
        tape.control.arm_fault(FaultKind.FILL_DURING_REPLACE)
        await sent(broker.replace(first, intent("c2", 7.0, terms=RESTING)))
        assert (await found(broker, "c1")).state is OrderState.FILLED

    tape.move(100.0)
    played(tape, play)


def test_the_same_name_twice_is_one_order(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        await sent(broker.submit(intent(terms=RESTING)))
        assert await broker.submit(intent(terms=RESTING)) == Duplicate()
        assert len((await broker.books()).orders) == 1

    tape.move(100.0)
    played(tape, play)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"qty": 1e9}, "insufficient buying power"),
        ({"symbol": "no such symbol"}, "symbol is required"),
        ({"qty": 1e-12}, "qty must be"),
    ],
)
def test_a_definite_no_says_why(order: dict[str, Any], said: str, tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        outcome = await broker.submit(intent(**order))
        assert isinstance(outcome, Rejected)
        assert said in outcome.reason
        assert await broker.find("c1") is None

    tape.move(100.0)
    played(tape, play)


@pytest.mark.parametrize(
    ("fault", "there"),
    [
        (FaultKind.LOSE_REQUEST, False),
        (FaultKind.HTTP_429, False),
        (FaultKind.LOSE_REPLY, True),
        (FaultKind.DELAY_REPLY, True),
        (FaultKind.HTTP_504_AFTER_ACCEPT, True),
        (FaultKind.HTML_REPLY, True),
        (FaultKind.EMPTY_REPLY, True),
        (FaultKind.TRUNCATED_REPLY, True),
    ],
)
def test_what_became_of_an_order_without_an_answer_is_there_to_be_found(
    fault: FaultKind, there: bool, tape: Tape
) -> None:
    async def play(broker: AlpacaBroker) -> None:
        assert isinstance(await broker.submit(intent(terms=RESTING)), Unknown)

    async def look(broker: AlpacaBroker) -> None:
        assert ((await broker.find("c1")) is not None) == there

    tape.move(100.0)
    tape.control.arm_fault(fault, delay_ms=500)
    played(tape, play, total_s=0.15)
    played(tape, look)


@pytest.mark.parametrize("fault", [FaultKind.FLIPPED_NUMBERS, FaultKind.UNKNOWN_FIELDS])
def test_books_are_read_alike_however_the_broker_writes_them(fault: FaultKind, tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        await sent(broker.submit(intent("c1", 0.5)))
        tape.move(100.1)
        await sent(broker.submit(intent("c2", terms=RESTING)))
        as_ever = await broker.books()
        tape.control.arm_fault(fault, count=99, route="GET /v2/*")
        oddly = await broker.books()
        assert _numbers(oddly) == _numbers(as_ever)
        assert len(oddly.fills) == 1

    tape.move(100.0)
    played(tape, play)


def test_orders_in_a_status_that_nobody_knew_stay_open_for_us(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        await sent(broker.submit(intent(terms=RESTING)))
        tape.control.arm_fault(FaultKind.UNKNOWN_STATUS, route="GET /v2/orders")
        books = await broker.books()
        assert [order.state for order in books.orders] == [None]
        assert books.watermark is not None
        assert len(books.watermark.open) == 1

    tape.move(100.0)
    played(tape, play)


def test_the_exchanges_limit_of_requests_is_never_met_twice(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        tape.control.set_limits(requests_per_min=2)
        for _ in range(2):
            assert await broker.find("c1") is None
        for _ in range(3):
            with pytest.raises(BrokerDown, match="allows no request"):
                await broker.find("c1")
        tape.control.set_limits(requests_per_min=None)

    played(tape, play)


# -- books


def test_books_after_a_watermark_add_up_to_the_whole(
    open_tape: Callable[..., Tape], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The windows are as narrow as can be: what is found in them is only what the watermark promises."""
    monkeypatch.setattr(reader, "OVERLAP_US", 0)
    orders: dict[str, BrokerOrder] = {}
    fills: dict[str, BrokerFill] = {}

    async def play(broker: AlpacaBroker) -> None:
        since: Watermark | None = None
        for number in range(12):
            resting = OrderTerms(type="limit", limit_price=50.0 if number == 4 else 97.0 + number % 5)
            broker_id = await sent(broker.submit(intent(f"c{number}", 1.0 + number, terms=resting)))
            if number % 4 == 3:
                await broker.cancel(broker_id)
            tape.move(100.0 - number % 3)
            books = await broker.books(since)
            orders.update({order.coid: order for order in books.orders})
            fills.update({fill.execution_id: fill for fill in books.fills})
            assert books.watermark is not None
            if since is not None:
                assert len(books.orders) <= 1 + len(since.open)
            since = msgspec.structs.replace(
                books.watermark, at_us=time.time_ns() // 1000
            )  # to the microsecond
        whole = await broker.books()
        assert orders == {order.coid: order for order in whole.orders}
        assert fills == {fill.execution_id: fill for fill in whole.fills}
        assert {order.state for order in whole.orders} == {
            OrderState.FILLED, OrderState.PARTIAL, OrderState.CANCELED, OrderState.ACKED,
        }  # fmt: skip

    tape = open_tape(participation=0.004)  # four shares a bar
    tape.move(100.0)
    played(tape, play)


# -- the stream


def test_the_stream_tells_every_event_and_names_fills_as_the_books_do(tape: Tape) -> None:
    async def play(broker: AlpacaBroker) -> None:
        events = broker.events()
        assert isinstance(await anext(events), Connected)
        first = await sent(broker.submit(intent("c1", terms=RESTING)))
        await sent(broker.replace(first, intent("c2", 7.0, terms=RESTING)))
        tape.move(90.0, 89.0)
        told: list[BrokerEvent] = []
        while not any(event.fill for event in told):
            event = await anext(events)
            assert isinstance(event, BrokerEvent)
            told.append(event)
        assert {"replaced", "new", "fill"} <= {event.kind for event in told}
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        assert [event.fill for event in told if event.fill] == (await broker.books()).fills
        tape.control.arm_fault(FaultKind.DROP_SOCKETS)
        with pytest.raises(BrokerDown, match="closed the stream"):
            await anext(events)

    tape.move(100.0)
    played(tape, play)


def test_wrong_keys_are_refused_at_every_door(tape: Tape) -> None:
    wrong = Credentials(tape.url, SecretStr("SIMNOBODY"), SecretStr("nothing"), "Check THE_SETTING.")

    async def play(broker: AlpacaBroker) -> None:
        for door in (broker.admit, broker.books, broker.cancel_all, broker.events().__anext__):
            with pytest.raises(Refused, match="Check THE_SETTING"):
                await door()  # type: ignore[operator]
        assert isinstance(await broker.submit(intent()), Rejected)

    played(tape, play, wrong)


def _numbers(books: Books) -> list[Any]:
    return [
        [(each.coid, float(each.qty or 0), float(each.filled_qty), each.state) for each in books.orders],
        [(each.execution_id, float(each.qty), float(each.price)) for each in books.fills],
        [(each.symbol, float(each.qty)) for each in books.positions],
    ]
