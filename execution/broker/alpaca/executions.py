"""What names an execution, so that the stream and the activities mean the same one.

Our exchange tells one id in both places.  Alpaca promises nowhere that the `execution_id` of an event is the id of
the activity: taken for equal and not being so, they would enter every fill twice.  Both do tell how much of the order
was filled in all once the execution had happened, which only rises: order and sum together are its name.  An event
whose sum does not follow from the sum before and its own quantity is not entered as a fill: its order says that one
is owed, and the ledger asks for the activities.
"""

from decimal import Decimal
from typing import Final

from execution.broker import BrokerOrder
from execution.broker.alpaca.reading import Json, number, positive, text

REMEMBERED: Final = 100_000
"""Orders; an older one costs a question when it fills."""


class Executions:
    """What is known of orders while the connection lasts."""

    def __init__(self) -> None:
        self._coids: dict[str, str] = {}
        self._filled: dict[str, Decimal] = {}  # the most that any answer or event said

    def coid_of(self, broker_id: str) -> str | None:
        return self._coids.get(broker_id)

    def saw(self, order: BrokerOrder) -> None:
        """An answer showed this order."""
        self._remember(order, max(Decimal(order.filled_qty), self._filled.get(order.broker_id, Decimal(0))))

    def of_event(self, told: Json, order: BrokerOrder) -> str | None:
        """The name of the execution that an event tells of; None if the event cannot be trusted with it."""
        if told.get("seq") is not None:
            self.saw(order)
            return text(told, "execution_id")
        before = self._filled.get(order.broker_id, Decimal(0))
        after = Decimal(order.filled_qty)
        follows = before + Decimal(positive(told, "qty")) == after
        self.saw(order)
        return _name(order.broker_id, after) if follows else None

    def _remember(self, order: BrokerOrder, filled: Decimal) -> None:
        self._coids.pop(order.broker_id, None)  # to the end of the line
        self._coids[order.broker_id] = order.coid
        self._filled[order.broker_id] = filled
        if len(self._coids) > REMEMBERED:
            oldest = next(iter(self._coids))
            del self._coids[oldest], self._filled[oldest]


def of_activity(told: Json) -> str:
    """The name of the execution that a FILL activity tells of."""
    if told.get("execution_id") is not None:
        return text(told, "execution_id")
    return _name(text(told, "order_id"), Decimal(number(told, "cum_qty")))


def _name(broker_id: str, filled: Decimal) -> str:
    return f"{broker_id}@{filled.normalize():f}"
