"""A broker that keeps its own books right and tells of them badly."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from data.orders import Side
from execution.broker import (
    Books,
    BrokerDown,
    BrokerEvent,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    Connected,
    Unreadable,
    Watermark,
)
from execution.core.intents import Intent
from execution.core.lifecycle import BROKER_STATES, Accepted, Duplicate, Outcome, Rejected, Unknown
from execution.simulation.chance import Chance, Faults
from execution.simulation.process import Process

LATENCY_S: Final = 0.02
REQUEST_TIMEOUT_S: Final = 2.0
LATENESS_S: Final = 3.0  # of a request that is accepted after all
INVISIBLE_S: Final = 2.0
OVERLAP_S: Final = 2.0 * INVISIBLE_S  # how much before a watermark books begin
FILL_S: Final = 4.0
ENDED: Final = frozenset({"filled", "canceled", "expired", "rejected"})


@dataclass(slots=True)
class MarketOrder:
    broker_id: str
    coid: str
    symbol: str
    side: Side
    qty: Decimal
    accepted_at: float
    visible_at: float
    filled: Decimal = Decimal(0)
    status: str = "new"
    foreign: bool = False

    @property
    def open(self) -> bool:
        return self.status not in ENDED


@dataclass(frozen=True, slots=True)
class Execution:
    execution_id: str
    coid: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    at: float
    seq: int


@dataclass
class Market:
    """The exchange itself: what it holds is the truth."""

    chance: Chance
    faults: Faults
    numbered: bool
    """does it number its events, as our exchange does and Alpaca does not?"""
    accepted: Callable[[MarketOrder, "Market"], None]
    asked: Callable[[], None]
    note: Callable[[str], None]
    orders: dict[str, MarketOrder] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    price: Decimal = Decimal(100)  # of everything
    away_until: float = 0.0
    seq: int = 0
    calm: bool = False
    _streams: list["asyncio.Queue[Any]"] = field(default_factory=list)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def go_away(self, until: float) -> None:
        self.away_until = until
        self.drop_streams()

    def drop_streams(self) -> None:
        for stream in self._streams:
            stream.put_nowait(None)
        self._streams.clear()

    def move(self, factor: Decimal) -> None:
        self.price = round(self.price * factor, 2)
        self.note(f"the price is {self.price}")

    def held(self, *, ours: bool = False) -> dict[str, float]:
        """Positions; of what we sent alone, or of all that was traded on the account."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for each in self.ours() if ours else self.executions:
            held[each.symbol] += each.qty if each.side == "buy" else -each.qty
        return {symbol: float(qty) for symbol, qty in held.items() if qty}

    def ours(self) -> list[Execution]:
        return [each for each in self.executions if not self.orders[each.coid].foreign]

    def worst(self, symbol: str) -> tuple[float, float]:
        """The longest and the shortest position that may come of what is open."""
        longest = shortest = Decimal(str(self.held(ours=True).get(symbol, 0.0)))
        for order in self.orders.values():
            if order.symbol == symbol and order.open and not order.foreign:
                longest += order.qty - order.filled if order.side == "buy" else 0
                shortest -= order.qty - order.filled if order.side == "sell" else 0
        return float(longest), float(shortest)

    # -- what it does by itself

    def take(self, intent: Intent) -> Outcome:
        """A request has arrived."""
        if self.chance.happens(self.faults.refused):
            return Rejected("insufficient buying power (HTTP 403)")  # before it looks at the name
        if intent.coid in self.orders:
            return Duplicate()
        late = self.chance.up_to(INVISIBLE_S) if self.chance.happens(self.faults.invisible) else 0.0
        order = MarketOrder(
            f"b{len(self.orders) + 1}", intent.coid, intent.symbol, intent.side, Decimal(repr(intent.qty)),
            self.now(), self.now() + late,
        )  # fmt: skip
        self.orders[order.coid] = order
        self.note(f"accepted {order.coid}")
        self.accepted(order, self)
        self._tell(order)
        self._live_on(order)
        return Accepted(order.broker_id)

    def take_foreign(self, symbol: str) -> None:
        """Somebody sends an order by hand."""
        coid = f"by-hand-{len(self.orders)}"
        order = MarketOrder(
            f"b{len(self.orders) + 1}", coid, symbol, "buy", Decimal(1), self.now(), self.now(), foreign=True
        )
        self.orders[coid] = order
        self.note(f"accepted {coid}")
        self._tell(order)

    def _live_on(self, order: MarketOrder) -> None:
        loop = asyncio.get_running_loop()
        fate = 1.0 if self.calm else self.chance.up_to(1.0)
        if fate < 0.05:
            loop.call_later(self.chance.up_to(1.0), self.end, order, "rejected")
            return
        if fate < 0.15:
            loop.call_later(self.chance.up_to(FILL_S), self.end, order, "canceled")
        elif fate < 0.25:
            return  # stays, until somebody cancels it or the day ends
        parts = 1 if self.calm else self.chance.integer(1, 3)
        for _ in range(parts):
            loop.call_later(self.chance.up_to(FILL_S), self.fill, order, parts)

    def fill(self, order: MarketOrder, parts: int) -> None:
        if not order.open:
            return
        left = order.qty - order.filled
        qty = min(left, max(Decimal(1), order.qty // parts))
        order.filled += qty
        order.status = "filled" if order.filled == order.qty else "partially_filled"
        self.seq += 1
        execution = Execution(
            f"x{len(self.executions) + 1}",
            order.coid,
            order.symbol,
            order.side,
            qty,
            self.price,
            self.now(),
            self.seq,
        )
        self.executions.append(execution)
        self.note(f"filled {qty} of {order.coid}")
        self._tell(order, execution)

    def end(self, order: MarketOrder, status: str) -> None:
        if order.open and not (status == "rejected" and order.filled):
            order.status = status
            self.note(f"{status} {order.coid}")
            self._tell(order)

    def end_the_day(self) -> None:
        """What is open expires; what comes later is filled."""
        self.calm = True
        for order in self.orders.values():
            self.end(order, "expired")

    # -- what it tells

    def view(self, order: MarketOrder) -> BrokerOrder:
        return BrokerOrder(
            broker_id=order.broker_id, coid=order.coid, symbol=order.symbol, side=order.side, qty=str(order.qty),
            filled_qty=str(order.filled), status=order.status, state=BROKER_STATES.get(order.status),
        )  # fmt: skip

    def fill_of(self, execution: Execution) -> BrokerFill:
        return BrokerFill(
            execution_id=execution.execution_id, coid=execution.coid, symbol=execution.symbol, side=execution.side,
            qty=str(execution.qty), price=str(execution.price), commission="0", filled_at="2027-01-15T08:00:00Z",
            bar_ts_us=None, seq=execution.seq if self.numbered else None,
        )  # fmt: skip

    def _tell(self, order: MarketOrder, execution: Execution | None = None) -> None:
        if execution is None:
            self.seq += 1
        view = self.view(order)
        if self.chance.happens(self.faults.strange_status):
            view = BrokerOrder(**{**_fields(view), "status": "quantum_leap", "state": None})
        event = BrokerEvent(
            kind="fill" if execution else view.status,
            order=view,
            fill=self.fill_of(execution) if execution else None,
            seq=self.seq if self.numbered else None,
        )
        if self.chance.happens(self.faults.lost_event):
            return
        for _ in range(2 if self.chance.happens(self.faults.doubled_event) else 1):
            late = self.chance.up_to(LATENESS_S) if self.chance.happens(self.faults.late_event) else LATENCY_S
            asyncio.get_running_loop().call_later(late, self._deliver, event)
        if self.chance.happens(self.faults.gibberish):
            self._deliver(Unreadable("<html>", "not JSON"))
        if self.chance.happens(self.faults.dropped_stream):
            self.drop_streams()

    def _deliver(self, message: Any) -> None:
        for stream in self._streams:
            stream.put_nowait(message)

    def stream(self) -> "asyncio.Queue[Any]":
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._streams.append(queue)
        return queue

    def close(self, queue: "asyncio.Queue[Any]") -> None:
        if queue in self._streams:
            self._streams.remove(queue)


class SimulatedBroker:
    """A process's connections to the market: the broker of execution.broker."""

    def __init__(
        self,
        market: Market,
        process: Process,
        sent: Callable[[str], None],
        allowed: Callable[[], Awaitable[None]],
    ) -> None:
        self._market, self._process, self._allowed = market, process, allowed
        self._chance, self._faults = market.chance, market.faults
        self._sent = sent

    async def submit(self, intent: Intent) -> Outcome:
        self._sent(intent.coid)  # the caller looked at the clock just now; a freeze from here on sends late
        await self._process.turn(LATENCY_S)
        chance, faults, market = self._chance, self._faults, self._market
        market.asked()
        if market.now() < market.away_until:
            return Unknown("connection refused")
        if chance.happens(faults.too_many_requests):
            await self._process.turn(LATENCY_S)
            return Unknown("HTTP 429")
        if chance.happens(faults.lost_request):
            return await self._no_answer()
        late = chance.happens(faults.late_request)
        arrives_in = chance.up_to(LATENESS_S if late else LATENCY_S)
        answer: list[Outcome] = []
        asyncio.get_running_loop().call_later(arrives_in, lambda: answer.append(market.take(intent)))
        if arrives_in > REQUEST_TIMEOUT_S or chance.happens(faults.lost_reply):
            return await self._no_answer()
        await asyncio.sleep(arrives_in)
        await self._process.turn(LATENCY_S)
        if not answer or chance.happens(faults.error_after_accept):
            return Unknown("HTTP 504")
        return answer[0]

    async def _no_answer(self) -> Outcome:
        await asyncio.sleep(REQUEST_TIMEOUT_S)
        await self._process.turn(0.0)
        return Unknown("timeout")

    async def find(self, coid: str) -> BrokerOrder | None:
        await self._ask()
        order = self._market.orders.get(coid)
        found = self._market.view(order) if order is not None and self._visible(order) else None
        await self._process.turn(LATENCY_S)
        return found

    async def cancel(self, broker_id: str) -> None:
        await self._ask()
        for order in self._market.orders.values():
            if order.broker_id == broker_id:
                self._cancel(order)
        await self._process.turn(LATENCY_S)

    async def cancel_all(self) -> None:
        await self._ask()
        for order in self._market.orders.values():
            self._cancel(order)
        await self._process.turn(LATENCY_S)

    def _cancel(self, order: MarketOrder) -> None:
        if self._chance.happens(self._faults.fill_during_cancel):
            self._market.fill(order, 1)
        self._market.end(order, "canceled")

    async def replace(self, broker_id: str, by: Intent) -> Outcome:
        """Nobody replaces in these worlds yet."""
        return Rejected("orders cannot be replaced here")

    async def books(self, since: Watermark | None = None) -> Books:
        """All that is visible, or what may have changed since the watermark."""
        await self._ask()
        market = self._market
        start = 0.0 if since is None else since.at_us / 1e6 - OVERLAP_S
        open_then = set() if since is None else since.open.keys()
        seen = {order.coid: order for order in market.orders.values() if self._visible(order)}
        books = Books(
            orders=[
                market.view(order)
                for order in seen.values()
                if order.accepted_at >= start or order.open or order.broker_id in open_then
            ],
            fills=[
                market.fill_of(each) for each in market.executions if each.coid in seen and each.at >= start
            ],
            positions=[BrokerPosition(symbol, str(qty)) for symbol, qty in market.held().items()],
            odd=[],
            watermark=Watermark(
                int(market.now() * 1e6),
                {order.broker_id: str(order.filled) for order in seen.values() if order.open},
            ),
            seq=market.seq if market.numbered else None,
        )
        await self._process.turn(LATENCY_S)
        return books

    async def events(self) -> AsyncIterator[Connected | BrokerEvent | Unreadable]:
        await self._process.turn(LATENCY_S)
        if self._market.now() < self._market.away_until:
            raise BrokerDown("connection refused")
        queue = self._market.stream()
        try:
            yield Connected()
            while True:
                message = await queue.get()
                await self._process.turn(0.0)
                if message is None:
                    raise BrokerDown("the stream was dropped")
                yield message
        finally:
            self._market.close(queue)

    async def close(self) -> None:
        """Nothing is open between calls."""

    async def _ask(self) -> None:
        await self._allowed()
        self._market.asked()
        await self._process.turn(LATENCY_S)
        if self._market.now() < self._market.away_until or self._chance.happens(self._faults.lost_request):
            await self._process.turn(REQUEST_TIMEOUT_S)
            raise BrokerDown("timeout")

    def _visible(self, order: MarketOrder) -> bool:
        return self._market.now() >= order.visible_at


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
