"""What an order is on its way: the states it can be in, and which of them still hold risk."""

from enum import StrEnum
from typing import Final, Literal

import polars as pl

Side = Literal["buy", "sell"]


class OrderState(StrEnum):
    """Where an order is.  See docs/execution.md for the arrows between them."""

    INTENT = "INTENT"  # durable here, not yet claimed by a sender
    SENDING = "SENDING"  # claimed; the broker may or may not have it: unknown is a state, and holds risk
    ACKED = "ACKED"  # the broker has it
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    ABANDONED = "ABANDONED"  # never reached the broker as far as we know; still watched


OPEN: Final = frozenset({OrderState.INTENT, OrderState.SENDING, OrderState.ACKED, OrderState.PARTIAL})
TERMINAL: Final = frozenset(OrderState) - OPEN


def unfilled(state: OrderState, qty: float, filled: float, reported: float) -> float:
    """How much of an order may still come: all of one that is open, of another what the broker said it filled."""
    return max(0.0, (qty if state in OPEN else reported) - filled)


def signed(side: Side, quantity: float) -> float:
    """The change of position that this order means."""
    return quantity if side == "buy" else -quantity


# An order with its fill, as a backtest, a rehearsal and the ledger all tell it, so that they can be compared.
# bar_ts_utc is the open of the bar whose close decided; what was not filled has nulls.
ORDER_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "bar_ts_utc": pl.Datetime("us", "UTC"),
        "side": pl.String(),
        "qty": pl.Float64(),
        "target": pl.Float64(),
        "fill_ts_utc": pl.Datetime("us", "UTC"),
        "fill_price": pl.Float64(),
        "commission": pl.Float64(),
    }
)
