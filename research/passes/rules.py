"""A strategy's `decide`, linked into the small loops that kernels call: the only code compiled for each strategy.

Everything else of a pass is compiled once for all strategies and reached through a function pointer, or reaches
these loops through one.
"""

import math
from typing import Any, Final

import numba
from numba import types

from execution.strategy import Portfolio, Positions, Strategy, costs, position, sizing
from execution.strategy import compiled as strategy_compiled
from execution.strategy.position import Position, position_at_close
from execution.strategy.rule import Rule
from research.passes.account import BOOK
from research.passes.compile_cache import cache_on_disk

FEATURES: Final = types.Array(types.float64, 2, "C")
ROWS: Final = types.Array(types.int64, 1, "C")
LINE: Final = types.Array(types.float64, 1, "C")
BOOK_TYPE: Final = numba.from_dtype(BOOK)

TARGETS: Final = types.int64(FEATURES, ROWS, types.int64, types.int64, LINE)
"""targets(features, rows, first, last, out): what `decide(x)` gives on each bar, NaN where nothing, from out[1] on."""

NEXT_CHANGE: Final = types.int64(FEATURES, ROWS, LINE, types.int64, types.int64, BOOK_TYPE)
"""next_change(features, rows, close, first, last, book): the first bar whose `decide(x, position)` gives another
target (then in book.decided), or last."""

WEIGHTS: Final = types.int64(
    types.Array(types.float64, 3, "C"), ROWS, types.int64, types.Array(types.float64, 2, "C"), LINE
)
"""weights(features, rows, instant, held, out): what `allocate` gives at an instant; held is Position × symbols."""

_GLUE: Final = """
def pick(table, rows, first, last):
    return ({pick})

def read(columns, bar):
    return inputs({read})

def ready(x):
    return {ready}
"""

_rules: dict[type[Rule], Any] = {}


def takes_position(strategy: type[Rule]) -> bool:
    """Does the rule look at what it holds?"""
    return bool(strategy.written().__code__.co_argcount == 2)


def rule_of(strategy: type[Rule]) -> Any:
    """The compiled loop of a strategy class: WEIGHTS of a portfolio, TARGETS, or NEXT_CHANGE where `decide` takes the
    position."""
    if strategy not in _rules:
        if issubclass(strategy, Portfolio):
            _rules[strategy] = _weights(strategy)
        elif issubclass(strategy, Strategy):
            _rules[strategy] = _next_change(strategy) if takes_position(strategy) else _targets(strategy)
    return _rules[strategy]


def _targets(strategy: type[Strategy]) -> Any:
    decide, inputs = strategy.compiled(), strategy.inputs()
    pick, read, ready = _glue(inputs)
    flat = Position()

    def targets(features, rows, first, last, out):  # type: ignore[no-untyped-def]
        columns = pick(features, rows, first, last)
        given = out[1:]
        for place in range(last - first):
            x = read(columns, place)
            given[place] = decide(x, flat) if ready(x) else math.nan
        return 0

    return _compiled(targets, TARGETS, strategy)


def _next_change(strategy: type[Strategy]) -> Any:
    decide, inputs = strategy.compiled(), strategy.inputs()
    pick, read, ready = _glue(inputs)

    def next_change(features, rows, close, first, last, book):  # type: ignore[no-untyped-def]
        columns = pick(features, rows, 0, close.size)
        target = book.target
        held = Position(book.shares, book.entry, book.bars_held, book.open_profit, book.extreme)
        for bar in range(first, last):
            held = position_at_close(held, close[bar])
            x = read(columns, bar)
            if ready(x):
                book.decided = bar  # where we are, should `decide` raise
                decided = decide(x, held)
                if decided != target and not math.isnan(decided):
                    book.bars_held, book.open_profit, book.extreme = (
                        held.bars_held,
                        held.open_profit,
                        held.peak,
                    )
                    book.decided = decided
                    return bar
        book.bars_held, book.open_profit, book.extreme = held.bars_held, held.open_profit, held.peak
        return last

    return _compiled(next_change, NEXT_CHANGE, strategy)


def _weights(strategy: type[Portfolio]) -> Any:
    allocate, inputs = strategy.compiled(), strategy.inputs()
    arrays = " ".join(f"features[rows[{place}], instant]," for place in range(len(inputs._fields)))
    made: dict[str, Any] = {"inputs": inputs}
    exec(f"def read(features, rows, instant):\n    return inputs({arrays})", made)
    read = numba.njit(made["read"])

    def weights(features, rows, instant, held, out):  # type: ignore[no-untyped-def]
        positions = Positions(held[0], held[1], held[2], held[3], held[4])
        given = allocate(read(features, rows, instant), positions)
        if given.size != out.size:
            raise ValueError("it gave another number of weights than there are symbols")
        out[:] = given
        return 0

    return _compiled(weights, WEIGHTS, strategy)


def _compiled(loop: Any, signature: Any, strategy: type[Rule]) -> Any:
    rule = numba.njit(nogil=True, error_model="numpy")(loop)
    here = (costs, position, sizing, strategy_compiled)
    fields = strategy.inputs()._fields
    # Machine code remembers the module that it came from, and imports it again.
    home = (strategy.__module__, strategy.__qualname__)
    written: Any = getattr(strategy, "allocate" if issubclass(strategy, Portfolio) else "decide")
    cache_on_disk(rule, [loop.__code__.co_code, written, home, fields, _GLUE, BOOK.names, *here])
    rule.compile(signature)
    rule.disable_compile()
    return rule


def _glue(inputs: type[Any]) -> tuple[Any, Any, Any]:
    """Tuples as long as the strategy has features: numba needs their length in the code itself."""
    places = range(len(inputs._fields))
    text = _GLUE.format(
        pick=" ".join(f"table[rows[{place}], first:last]," for place in places),
        read=" ".join(f"columns[{place}][bar]," for place in places),
        ready=" and ".join(f"x[{place}] == x[{place}]" for place in places),
    )
    made: dict[str, Any] = {"inputs": inputs}
    exec(text, made)
    pick, read, ready = (numba.njit(made[name]) for name in ("pick", "read", "ready"))
    return pick, read, ready
