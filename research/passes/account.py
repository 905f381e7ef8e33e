"""One book's account inside a pass: fills, holding, overnight charges, corporate actions, and the sums that
every statistic follows from.

A book is a record of numbers.  Between two fills nothing changes but prices, so whole stretches are folded at once;
a bar with a fill, a charge or an action is taken by itself.  The arithmetic is execution.strategy's own.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from execution.strategy.arrays import FloatArray
from execution.strategy.compiled import let_compiled_code_call
from execution.strategy.costs import borrow_fee, commission, debit_interest, fill_price
from execution.strategy.position import Position, position_after_fill
from execution.strategy.sizing import apply_fill, book_equity, order_quantity, round_to_lot
from research.passes.lanes import fold_held
from research.passes.round_trips import Trading, fold_fill

let_compiled_code_call([fold_fill])

_F = TypeVar("_F", bound=Callable[..., Any])


def machine_code(function: _F) -> _F:
    """Compiled by numba into whoever calls it, for an argument list of arrays costs more than the work of a short
    stretch; releases the GIL, divides as the processor does."""
    return cast(_F, numba.njit(nogil=True, error_model="numpy", forceinline=True)(function))


STATE: Final = (
    "cash", "shares", "target", "pending", "touched", "entry", "bars_held", "open_profit", "extreme",
    "previous", "decided", "ordered", "profit",
)  # fmt: skip
"""Where a book stands.  touched: its money changed at this open; previous: what `decide` gave a bar ago, NaN
included; decided: what it gives now; extreme: the best close since entry; profit: of the open round trip so far."""

TALLY: Final = (
    "bars", "equity", "total", "squares", "downside", "peak", "drawdown", "equity_total", "held_bars",
    "trades", "wins", "notional", "commission", "slippage", "borrow", "interest", "dividends",
)  # fmt: skip
"""What a pass tells of a book.  total, squares, downside: of its returns, bar by bar; drawdown: the deepest."""

BOOK: Final = np.dtype([(name, "f8") for name in (*TALLY, *STATE)])

ORDER: Final = np.dtype(
    [
        ("bar", "i8"), ("symbol", "i8"), ("qty", "f8"), ("target", "f8"),
        ("fill_bar", "i8"), ("price", "f8"), ("commission", "f8"),
    ]
)  # fmt: skip
"""An order as the pass records it; fill_bar -1, price and commission NaN where its bar never came."""

_PIECE: Final = 256
"""Bars whose drawdown is bounded at once; only where the bound says it may be the deepest is it looked for."""


class Rates(NamedTuple):
    """The terms of trading as compiled code reads them."""

    lot: float
    leverage: float
    slippage_bps: float
    commission_bps: float
    commission_min: float
    borrow_bps: float
    interest_bps: float


class Tape(NamedTuple):
    """One symbol's prices, cut into tiles: a tile begins where a block, a night with charges or an action does.

    Kernels take its arrays out once: each time one is taken out of a tuple, its references are counted.
    """

    open: FloatArray
    close: FloatArray
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    block: NDArray[np.int64]
    nights: FloatArray
    ratio: FloatArray
    dividend: FloatArray


class Recording(NamedTuple):
    """What a pass writes down beside the tallies; empty where it does not."""

    equity: FloatArray
    orders: NDArray[Any]


def opened_books(count: int, capital: float, bars: int) -> NDArray[Any]:
    """Books before their first bar."""
    books = np.zeros(count, dtype=BOOK)
    books["bars"] = bars
    for name in ("cash", "equity", "peak"):
        books[name] = capital
    books["previous"] = np.nan
    return books


@machine_code
def wake(
    book: Any, nights: float, dividend: float, ratio: float, last_close: float, at_open: float, rates: Rates
) -> None:
    """Overnight charges, then dividends and splits, at the open of a tile's first bar."""
    book.touched = 0.0
    if nights > 0.0:
        interest = debit_interest(book.cash, nights, rates.interest_bps)
        fee = borrow_fee(book.shares, last_close, nights, rates.borrow_bps)
        if interest != 0.0 or fee != 0.0:
            book.cash -= interest + fee
            book.interest += interest
            book.borrow += fee
            book.touched = 1.0
    if dividend != 0.0 and book.shares != 0.0:
        paid = book.shares * dividend
        book.cash += paid
        book.dividends += paid
        book.touched = 1.0
    if ratio != 1.0:
        if book.shares != 0.0:
            after = book.shares * ratio
            whole = round_to_lot(after, rates.lot)
            book.cash += (after - whole) * at_open  # fractions are paid out
            book.shares = whole
            book.entry /= ratio
            book.extreme /= ratio
            book.touched = 1.0
        book.pending = round_to_lot(book.pending * ratio, rates.lot)


