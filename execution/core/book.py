"""A strategy's own account inside ours: its cash, its shares, and what it wants next.

A book is the incremental twin of the backtest: the same decisions, the same arithmetic, in the same order.  Books share
nothing; what two of them hold of one symbol adds up at the broker.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import polars as pl

from data.bar import Bar, bars_of
from data.instruments import usual_calendar
from execution.core.intents import Intent, client_order_id
from execution.strategy import FLAT, Allocator, Decider, Portfolio, Strategy
from execution.strategy.arrays import Ohlcv
from execution.strategy.position import position_after_fill, position_at_close
from execution.strategy.sizing import apply_fill, order_quantity

LOT: Final = 1.0  # whole shares


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose orders these are."""

    account: str
    artifact_hash: str
    strategy: str


class PastFill(NamedTuple):
    """A fill as the ledger remembers it."""

    bar_ts_us: int
    symbol: str
    signed_qty: float
    price: float
    commission: float


class Book(ABC):
    """Start and restart are the same: warm up on history, live again through what happened since, continue."""

    def __init__(self, owner: Owner, symbols: Iterable[str], capital: float) -> None:
        self.owner = owner
        self.symbols = tuple(sorted(symbols))
        self.capital = capital
        self.cash = capital
        self.positions = dict.fromkeys(self.symbols, FLAT)
        self.targets = dict.fromkeys(self.symbols, 0.0)
        self.closes = dict.fromkeys(self.symbols, math.nan)
        self.last_bar_us = dict.fromkeys(self.symbols, 0)
        # coid -> symbol, signed shares sent and not yet filled
        self._in_flight: dict[str, tuple[str, float]] = {}
        self._changed_us: dict[str, int] = {}  # the bar of a symbol's newest change of target
        self._owed: set[str] = set()  # whose newest target nobody has tried to reach

    @abstractmethod
    def _warm(self, history: pl.DataFrame) -> None:
        """Compute features over finished bars on which nothing may be decided."""

    @abstractmethod
    def _wanted(self, bars: Sequence[Bar]) -> Mapping[str, float]:
        """The targets of the symbols that have a bar at this instant; NaN leaves one as it is."""

    # -- start and restart

    def warm(self, history: pl.DataFrame) -> None:
        """Begin behind these bars, which may not be traded."""
        self._warm(history)
        newest = history.group_by("symbol").agg(pl.col("ts_utc", "close").sort_by("ts_utc").last())
        for symbol, at, close in newest.select(
            "symbol", pl.col("ts_utc").dt.epoch("us"), "close"
        ).iter_rows():
            self.last_bar_us[symbol], self.closes[symbol] = at, close

    def recover(self, bars: pl.DataFrame, timeframe: str, fills: Iterable[PastFill]) -> None:
        """Live again through bars already traded: what was decided then is decided again, nothing is sent.

        `fills` are in the order in which they happened.
        """
        waiting = list(fills)
        tape = bars_of(bars.sort("ts_utc", "symbol"), timeframe)
        for ts_us, instant in groupby(tape, lambda bar: bar.ts_us):
            while waiting and waiting[0].bar_ts_us <= ts_us:
                self.on_fill(*waiting.pop(0)[1:])
            self._advance(list(instant))
        for fill in waiting:
            self.on_fill(*fill[1:])

    def owe_what_was_not_sent(self, known: Container[str]) -> None:
        """What was decided while nobody was there to send it is tried for at the next bar.

        `known` are the names of orders that the ledger has, refused ones included.
        """
        owner = self.owner
        for symbol, at in self._changed_us.items():
            coid = client_order_id(owner.account, owner.artifact_hash, owner.strategy, symbol, at)
            if coid not in known:
                self._owed.add(symbol)

    def sent(self, coid: str, symbol: str, signed_qty: float) -> None:
        """So much of an order may still come."""
        self._in_flight[coid] = (symbol, signed_qty)

    # -- what happens

    def on_fill(
        self, symbol: str, signed_qty: float, price: float, commission: float, coid: str | None = None
    ) -> None:
        """The market gave us shares."""
        position = self.positions[symbol]
        self.cash, _ = apply_fill(self.cash, position.size, signed_qty, price, commission)
        self.positions[symbol] = position_after_fill(position, signed_qty, price)
        if coid in self._in_flight:
            left = self._in_flight[coid][1] - signed_qty
            if left == 0.0:
                del self._in_flight[coid]
            else:
                self._in_flight[coid] = (symbol, left)

    def on_order_ended(self, coid: str) -> None:
        """The order will fill no more."""
        self._in_flight.pop(coid, None)

    def on_bars(self, bars: Sequence[Bar], decided_at_us: int) -> list[Intent]:
        """What to send after these finished bars of one instant; only a change of target trades."""
        fresh = [bar for bar in bars if bar.ts_us > self.last_bar_us[bar.symbol]]  # others are told twice
        changed = self._advance(fresh) if fresh else []
        if not changed:
            return []
        equity = self.equity()
        intents = (self._intent(bar, equity, decided_at_us) for bar in changed)
        return [intent for intent in intents if intent is not None]

    def equity(self) -> float:
        """What the book is worth at the newest closes."""
        equity = self.cash
        for symbol in self.symbols:
            shares = self.positions[symbol].size
            if shares != 0.0:
                equity += shares * self.closes[symbol]
        return equity

    def _advance(self, bars: Sequence[Bar]) -> list[Bar]:
        """Take in the bars of one instant; those whose target changed."""
        for bar in bars:
            self.last_bar_us[bar.symbol], self.closes[bar.symbol] = bar.ts_us, bar.close
            self.positions[bar.symbol] = position_at_close(self.positions[bar.symbol], bar.close)
        wanted = self._wanted(bars)
        changed = []
        for bar in bars:
            target = wanted[bar.symbol]
            if not math.isnan(target) and target != self.targets[bar.symbol]:
                self.targets[bar.symbol] = target
                self._changed_us[bar.symbol] = bar.ts_us
                changed.append(bar)
            elif bar.symbol in self._owed:
                changed.append(bar)
        self._owed -= {bar.symbol for bar in changed}
        return changed

    def _intent(self, bar: Bar, equity: float, decided_at_us: int) -> Intent | None:
        owner, symbol, target = self.owner, bar.symbol, self.targets[bar.symbol]
        coming = [qty for of, qty in self._in_flight.values() if of == symbol]
        held = self.positions[symbol].size + sum(coming)
        quantity = order_quantity(target, equity, bar.close, held, LOT)
        if quantity == 0.0:
            return None
        coid = client_order_id(owner.account, owner.artifact_hash, owner.strategy, symbol, bar.ts_us)
        self.sent(coid, symbol, quantity)
        return Intent(
            coid=coid,
            account=owner.account,
            artifact_hash=owner.artifact_hash,
            strategy=owner.strategy,
            symbol=symbol,
            side="buy" if quantity > 0 else "sell",
            qty=abs(quantity),
            target=target,
            bar_ts_us=bar.ts_us,
            reference_price=bar.close,
            decided_at_us=decided_at_us,
        )


