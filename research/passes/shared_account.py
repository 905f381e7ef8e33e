"""The pass of a Portfolio: one account, a universe of symbols, `allocate` at every instant that brings bars.

Everything is laid on the union of the symbols' timestamps.  A symbol without a bar at an instant keeps its last
features and close; its weight is acted on at its next bar.
"""

from functools import cache
from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from execution.strategy import compiled, costs, position, sizing
from execution.strategy.arrays import FloatArray
from execution.strategy.costs import borrow_fee, debit_interest
from execution.strategy.position import Position, position_at_close
from execution.strategy.sizing import order_quantity
from research.passes import account, lanes, round_trips
from research.passes.account import BOOK, ORDER, Rates, fill, observe, wake, write_fill, write_order
from research.passes.compile_cache import cache_on_disk
from research.passes.lanes import borrowed
from research.passes.rules import BOOK_TYPE, WEIGHTS

FEATURES: Final = types.Array(types.float64, 3, "C")
ROUNDING: Final = 1e-9
"""Weights that add up to the leverage may miss it by what their sum was rounded."""


class Universe(NamedTuple):
    """Instants × symbols, but for the last two."""

    open: FloatArray
    close: FloatArray
    """the last known, NaN before a symbol's first bar"""
    present: NDArray[np.bool_]
    ratio: FloatArray
    dividend: FloatArray
    nights: FloatArray
    """before each instant"""
    block: NDArray[np.int64]


def _run(  # type: ignore[no-untyped-def]
    rule, features, sets, universe, rates, books, blocks, curve, orders, where
):
    open_, close = borrowed(universe.open), borrowed(universe.close)
    present, nights = borrowed(universe.present), borrowed(universe.nights)
    ratio, dividend, block_of = (
        borrowed(universe.ratio),
        borrowed(universe.dividend),
        borrowed(universe.block),
    )
    instants, symbols = close.shape
    held = np.zeros((5, symbols))
    weights = np.empty(symbols)
    without_interest = Rates(
        rates.lot, rates.leverage, rates.slippage_bps, rates.commission_bps, rates.commission_min,
        rates.borrow_bps, 0.0,
    )  # fmt: skip
    for number in range(sets.shape[0]):
        book = books[number]
        members = np.zeros(symbols, dtype=BOOK)
        latest = np.full(symbols, -1, dtype=np.int64)
        ordered = 0
        for instant in range(instants):
            where[0], where[1] = number, instant
            total, squares = book.total, book.squares
            if nights[instant] > 0.0 and instant > 0:
                interest = debit_interest(book.cash, nights[instant], rates.interest_bps)
                book.cash -= interest
                book.interest += interest
                for symbol in range(symbols):
                    shares = members[symbol].shares
                    if shares < 0.0:
                        fee = borrow_fee(
                            shares, close[instant - 1, symbol], nights[instant], rates.borrow_bps
                        )
                        book.cash -= fee
                        members[symbol].borrow += fee
            for symbol in range(symbols):
                if present[instant, symbol]:
                    member = members[symbol]
                    at_open = open_[instant, symbol]
                    member.cash = book.cash
                    wake(
                        member, 0.0, dividend[instant, symbol], ratio[instant, symbol], at_open, at_open,
                        without_interest,
                    )  # fmt: skip
                    if member.pending != 0.0:
                        qty = member.pending
                        price, fee = fill(member, at_open, rates)
                        if orders.size > 0:
                            write_fill(orders[latest[symbol]], instant, qty, price, fee)
                    book.cash = member.cash
            equity = book.cash
            exposed = False
            for symbol in range(symbols):
                member = members[symbol]
                if member.shares != 0.0:
                    equity += member.shares * close[instant, symbol]
                    exposed = True
                if present[instant, symbol]:
                    now = Position(
                        member.shares, member.entry, member.bars_held, member.open_profit, member.extreme
                    )
                    now = position_at_close(now, close[instant, symbol])
                    member.bars_held, member.open_profit, member.extreme = (
                        now.bars_held,
                        now.open_profit,
                        now.peak,
                    )
                held[0, symbol], held[1, symbol] = member.shares, member.entry
                held[2, symbol], held[3, symbol] = member.bars_held, member.open_profit
                held[4, symbol] = member.extreme
            observe(book, equity)
            if exposed:
                book.held_bars += 1.0
            if curve.size > 0:
                curve[instant] = equity
            rule(features, sets[number], instant, held, weights)
            gross = 0.0
            for symbol in range(symbols):
                member = members[symbol]
                weight = weights[symbol]
                if present[instant, symbol] and weight == weight and weight != member.target:
                    member.target = weight
                    member.pending = order_quantity(
                        weight, equity, close[instant, symbol], member.shares, rates.lot
                    )
                    if member.pending != 0.0:
                        if orders.size > 0:
                            write_order(orders[ordered], instant, symbol, member.pending, weight)
                            latest[symbol] = ordered
                        ordered += 1
                gross += abs(member.target)
            if gross > rates.leverage + ROUNDING:
                return -1
            blocks[number, 0, block_of[instant]] += book.total - total
            blocks[number, 1, block_of[instant]] += book.squares - squares
        book.ordered = ordered
        for symbol in range(symbols):
            member = members[symbol]
            book.trades += member.trades
            book.wins += member.wins
            book.notional += member.notional
            book.commission += member.commission
            book.slippage += member.slippage
            book.borrow += member.borrow
            book.dividends += member.dividends
    return 0


@cache
def portfolio_kernel() -> Any:
    """run(rule, features, sets, universe, rates, books, blocks, curve, orders, where) -> 0, or -1 beyond the leverage.

    features: rows × instants × symbols; the rest as in research.passes.kernel.
    """
    kernel: Any = numba.njit(nogil=True, error_model="numpy")(_run)
    here = (account, lanes, round_trips, costs, position, sizing, compiled)
    cache_on_disk(kernel, [_run.__code__.co_code, _run.__code__.co_consts, BOOK.names, *here])
    plane, line, numbers = np.zeros((1, 1)), np.zeros(1), np.zeros(1, dtype=np.int64)
    universe = Universe(plane, plane, plane > 0.0, plane, plane, line, numbers)
    kernel.compile(
        (
            types.FunctionType(WEIGHTS),
            FEATURES,
            types.Array(types.int64, 2, "C"),
            numba.typeof(universe),
            numba.typeof(Rates(*(1.0 for _ in Rates._fields))),
            types.Array(BOOK_TYPE, 1, "C", aligned=False),
            types.Array(types.float64, 3, "C"),
            types.Array(types.float64, 1, "C"),
            numba.typeof(np.empty(0, dtype=ORDER)),
            types.Array(types.int64, 1, "C"),
        )
    )
    kernel.disable_compile()
    return kernel