@machine_code
def fill(book: Any, at_open: float, rates: Rates) -> tuple[float, float]:
    """What is pending fills at this open; (price, commission)."""
    price = fill_price(at_open, book.pending, rates.slippage_bps)
    fee = commission(book.pending, price, rates.commission_bps, rates.commission_min)
    seen = Trading(book.trades, book.wins, book.profit, book.notional, book.commission, book.slippage)
    seen = fold_fill(seen, book.shares, book.entry, book.pending, price, at_open, fee)
    book.trades, book.wins, book.profit = seen.trades, seen.wins, seen.profit
    book.notional, book.commission, book.slippage = seen.notional, seen.commission, seen.slippage
    held = Position(book.shares, book.entry, book.bars_held, book.open_profit, book.extreme)
    held = position_after_fill(held, book.pending, price)
    book.cash, book.shares = apply_fill(book.cash, book.shares, book.pending, price, fee)
    book.entry, book.bars_held = held.average_entry, held.bars_held
    book.open_profit, book.extreme = held.open_profit, held.peak
    book.pending = 0.0
    return price, fee


@machine_code
def step(
    book: Any, open_: FloatArray, close: FloatArray, bar: int, rates: Rates, curve: FloatArray, orders: Any
) -> None:
    """A bar by itself: fill what is pending at its open, then value the book at its close."""
    if book.pending != 0.0:
        qty = book.pending
        price, fee = fill(book, open_[bar], rates)
        if orders.size > 0:
            write_fill(orders[int(book.ordered) - 1], bar, qty, price, fee)
    book.touched = 0.0
    equity = book_equity(book.cash, book.shares, close[bar])
    observe(book, equity)
    if book.shares != 0.0:
        book.held_bars += 1.0
    if curve.size > 0:
        curve[bar] = equity


@machine_code
def observe(book: Any, equity: float) -> None:
    """The book is worth so much at one more close."""
    change = equity / book.equity - 1.0
    square = change * change
    book.total += change
    book.squares += square
    book.downside += square if change < 0.0 else 0.0
    book.equity_total += equity
    book.equity = equity
    _look_for_drawdown(book, equity)


@machine_code
def _look_for_drawdown(book: Any, equity: float) -> None:
    if equity > book.peak:
        book.peak = equity
    elif equity < book.peak * (1.0 + book.drawdown):  # only then is the division worth it
        book.drawdown = equity / book.peak - 1.0


@machine_code
def observe_held(book: Any, close: FloatArray, first: int, last: int, cash: float, shares: float) -> None:
    """So much cash and so many shares, over these closes and the one before."""
    at = first
    while at < last:
        end = min(at + _PIECE, last)
        total, squares, downside, added, high, low = fold_held(close, at, end, cash, shares)
        book.total += total
        book.squares += squares
        book.downside += downside
        book.equity_total += added
        highest = max(high, book.peak)
        if low < highest * (1.0 + book.drawdown):
            if high <= book.peak:  # below one and the same peak: the lowest is the deepest
                book.drawdown = low / book.peak - 1.0
            else:
                for bar in range(at, end):
                    _look_for_drawdown(book, cash + shares * close[bar])
        book.peak = highest
        at = end
    book.equity = cash + shares * close[last - 1]


@machine_code
def hold(book: Any, close: FloatArray, first: int, last: int, curve: FloatArray) -> None:
    """Bars on which nothing happens."""
    cash, shares = book.cash, book.shares
    if shares == 0.0:
        book.equity_total += book.equity * (last - first)
    else:
        observe_held(book, close, first, last, cash, shares)
        book.held_bars += last - first
    if curve.size > 0:
        written, closes = curve[first:last], close[first:last]
        for place in range(written.size):  # from zero on, or no wide registers are used
            written[place] = book_equity(cash, shares, closes[place])


@machine_code
def settle(
    book: Any, open_: FloatArray, close: FloatArray, first: int, last: int, rates: Rates,
    curve: FloatArray, orders: Any,
) -> None:  # fmt: skip
    """Account for the bars from `first` to before `last`."""
    if first < last and (book.pending != 0.0 or book.touched != 0.0):
        step(book, open_, close, first, rates, curve, orders)
        first += 1
    if first < last:
        hold(book, close, first, last, curve)


@machine_code
def write_order(order: Any, bar: int, symbol: int, qty: float, target: float) -> None:
    """An order that has not filled."""
    order.bar, order.symbol, order.qty, order.target = bar, symbol, qty, target
    order.fill_bar, order.price, order.commission = -1, np.nan, np.nan


@machine_code
def write_fill(order: Any, bar: int, qty: float, price: float, fee: float) -> None:
    """It filled; a split overnight may have made another quantity of it."""
    order.fill_bar, order.qty, order.price, order.commission = bar, qty, price, fee


@machine_code
def order(book: Any, target: float, bar: int, close: float, rates: Rates, orders: Any) -> bool:
    """Take up a changed target at this close; False where the account does not allow so much."""
    if abs(target) > rates.leverage:
        return False
    book.target = target
    book.pending = order_quantity(target, book.equity, close, book.shares, rates.lot)
    if book.pending != 0.0:
        if orders.size > 0:
            write_order(orders[int(book.ordered)], bar, 0, book.pending, target)
        book.ordered += 1.0
    return True
