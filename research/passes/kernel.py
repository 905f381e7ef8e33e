"""The fused pass: bars × parameter sets through features, `decide`, sizing, fills and moments in one loop.

Generic over the strategy: its compiled `decide` and its features' names are linked into the loop, and the book
arithmetic is execution.strategy's own.  Timing is the contract's: decide on the close of bar t, size there, fill at
the open of bar t+1.
"""

import math
from typing import Any, Final

import numba
import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from execution.strategy import Strategy, compiled, costs, position, sizing
from execution.strategy.arrays import FloatArray
from execution.strategy.costs import commission, fill_price
from execution.strategy.position import Position, position_after_fill, position_at_close
from execution.strategy.sizing import apply_fill, book_equity, order_quantity
from research.passes import moments
from research.passes.compile_cache import cache_on_disk
from research.passes.moments import Trading, fold_fill, moments_of, observe

for written in (moments_of, observe, fold_fill):
    register_jitable(written)

TALLY: Final = (
    "bars", "equity", "total", "squares", "downside", "drawdown", "equity_total", "held_bars",
    "trades", "wins", "notional", "commission", "slippage",
)  # fmt: skip
"""The columns of a pass's result, one row per parameter set."""

ORDER: Final = np.dtype(
    [("bar", "i8"), ("qty", "f8"), ("target", "f8"), ("price", "f8"), ("commission", "f8")]
)
"""An order as the pass records it: decided at `bar`, filled at the next; NaN where that never came."""

_GLUE: Final = """
def pick(table, rows):
    return ({pick})

def read(columns, bar):
    return inputs({read})

def ready(x):
    return {ready}
"""


_kernels: dict[type[Strategy], Any] = {}


def kernel_of(strategy: type[Strategy]) -> Any:
    """The compiled pass of a strategy class.

    run(features, sets, open, close, start, capital, lot, slippage_bps, commission_bps, commission_min,
        tallies, equity, orders) -> number of orders of the last set, or -1 - bar where `decide` gave an infinite
    target.  `equity` and `orders` record the last set when they are not empty.
    """
    if strategy not in _kernels:
        _kernels[strategy] = _make_kernel(strategy)
    return _kernels[strategy]


def _make_kernel(strategy: type[Strategy]) -> Any:
    decide, inputs = strategy.compiled(), strategy.inputs()
    pick, read, ready = _glue(inputs)

    def run(  # type: ignore[no-untyped-def]
        features, sets, open_, close, start, capital, lot,
        slippage_bps, commission_bps, commission_min, tallies, equity_out, orders,
    ):  # fmt: skip
        ordered = 0
        for number in range(sets.shape[0]):
            columns = pick(features, sets[number])
            ordered = 0
            cash, shares, last_target, pending = capital, 0.0, 0.0, 0.0
            held = Position(0.0, 0.0, 0.0, 0.0, 0.0)
            seen = moments_of(capital)
            trading = Trading(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            held_bars = 0
            for bar in range(start, close.size):
                if pending != 0.0:
                    price = fill_price(open_[bar], pending, slippage_bps)
                    fee = commission(pending, price, commission_bps, commission_min)
                    trading = fold_fill(trading, shares, held.average_entry, pending, price, open_[bar], fee)
                    cash, shares = apply_fill(cash, shares, pending, price, fee)
                    held = position_after_fill(held, pending, price)
                    if orders.size > 0:
                        orders[ordered - 1].price = price
                        orders[ordered - 1].commission = fee
                    pending = 0.0
                at_close = close[bar]
                held = position_at_close(held, at_close)
                equity = book_equity(cash, shares, at_close)
                seen = observe(seen, equity)
                if equity_out.size > 0:
                    equity_out[bar] = equity
                if shares != 0.0:
                    held_bars += 1
                x = read(columns, bar)
                if ready(x):
                    target = decide(x, held)
                    if target != last_target and not math.isnan(target):
                        if math.isinf(target):
                            return -1 - bar
                        last_target = target
                        pending = order_quantity(target, equity, at_close, shares, lot)
                        if pending != 0.0:
                            if orders.size > 0:
                                orders[ordered].bar = bar
                                orders[ordered].qty = pending
                                orders[ordered].target = target
                                orders[ordered].price = np.nan
                                orders[ordered].commission = np.nan
                            ordered += 1
            row = tallies[number]
            row[0] = close.size - start
            row[1] = seen.equity
            row[2] = seen.total
            row[3] = seen.squares
            row[4] = seen.downside
            row[5] = seen.drawdown
            row[6] = seen.equity_total
            row[7] = held_bars
            row[8] = trading.trades
            row[9] = trading.wins
            row[10] = trading.notional
            row[11] = trading.commission
            row[12] = trading.slippage
        return ordered

    kernel = numba.njit(nogil=True, error_model="numpy")(run)
    here = (moments, costs, position, sizing, compiled)
    cache_on_disk(kernel, [run.__code__.co_code, strategy.decide, inputs._fields, _GLUE, *here])
    return kernel


def _glue(inputs: type[Any]) -> tuple[Any, Any, Any]:
    """Tuples as long as the strategy has features: numba needs their length in the code itself."""
    places = range(len(inputs._fields))
    text = _GLUE.format(
        pick=" ".join(f"table[rows[{place}]]," for place in places),
        read=" ".join(f"columns[{place}][bar]," for place in places),
        ready=" and ".join(f"x[{place}] == x[{place}]" for place in places),
    )
    made: dict[str, Any] = {"inputs": inputs}
    exec(text, made)
    pick, read, ready = (numba.njit(made[name]) for name in ("pick", "read", "ready"))
    return pick, read, ready


def no_equity() -> FloatArray:
    """Tells the pass not to record equity."""
    return np.empty(0)


def no_orders() -> NDArray[Any]:
    """Tells the pass not to record orders."""
    return np.empty(0, dtype=ORDER)
