"""An account and alpaca-py to trade it: the shortest way to an order and to what became of it."""

from collections.abc import Callable
from typing import Any

import pytest
from alpaca_client import APIError, TradingClient, models, requests
from exchange_process import Tape

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


def refused(call: Callable[[], object]) -> tuple[int, int, str]:
    with pytest.raises(APIError) as caught:
        call()
    return caught.value.status_code, caught.value.code, caught.value.message
