"""The fused passes: tiles of bars outside, parameter sets inside, so that a tile's features stay in the cache.

Timing is the contract's: decide on the close of bar t, size there, fill at the open of bar t+1.  Both passes are
generic over the strategy and compiled once; they call its rule (rules.py) through a function pointer:

- `decide(x)`: the rule fills a line of targets, a comparison marks where they change, and the account jumps from
  change to change.
- `decide(x, position)`: the rule runs, bar by bar, to the next change; the account catches up.
"""

from functools import cache
from typing import Any, Final

import numba
import numpy as np
from numba import types

from execution.strategy import Rule, compiled, costs, position, sizing
from research.passes import account, lanes, round_trips
from research.passes.account import BOOK, Rates, Recording, Tape, hold, order, settle, step, wake
from research.passes.compile_cache import cache_on_disk
from research.passes.lanes import WORD, borrowed, changes, fetch, lowest_bit
from research.passes.rules import BOOK_TYPE, FEATURES, NEXT_CHANGE, TARGETS, takes_position

TILE: Final = 1024
"""Bars: one feature's share is 8 kB, those of a few dozen stay in the second-level cache."""


def _run_targets(  # type: ignore[no-untyped-def]
    rule, features, sets, tape, rates, books, blocks, recording, where
):
    open_, close = borrowed(tape.open), borrowed(tape.close)
    columns, rows_of, accounts = borrowed(features), borrowed(sets), borrowed(books)
    firsts, lasts, block_of = tape.first, tape.last, tape.block
    nights, ratio, dividend = tape.nights, tape.ratio, tape.dividend
    curve, orders = borrowed(recording.equity), borrowed(recording.orders)
    targets = np.empty(1 + TILE + WORD)
    for tile in range(firsts.size):
        first, last, block = firsts[tile], lasts[tile], block_of[tile]
        count = last - first
        fetch(open_, first, last)  # orders are far apart: nothing else would bring their prices in time
        fetch(close, first, last)
        for number in range(sets.shape[0]):
            book = accounts[number]
            where[0], where[1] = number, first
            total, squares = book.total, book.squares
            wake(book, nights[tile], dividend[tile], ratio[tile], close[first - 1], open_[first], rates)
            targets[0] = book.previous
            rule(columns, rows_of[number], first, last, targets)
            targets[1 + count : 1 + count + WORD] = np.nan  # never a change
            book.previous = targets[count]
            at = first
            for place in range(0, count, WORD):
                left = changes(targets, 1 + place)
                while left != 0:
                    change = place + lowest_bit(left)
                    left &= left - np.uint64(1)
                    target = targets[1 + change]
                    if target != book.target:
                        bar = first + change
                        settle(book, open_, close, at, bar + 1, rates, curve, orders)
                        at = bar + 1
                        if not order(book, target, bar, close[bar], rates, orders):
                            where[1] = bar
                            return -1
            settle(book, open_, close, at, last, rates, curve, orders)
            blocks[number, 0, block] += book.total - total
            blocks[number, 1, block] += book.squares - squares
    return 0


def _run_next_change(  # type: ignore[no-untyped-def]
    rule, features, sets, tape, rates, books, blocks, recording, where
):
    open_, close = borrowed(tape.open), borrowed(tape.close)
    columns, rows_of, accounts = borrowed(features), borrowed(sets), borrowed(books)
    firsts, lasts, block_of = tape.first, tape.last, tape.block
    nights, ratio, dividend = tape.nights, tape.ratio, tape.dividend
    curve, orders = borrowed(recording.equity), borrowed(recording.orders)
    for tile in range(firsts.size):
        first, last, block = firsts[tile], lasts[tile], block_of[tile]
        fetch(open_, first, last)
        fetch(close, first, last)
        for number in range(sets.shape[0]):
            book = accounts[number]
            where[0], where[1] = number, first
            total, squares = book.total, book.squares
            wake(book, nights[tile], dividend[tile], ratio[tile], close[first - 1], open_[first], rates)
            rows = rows_of[number]
            at = first
            bar = first
            while bar < last:
                if book.pending != 0.0 or book.touched != 0.0:
                    step(book, open_, close, bar, rates, curve, orders)
                    at = bar + 1
                change = rule(columns, rows, close, bar, last, book)
                if change == last:
                    break
                if at < change + 1:
                    hold(book, close, at, change + 1, curve)
                    at = change + 1
                if not order(book, book.decided, change, close[change], rates, orders):
                    where[1] = change
                    return -1
                bar = change + 1
            if at < last:
                hold(book, close, at, last, curve)
            blocks[number, 0, block] += book.total - total
            blocks[number, 1, block] += book.squares - squares
    return 0


def kernel_of(strategy: type[Rule]) -> Any:
    """The pass for a strategy class.

    run(rule, features, sets, tape, rates, books, blocks, recording, where) -> 0, or -1 where a target is more than
    the account allows.  features: rows × bars; sets: parameter sets × the rows they read; books and blocks (sets ×
    sum and sum of squares × blocks) are filled; where: the set and the bar, or the tile's first, at which it stopped.
    """
    return pass_for(takes_position(strategy))


@cache
def pass_for(with_position: bool) -> Any:
    """The pass of rules that look at the position, or of those that do not."""
    run, rule = (_run_next_change, NEXT_CHANGE) if with_position else (_run_targets, TARGETS)
    kernel: Any = numba.njit(nogil=True, error_model="numpy")(run)
    here = (account, lanes, round_trips, costs, position, sizing, compiled)
    cache_on_disk(kernel, [run.__code__.co_code, run.__code__.co_consts, BOOK.names, *here])
    integers, floats = np.zeros(1, dtype=np.int64), np.zeros(1)
    tape = Tape(floats, floats, integers, integers, integers, floats, floats, floats)
    recording = Recording(floats, np.empty(0, dtype=account.ORDER))
    kernel.compile(
        (
            types.FunctionType(rule),
            FEATURES,
            types.Array(types.int64, 2, "C"),
            numba.typeof(tape),
            numba.typeof(Rates(*(1.0 for _ in Rates._fields))),
            types.Array(BOOK_TYPE, 1, "C", aligned=False),
            types.Array(types.float64, 3, "C"),
            numba.typeof(recording),
            types.Array(types.int64, 1, "C"),
        )
    )
    kernel.disable_compile()
    return kernel