class SymbolBook(Book):
    """A Strategy on one symbol."""

    def __init__(self, owner: Owner, symbol: str, strategy: Strategy, capital: float) -> None:
        super().__init__(owner, [symbol], capital)
        self._symbol = symbol
        self._decider = Decider(strategy, usual_calendar(symbol))

    def _warm(self, history: pl.DataFrame) -> None:
        self._decider.warm(history)

    def _wanted(self, bars: Sequence[Bar]) -> Mapping[str, float]:
        (bar,) = bars
        held = self.positions[self._symbol]
        target = self._decider.on_bar(bar.open, bar.high, bar.low, bar.close, bar.volume, held, bar.ts_us)
        return {self._symbol: target}


class SharedBook(Book):
    """A Portfolio: one account over a universe."""

    def __init__(self, owner: Owner, symbols: Iterable[str], portfolio: Portfolio, capital: float) -> None:
        super().__init__(owner, symbols, capital)
        self._allocator = Allocator(portfolio, self.symbols)

    def _warm(self, history: pl.DataFrame) -> None:
        self._allocator.warm(history)

    def _wanted(self, bars: Sequence[Bar]) -> Mapping[str, float]:
        told = {
            bar.symbol: Ohlcv(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ts_us) for bar in bars
        }
        return self._allocator.on_bars(told, self.positions)


def books_of(
    strategy: Strategy | Portfolio, owner: Owner, symbols: Sequence[str], capital: float
) -> list[Book]:
    """A Strategy has a book for each symbol with an equal share of the capital, a Portfolio has one."""
    if isinstance(strategy, Portfolio):
        return [SharedBook(owner, symbols, strategy, capital)]
    share = capital / len(symbols)
    return [SymbolBook(owner, symbol, strategy, share) for symbol in symbols]
