"""Round trips from filled orders: from flat to flat, or through zero."""

from typing import Any, Final

import numba
import numpy as np
import polars as pl
from numpy.typing import NDArray

from execution.strategy.arrays import FloatArray
from research.passes.compile_cache import cache_on_disk

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

_SIDES: Final = pl.Series(["short", "long"])

_TRIP: Final = np.dtype(
    [
        ("first", "i8"), ("last", "i8"), ("long", "i8"), ("most", "f8"), ("commission", "f8"),
        ("bought", "f8"), ("paid", "f8"), ("sold", "f8"), ("received", "f8"),
    ]
)  # fmt: skip
"""A round trip: its first and last fill (-1 while open), and what was bought and sold in it."""


def trades_of(orders: pl.DataFrame) -> pl.DataFrame:
    """The round trips of filled orders (data.orders.ORDER_SCHEMA), by symbol, then time."""
    unfilled = orders["fill_price"].null_count()
    fills = orders.filter(pl.col("fill_price").is_not_null()) if unfilled else orders
    quantities = fills["qty"].to_numpy()
    signed = np.where((fills["side"] == "buy").to_numpy(), quantities, -quantities)
    names = fills["symbol"]
    one = names.is_empty() or names[0] == names[-1]
    symbols = np.zeros(len(fills), dtype=np.int64) if one else names.rle_id().to_numpy().astype(np.int64)
    prices, fees = (fills[name].to_numpy(writable=True) for name in ("fill_price", "commission"))
    trips = np.zeros(2 * len(fills), dtype=_TRIP)  # a fill through zero ends one and begins another
    trips = trips[: _round_trips(symbols, signed, prices, fees, trips)]
    done = trips["last"] >= 0
    entered, paid_in = _sides(trips, trips["long"] == 1)
    left, paid_out = _sides(trips, trips["long"] == 0)
    profit = trips["received"] - trips["paid"] - trips["commission"]
    with np.errstate(all="ignore"):  # the far side of an open trip has no price
        return pl.DataFrame(
            {
                "symbol": fills["symbol"][trips["first"]],
                "side": _SIDES[trips["long"]],
                "qty": trips["most"],
                "entry_ts_utc": fills["fill_ts_utc"][trips["first"]],
                "entry_price": paid_in / entered,
                "exit_ts_utc": _moments(fills["fill_ts_utc"], np.where(done, trips["last"], 0), done),
                "exit_price": where(done, paid_out / left),
                "commission": trips["commission"],
                "profit": where(done, profit),
                "profit_pct": where(done, profit / paid_in * 100.0),
            }
        )


def where(known: NDArray[np.bool_], values: NDArray[Any]) -> pl.Series:
    """These values, null where they are not known."""
    column = pl.Series(values)
    return column if known.all() else column.set(pl.Series(~known), None)


def _moments(stamps: pl.Series, places: NDArray[np.int64], known: NDArray[np.bool_]) -> pl.Series:
    return where(known, stamps.to_physical().to_numpy()[places]).cast(_TS)


def _sides(trips: Any, bought: Any) -> tuple[FloatArray, FloatArray]:
    """(shares, money) of the side that was bought where `bought`, else of the side that was sold."""
    return (
        np.where(bought, trips["bought"], trips["sold"]),
        np.where(bought, trips["paid"], trips["received"]),
    )


def _fold(symbols, quantities, prices, fees, trips):  # type: ignore[no-untyped-def]
    """Write the trips of these fills, by symbol, then time; how many there are."""
    count = 0
    held = 0.0
    for place in range(symbols.size):
        if place > 0 and symbols[place] != symbols[place - 1]:
            count += held != 0.0  # the other symbol's last trip stays open
            held = 0.0
        rest, fee = quantities[place], fees[place]
        while rest != 0.0:
            trip = trips[count]
            if held == 0.0:
                trip.first, trip.last, trip.long = place, -1, 1 if rest > 0.0 else 0
            crosses = held != 0.0 and abs(rest) > abs(held) and (rest > 0.0) != (held > 0.0)
            part = -held if crosses else rest
            charged = fee * (part / rest) if crosses else fee
            held += part
            if part > 0.0:
                trip.bought += part
                trip.paid += part * prices[place]
            else:
                trip.sold -= part
                trip.received -= part * prices[place]
            trip.commission += charged
            trip.most = max(trip.most, abs(held))
            if held == 0.0:
                trip.last = place
                count += 1
            fee -= charged
            rest -= part
    return count + (held != 0.0)


_round_trips: Any = numba.njit(nogil=True, error_model="numpy")(_fold)
cache_on_disk(_round_trips, [_fold.__code__.co_code, _fold.__code__.co_consts])
