"""What a running engine would do: features, decisions and orders one bar at a time, dying and starting again."""

import math
from collections.abc import Collection
from typing import NamedTuple

import polars as pl

from data.orders import signed
from execution.strategy import (
    FLAT,
    Allocator,
    BarArrays,
    CostModel,
    Decider,
    Ohlcv,
    Portfolio,
    Position,
    Strategy,
)
from execution.strategy.costs import commission, fill_price
from execution.strategy.position import position_after_fill, position_at_close
from execution.strategy.sizing import apply_fill, book_equity, order_quantity

Order = tuple[str, int, float, float]
"""symbol, microseconds of the bar it was decided on, signed quantity, target"""


class Holding(NamedTuple):
    """One symbol in an account."""

    position: Position = FLAT
    target: float = 0.0
    pending: float = 0.0
    close: float = math.nan


class Account:
    """Cash and what it holds, filled at opens and valued at closes."""

    def __init__(self, capital: float, costs: CostModel) -> None:
        self.cash, self.costs = capital, costs
        self.holdings: dict[str, Holding] = {}

    def on_bar(self, symbol: str, bar: Ohlcv) -> Position:
        held = self.holdings.get(symbol, Holding())
        position = held.position
        if held.pending:
            paid = fill_price(bar.open, held.pending, self.costs.slippage_bps)
            fee = commission(held.pending, paid, self.costs.commission_bps, self.costs.commission_min)
            self.cash, _ = apply_fill(self.cash, position.size, held.pending, paid, fee)
            position = position_after_fill(position, held.pending, paid)
        position = position_at_close(position, bar.close)
        self.holdings[symbol] = Holding(position, held.target, 0.0, bar.close)
        return position

    def aim(self, symbol: str, target: float, ts_us: int) -> list[Order]:
        held = self.holdings[symbol]
        if math.isnan(target) or target == held.target:
            return []
        quantity = order_quantity(target, self.equity(), held.close, held.position.size, 1.0)
        self.holdings[symbol] = held._replace(target=target, pending=quantity)
        return [(symbol, ts_us, quantity, target)] if quantity else []

    def equity(self) -> float:
        if len(self.holdings) == 1:
            (only,) = self.holdings.values()
            return book_equity(self.cash, only.position.size, only.close)
        total = self.cash
        for _, held in sorted(self.holdings.items()):
            if held.position.size:
                total += held.position.size * held.close
        return total


def live_orders(
    rule: Strategy | Portfolio,
    bars: pl.DataFrame,
    restarts: Collection[int],
    capital: float,
    costs: CostModel,
) -> list[Order]:
    """Every order over these bars, by symbol, then bar; at the instants `restarts` the process begins anew."""
    books = {
        str(name): BarArrays.of(part) for (name,), part in bars.partition_by("symbol", as_dict=True).items()
    }
    if isinstance(rule, Portfolio):
        made = _portfolio(rule, books, restarts, Account(capital, costs))
    else:
        made = []
        for symbol, book in books.items():
            made += _book(rule, symbol, book, restarts, Account(capital / len(books), costs))
    return sorted(made)


def _book(
    strategy: Strategy, symbol: str, bars: BarArrays, restarts: Collection[int], account: Account
) -> list[Order]:
    decider = Decider(strategy, bars.calendar)
    made: list[Order] = []
    for at in range(len(bars)):
        if at in restarts:
            decider = Decider(strategy, bars.calendar)
            decider.warm(bars.part(0, at))
        bar = bars.bar(at)
        position = account.on_bar(symbol, bar)
        made += account.aim(symbol, decider.on_bar(*bar[:5], position, bar.ts_us), bar.ts_us)
    return made


def _portfolio(
    portfolio: Portfolio, books: dict[str, BarArrays], restarts: Collection[int], account: Account
) -> list[Order]:
    allocator = Allocator(portfolio, books)
    made: list[Order] = []
    place = dict.fromkeys(books, 0)
    for number, ts_us in enumerate(sorted({int(each) for book in books.values() for each in book.ts_us})):
        if number in restarts:
            allocator = Allocator(portfolio, books)
            allocator.warm({symbol: book.part(0, place[symbol]) for symbol, book in books.items()})
        present = {
            symbol: book.bar(place[symbol])
            for symbol, book in books.items()
            if place[symbol] < len(book) and book.ts_us[place[symbol]] == ts_us
        }
        for symbol, bar in present.items():
            account.on_bar(symbol, bar)
            place[symbol] += 1
        positions = {symbol: held.position for symbol, held in account.holdings.items()}
        for symbol, weight in allocator.on_bars(present, positions).items():
            made += account.aim(symbol, weight, ts_us)
    return made


def orders_of(frame: pl.DataFrame) -> list[Order]:
    """A backtest's orders, told alike."""
    stamped = frame.with_columns(pl.col("bar_ts_utc").dt.epoch("us"))
    rows = stamped.select("symbol", "bar_ts_utc", "side", "qty", "target").iter_rows()
    return sorted((symbol, ts_us, signed(side, qty), target) for symbol, ts_us, side, qty, target in rows)
