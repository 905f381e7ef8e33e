"""An account in memory, its tape, and the shortest way to trade on it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from data.bar import Bar, Tick
from execution.exchange.matching import Account
from execution.exchange.orders import (
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Reject,
    Side,
)
from execution.exchange.terms import Terms

NEW_YORK = ZoneInfo("America/New_York")
MONDAY, TUESDAY, WEDNESDAY = (2025, 11, 10), (2025, 11, 11), (2025, 11, 12)
HALF_DAY = (2025, 11, 28)


def at(day: tuple[int, int, int], hour: int, minute: int = 0) -> int:
    return int(datetime(*day, hour, minute, tzinfo=NEW_YORK).timestamp()) * 1_000_000


class Market:
    """An account without costs unless its terms say so, and the tape it trades on."""

    def __init__(self, **terms: Any) -> None:
        self.account = Account(Terms(**{"name": "test", "slippage_bps": 0.0, **terms}))

    def send(self, side: Side = Side.BUY, qty: float = 10, limit: float | None = None, **more: Any) -> str:
        answer = self.ask(side, qty, limit, **more)
        assert isinstance(answer, Order), answer
        return answer.id

    def ask(self, side: Side, qty: float, limit: float | None = None, **more: Any) -> Order | Reject:
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        request = OrderRequest(
            client_order_id=str(len(self.account.orders)),
            symbol="AAA",
            side=side,
            qty=float(qty),
            limit_price=limit,
            **{"type": kind, **more},
        )
        return self.account.submit(request, 1_000)

    def bar(self, at_us: int, price: float = 100.0, reach: float = 1.0, timeframe: str = "1m") -> list[str]:
        bar = Bar("AAA", timeframe, at_us, price, price + reach, price - reach, price, 1_000.0)
        return [event.kind.value for event in self.account.on_bar([bar], 1_000)]

    def tick(self, at_us: int, *prices: float | None, **sizes: float) -> list[str]:
        tick = Tick("AAA", at_us, *prices, **sizes)
        return [event.kind.value for event in self.account.on_ticks([tick], 1_000)]

    def status(self, order_id: str) -> OrderStatus:
        return self.account.orders[order_id].status

    def paid(self, order_id: str) -> float | None:
        return self.account.orders[order_id].filled_avg_price
