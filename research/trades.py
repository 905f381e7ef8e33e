"""Round trips from filled orders: from flat to flat, or through zero."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from execution.strategy.position import FLAT, Position, position_after_fill

_TS: Final = pl.Datetime("us", "UTC")

TRADE_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "side": pl.String(),
        "qty": pl.Float64(),
        "entry_ts_utc": _TS,
        "entry_price": pl.Float64(),
        "exit_ts_utc": _TS,
        "exit_price": pl.Float64(),
        "commission": pl.Float64(),
        "profit": pl.Float64(),
        "profit_pct": pl.Float64(),
    }
)
"""side long or short; qty the most held; prices averaged; profit after commission; exit and profit null while open."""


@dataclass
class _RoundTrip:
    symbol: str
    side: str
    entry_ts_utc: datetime
    most: float = 0.0
    bought: float = 0.0
    paid: float = 0.0
    sold: float = 0.0
    received: float = 0.0
    commission: float = 0.0

    def fill(self, qty: float, price: float, commission: float, held: float) -> None:
        if qty > 0.0:
            self.bought += qty
            self.paid += qty * price
        else:
            self.sold -= qty
            self.received -= qty * price
        self.commission += commission
        self.most = max(self.most, abs(held))

    def row(self, closed_utc: datetime | None) -> dict[str, Any]:
        entered, left = (self.bought, self.paid), (self.sold, self.received)
        if self.side == "short":
            entered, left = left, entered
        done = closed_utc is not None
        profit = self.received - self.paid - self.commission
        return {
            "symbol": self.symbol,
            "side": self.side,
            "qty": self.most,
            "entry_ts_utc": self.entry_ts_utc,
            "entry_price": entered[1] / entered[0],
            "exit_ts_utc": closed_utc,
            "exit_price": left[1] / left[0] if done else None,
            "commission": self.commission,
            "profit": profit if done else None,
            "profit_pct": profit / entered[1] * 100.0 if done else None,
        }


def trades_of(orders: pl.DataFrame) -> pl.DataFrame:
    """The round trips of filled orders (data.orders.ORDER_SCHEMA), by symbol, then time."""
    rows: list[dict[str, Any]] = []
    filled = orders.filter(pl.col("fill_price").is_not_null())
    for (symbol,), fills in filled.group_by("symbol", maintain_order=True):
        rows += _trips(str(symbol), fills)
    return pl.DataFrame(rows, schema=TRADE_SCHEMA)


def _trips(symbol: str, fills: pl.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    held: Position = FLAT
    trip: _RoundTrip | None = None
    for side, size, at, price, commission in fills.select(
        "side", "qty", "fill_ts_utc", "fill_price", "commission"
    ).iter_rows():
        rest = size if side == "buy" else -size
        while rest != 0.0:
            if trip is None:
                trip = _RoundTrip(symbol, "long" if rest > 0.0 else "short", at)
            crosses = held.size != 0.0 and abs(rest) > abs(held.size) and (rest > 0.0) != (held.size > 0.0)
            part = -held.size if crosses else rest
            held = position_after_fill(held, part, price)
            trip.fill(part, price, commission * (part / rest) if crosses else commission, held.size)
            if held.size == 0.0:
                rows.append(trip.row(at))
                trip = None
            commission -= commission * (part / rest)
            rest -= part
    if trip is not None:
        rows.append(trip.row(None))
    return rows
