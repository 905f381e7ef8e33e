"""What a pass over the bars keeps of a book: sums that every statistic follows from, and no arrays.

Plain Python that numba compiles as it stands (kernel.py).
"""

from typing import NamedTuple


class Moments(NamedTuple):
    """Of an equity curve, bar by bar."""

    equity: float
    """now"""
    total: float
    """of returns"""
    squares: float
    """of returns"""
    downside: float
    """of squares of negative returns"""
    peak: float
    drawdown: float
    """the deepest, as a negative return from the peak"""
    equity_total: float
    """of equity over bars: its mean is what turnover is measured against"""


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


def moments_of(capital: float) -> Moments:
    """Before the first bar."""
    return Moments(capital, 0.0, 0.0, 0.0, capital, 0.0, 0.0)


def observe(seen: Moments, equity: float) -> Moments:
    """One more bar.  An unchanged equity, the common case of a flat book, costs a comparison and an addition."""
    if equity == seen.equity:
        return Moments(
            seen.equity,
            seen.total,
            seen.squares,
            seen.downside,
            seen.peak,
            seen.drawdown,
            seen.equity_total + equity,
        )
    change = equity / seen.equity - 1.0
    square = change * change
    downside = seen.downside + square if change < 0.0 else seen.downside
    peak = seen.peak
    drawdown = seen.drawdown
    if equity > peak:
        peak = equity
    elif equity < peak * (1.0 + drawdown):  # deeper than ever: only then is the division worth it
        drawdown = equity / peak - 1.0
    return Moments(
        equity,
        seen.total + change,
        seen.squares + square,
        downside,
        peak,
        drawdown,
        seen.equity_total + equity,
    )


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
            if profit > 0.0:
                wins += 1.0
            profit = fee_to_close - fee  # what a fill through zero paid to open the other side
    return Trading(
        trades,
        wins,
        profit,
        seen.notional + abs(qty) * price,
        seen.commission + fee,
        seen.slippage + abs(qty) * abs(price - open_price),
    )
