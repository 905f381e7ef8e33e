"""Books side by side, added up to one account on the union of their timestamps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from execution.strategy.arrays import FloatArray
from research.passes import account, lanes
from research.passes.account import TALLY, machine_code, observe, observe_held, opened_books
from research.passes.books import BLOCKS, Book, block_bounds
from research.passes.compile_cache import cache_on_disk
from research.passes.running import Tallies

_OF_EQUITY = ("bars", "equity", "total", "squares", "downside", "peak", "drawdown", "equity_total")


def instants_of(books: Sequence[Book]) -> NDArray[np.int64]:
    """Every timestamp at which one of the books trades, in order."""
    traded = [book.ts_us[book.start :] for book in books]
    if len(traded) == 1:
        return traded[0]
    every = np.sort(np.concatenate(traded))  # numpy's unique hashes, and sorts what it hashed
    return every[np.append(True, every[1:] != every[:-1])]


def newest_bars(book: Book, ts_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The newest bar of a book at each of these instants, -1 before its first."""
    return np.searchsorted(book.ts_us, ts_us, side="right") - 1


class Desk:
    """Independent books of capital / books each."""

    def __init__(self, books: Sequence[Book], capital: float, blocks: int = BLOCKS) -> None:
        self.books = books
        self.capital = capital
        self.ts_us = instants_of(books)
        self.bounds = block_bounds(len(self.ts_us), blocks)
        # Before its first bar a book is worth its capital, after its last one what it was worth then.
        self._newest = [newest_bars(book, self.ts_us) for book in books if len(books) > 1]

    def equity(self, curves: Sequence[FloatArray]) -> FloatArray:
        """The sum of the books' equity curves (each as long as its book's bars)."""
        if len(self.books) == 1:
            return curves[0][self.books[0].start :]
        total = np.zeros(len(self.ts_us))
        share = self.capital / len(self.books)
        for book, curve, newest in zip(self.books, curves, self._newest, strict=True):
            total += np.where(newest < book.start, share, curve[np.maximum(newest, 0)])
        return total

    def tally(self, equity: FloatArray, each: Sequence[Tallies]) -> Tallies:
        """The tally of the sum: moments of the summed equity, trading added up, exposure averaged."""
        if len(self.books) == 1:
            return each[0]
        tallies = np.concatenate([tally.books for tally in each])
        added = dict(zip(TALLY, tallies.sum(axis=0), strict=True))
        held = tallies[:, TALLY.index("held_bars")] / tallies[:, TALLY.index("bars")]
        summed = opened_books(1, self.capital, len(equity))
        blocks = np.zeros((1, 2, len(self.bounds) - 1))
        _observe_curve(summed, equity, self.bounds, blocks)
        for name in _OF_EQUITY:
            added[name] = summed[0][name]
        added["held_bars"] = held.mean() * len(equity)
        return Tallies(np.array([list(added.values())]), blocks)


@machine_code
def _observe_curve(books: Any, equity: FloatArray, bounds: NDArray[np.int64], blocks: FloatArray) -> None:
    book = books[0]
    for block in range(bounds.size - 1):
        total, squares = book.total, book.squares
        first = bounds[block]
        if first == 0:
            observe(book, equity[0])
            first = 1
        if first < bounds[block + 1]:
            observe_held(book, equity, first, bounds[block + 1], 0.0, 1.0)
        blocks[0, 0, block] = book.total - total
        blocks[0, 1, block] = book.squares - squares


_observer: Any = _observe_curve
cache_on_disk(_observer, [_observer.py_func.__code__.co_code, account, lanes])
