"""What a pass keeps of a book's fills: round trips counted and costs added up, without a list of them.

Plain Python that numba compiles as it stands (account.py).
"""

from typing import NamedTuple


class Trading(NamedTuple):
    """Of a book's fills."""

    trades: float
    """closed round trips, flat to flat (or through zero)"""
    wins: float
    """those that made money after commission"""
    profit: float
    """of the open round trip so far, realised part and commission"""
    notional: float
    commission: float
    slippage: float


def fold_fill(
    seen: Trading, shares: float, entry: float, qty: float, price: float, open_price: float, fee: float
) -> Trading:
    """One more fill of signed `qty` on a book that held `shares` at the average `entry`."""
    trades, wins, profit = seen.trades, seen.wins, seen.profit
    if shares == 0.0 or (shares > 0.0) == (qty > 0.0):
        profit -= fee
    else:
        closed = min(abs(qty), abs(shares))
        fee_to_close = fee * (closed / abs(qty))
        gain = (price - entry) * closed if shares > 0.0 else (entry - price) * closed
        profit += gain - fee_to_close
        if closed == abs(shares):
            trades += 1.0
            wins += 1.0 if profit > 0.0 else 0.0
            profit = fee_to_close - fee  # what a fill through zero paid to open the other side
    return Trading(
        trades,
        wins,
        profit,
        seen.notional + abs(qty) * price,
        seen.commission + fee,
        seen.slippage + abs(qty) * abs(price - open_price),
    )
