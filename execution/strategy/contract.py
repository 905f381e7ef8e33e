"""The strategy contract: parameters, features and one compiled decision.

    class Crossover(Strategy):
        fast = param(10, low=2, high=60)
        slow = param(50, low=20, high=240)

        def features(self):
            return {"fast": sma("close", self.fast), "slow": sma("close", self.slow)}

        @staticmethod
        def decide(x):                    # compiled by numba; pure
            return 1.0 if x.fast > x.slow else 0.0

A `Strategy` decides for each symbol by itself, a `Portfolio` for a universe at once.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from execution.strategy.rule import Rule


class Strategy(Rule):
    """One symbol's decision rule: `decide(x)`, or `decide(x, position)` where it looks at what it holds.

    x has the features as attributes.  `decide` returns the target as a multiple of the book's equity (1.0 all in, 0.0
    flat, negative short); NaN leaves the last target standing.  It is not asked while a feature is NaN.
    """

    _written = "decide"
    _forms = ("decide(x)", "decide(x, position)")

    decide: ClassVar[Callable[..., float]]


class Positions(NamedTuple):
    """What an account holds: one value per symbol, in the order of the symbols' names; see Position."""

    size: Any
    average_entry: Any
    bars_held: Any
    open_profit: Any
    peak: Any


class Portfolio(Rule):
    """A universe's rule, for one account: `allocate(x, positions)`, one weight per symbol.

    x has the features as attributes, each an array with one value per symbol in the order of their names; NaN while a
    symbol's feature warms up and before it lists.  `positions` are arrays alike.  The weights are multiples of the
    account's equity; NaN leaves a symbol's last weight standing.

    `allocate` is called at each instant at which a symbol has a finished bar, once all bars of that instant are in.  A
    symbol without one keeps its last feature values, and its weight is not acted on until its next bar.  Orders are
    sized at that close on the equity of the whole account, for symbols whose weight differs from the last one acted
    on; each fills at its symbol's next open.
    """

    _written = "allocate"
    _forms = ("allocate(x, positions)",)

    allocate: ClassVar[Callable[..., Any]]
