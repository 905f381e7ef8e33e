"""The books of an account: who hears of a bar, whose a fill is."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from data.bar import Bar
from execution.core.book import Book
from execution.core.intents import Intent


class Roster:
    """Nothing is netted between books: each sends its own orders, and each fill belongs to one."""

    def __init__(self, books: Sequence[Book]) -> None:
        self.books = books
        self._by_symbol: dict[str, list[Book]] = defaultdict(list)
        for book in books:
            for symbol in book.symbols:
                self._by_symbol[symbol].append(book)
        self._by_owner = {
            (book.owner.artifact_hash, symbol): book for book in books for symbol in book.symbols
        }
        self._bars: Counter[str] = Counter()

    @property
    def symbols(self) -> list[str]:
        """What somebody wants to hear of."""
        return sorted(self._by_symbol)

    def owner_of(self, artifact_hash: str | None, symbol: str) -> Book | None:
        """Whose an order is; nobody's, where it was sent by hand or by a version that is gone."""
        return self._by_owner.get((artifact_hash or "", symbol))

    def on_bars(self, bars: Sequence[Bar], decided_at_us: int) -> list[Intent]:
        """What is to be sent after the bars of one instant."""
        heard: dict[int, list[Bar]] = defaultdict(list)
        concerned: dict[int, Book] = {}
        for bar in bars:
            for book in self._by_symbol.get(bar.symbol, ()):
                heard[id(book)].append(bar)
                concerned[id(book)] = book
                self._bars[book.owner.artifact_hash] += bar.ts_us > book.last_bar_us[bar.symbol]
        return list(
            chain.from_iterable(book.on_bars(heard[key], decided_at_us) for key, book in concerned.items())
        )

    def bars_of(self, artifact_hash: str) -> int:
        """Bars that the books of this artifact have decided on since we started."""
        return self._bars[artifact_hash]

    def status(self) -> Mapping[str, Any]:
        """What the heartbeat carries to the monitor; the cash of a shared book is told in equal parts."""
        return {
            "bars": self._bars.total(),
            "bar_ts_us": max((at for book in self.books for at in book.last_bar_us.values()), default=0),
            "books": [_told(book, symbol) for book in self.books for symbol in book.symbols],
        }


def _told(book: Book, symbol: str) -> dict[str, Any]:
    share = 1.0 / len(book.symbols)
    shares, known = book.positions[symbol].size, bool(book.last_bar_us[symbol])
    worth = shares * book.closes[symbol] if known else 0.0
    return {
        "strategy": book.owner.strategy,
        "artifact": book.owner.artifact_hash,
        "symbol": symbol,
        "capital": book.capital * share,
        "cash": book.cash * share,
        "shares": shares,
        "target": book.targets[symbol],
        "last": book.closes[symbol] if known else None,
        "equity": book.cash * share + worth,
    }
