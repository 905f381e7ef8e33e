"""Orders to send, and orders as Alpaca tells them; what the tests here share."""

from typing import Any

from execution.core.intents import Intent
from execution.core.terms import MARKET_DAY, OrderTerms

Json = dict[str, Any]
SENT = "2026-09-30T13:30:00.123456789Z"


def intent(
    coid: str = "c1",
    qty: float = 5.0,
    *,
    side: Any = "buy",
    symbol: str = "AAA",
    terms: OrderTerms = MARKET_DAY,
) -> Intent:
    return Intent(
        coid=coid,
        account="paper",
        artifact_hash=None,
        strategy="test",
        symbol=symbol,
        side=side,
        qty=qty,
        target=None,
        bar_ts_us=0,
        reference_price=100.0,
        decided_at_us=0,
        terms=terms,
    )


def told(number: int = 1, **changes: Any) -> Json:
    """Alpaca's order number so-and-so."""
    known = {"id": f"b{number}", "client_order_id": f"c{number}", "symbol": "AAA", "side": "buy", "qty": "5"}
    return {**known, "filled_qty": "0", "status": "new", "submitted_at": SENT, **changes}


def activity(
    number: int, qty: str, of_all: str, order: str = "b1", at: str = "2026-09-30T13:30:01.5Z"
) -> Json:
    """A FILL activity as Alpaca tells it: its id is no execution's."""
    return {
        "id": f"20260930133001500::{number:04}",
        "activity_type": "FILL",
        "order_id": order,
        "transaction_time": at,
        "symbol": "AAA",
        "side": "buy",
        "qty": qty,
        "price": "100.25",
        "cum_qty": of_all,
    }
