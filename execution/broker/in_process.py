"""The exchange as a broker in the same process: its matching without a wire between.

Whoever owns the market shows it bars; what they fill is told like a stream tells it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from data.bar import Bar
from execution.broker import (
    Books,
    BrokerEvent,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    Connected,
    Unreadable,
    Watermark,
)
from execution.broker.alpaca import sending
from execution.core.intents import Intent
from execution.core.lifecycle import BROKER_STATES, Accepted, Duplicate, Outcome, Rejected
from execution.exchange import requests
from execution.exchange.matching import Account
from execution.exchange.orders import Event, Fill, Order, Reason, Reject


class InProcessBroker:
    """One account of the exchange."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._now_us = 0
        self._told: asyncio.Queue[BrokerEvent] = asyncio.Queue()

    @property
    def seq(self) -> int:
        """The newest event; who has heard of it has heard of all."""
        return self._account.seq

    def show(self, bars: Sequence[Bar]) -> None:
        """The market moves to these bars of one instant."""
        self._now_us = bars[0].ts_us
        self._account.on_bar(bars, self._now_us)
        self._tell()

    async def submit(self, intent: Intent) -> Outcome:
        asked = requests.order_request(sending.new_order(intent), intent.coid)
        return self._told_of(
            asked if isinstance(asked, Reject) else self._account.submit(asked, self._now_us)
        )

    async def replace(self, broker_id: str, by: Intent) -> Outcome:
        asked = requests.replace_request(sending.replacement(by), by.coid)
        return self._told_of(
            asked if isinstance(asked, Reject) else self._account.replace(broker_id, asked, self._now_us)
        )

    async def find(self, coid: str) -> BrokerOrder | None:
        order = self._account.order_by_client_id(coid)
        return None if order is None else self._order(order)

    async def cancel(self, broker_id: str) -> None:
        self._account.cancel(broker_id, self._now_us)
        self._tell()

    async def cancel_all(self) -> None:
        for order in self._account.open_orders():
            await self.cancel(order.id)

    async def books(self, since: Watermark | None = None) -> Books:
        """All of them, always: nothing is nearer than memory."""
        return Books(
            orders=[self._order(order) for order in self._account.orders.values()],
            fills=[_fill(fill) for fill in self._account.fills],
            positions=[
                BrokerPosition(symbol, repr(held.qty))
                for symbol, held in self._account.holdings.positions.items()
                if held.qty
            ],
            odd=[],
            watermark=None,
            seq=self._account.seq,
        )

    async def events(self) -> AsyncIterator[Connected | BrokerEvent | Unreadable]:
        yield Connected()
        while True:
            yield await self._told.get()

    async def close(self) -> None:
        """Nothing is open."""

    def _told_of(self, answer: Order | Reject) -> Outcome:
        self._tell()
        if isinstance(answer, Reject):
            return Duplicate() if answer.reason is Reason.DUPLICATE_ID else Rejected(answer.message)
        return Accepted(answer.id)

    def _tell(self) -> None:
        for event in self._account.take_changes().events:
            self._told.put_nowait(self._event(event))

    def _event(self, event: Event) -> BrokerEvent:
        return BrokerEvent(
            kind=event.kind.value,
            order=self._order(event.order),
            fill=_fill(event.fill) if event.fill else None,
            seq=event.seq,
        )

    def _order(self, order: Order) -> BrokerOrder:
        parent = self._account.orders[order.group].client_order_id if order.is_leg else None
        return BrokerOrder(
            broker_id=order.id, coid=order.client_order_id, symbol=order.symbol, side=order.side.value,
            qty=None if order.notional is not None else repr(order.qty), filled_qty=repr(order.filled_qty),
            status=order.status.value, state=BROKER_STATES.get(order.status.value), parent=parent,
            replaces=order.replaces, replaced_by=order.replaced_by,
        )  # fmt: skip


def _fill(fill: Fill) -> BrokerFill:
    return BrokerFill(
        execution_id=fill.execution_id, coid=fill.client_order_id, symbol=fill.symbol, side=fill.side.value,
        qty=repr(fill.qty), price=repr(fill.price), commission=repr(fill.commission),
        filled_at=str(fill.at_us), bar_ts_us=fill.bar_us, seq=fill.seq,
    )  # fmt: skip
