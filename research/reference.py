"""A backtest written a second time, naively, only to be compared with: one bar at a time, plain Python, no numba.

It shares nothing with the kernels but the features and the Python text of `decide` or `allocate`; its arithmetic is
its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from execution.strategy import Portfolio, Positions, Strategy
from execution.strategy.position import Position
from research.backtest import Backtest
from research.passes.books import Book, books_of


class ReferenceOrder(NamedTuple):
    """An order of the reference; price and commission None where the data ended first."""

    symbol: str
    bar_ts_us: int
    qty: float
    target: float
    price: float | None
    commission: float | None


class Reference(NamedTuple):
    """What the reference did, by symbol, then bar."""

    orders: list[ReferenceOrder]
    equity: dict[int, float]
    """of the account, at each instant"""


@dataclass
class _Holding:
    """One symbol in one account."""

    book: Book
    columns: Mapping[str, Any]
    shares: float = 0.0
    entry: float = 0.0
    peak: float = 0.0
    bars_held: float = 0.0
    profit: float = 0.0
    target: float = 0.0
    last_close: float = math.nan
    waiting: ReferenceOrder | None = None
    orders: list[ReferenceOrder] = field(default_factory=list)

    def position(self) -> Position:
        if self.shares == 0:
            return Position()
        return Position(self.shares, self.entry, self.bars_held, self.profit, self.peak)


@dataclass
class _Account:
    cash: float
    terms: Any
    day: int | None = None

    def night(self, ts_us: int, holdings: list[_Holding]) -> None:
        """Interest and borrow fees since the last bar's day."""
        day = datetime.fromtimestamp(ts_us / 1e6, UTC).toordinal()
        nights = 0 if self.day is None else day - self.day
        self.day = day
        costs = self.terms.costs
        owed = max(-self.cash, 0.0) * costs.interest_bps / 1e4 * nights / 365
        for holding in holdings:
            if holding.shares < 0 and nights:
                owed += -holding.shares * holding.last_close * costs.borrow_bps / 1e4 * nights / 365
        self.cash -= owed

    def open(self, holding: _Holding, bar: int) -> None:
        """Dividends, splits and the waiting order, at a bar's open."""
        book, costs, lot = holding.book, self.terms.costs, self.terms.lot
        opened = float(_opens(book, self.terms)[bar])
        self.cash += holding.shares * float(book.dividend[bar])
        ratio = float(book.ratio[bar])
        if ratio != 1:
            split = holding.shares * ratio
            holding.shares = math.trunc(split / lot) * lot
            self.cash += (split - holding.shares) * opened
            holding.entry, holding.peak = holding.entry / ratio, holding.peak / ratio
            if holding.waiting is not None:
                whole = math.trunc(holding.waiting.qty * ratio / lot) * lot
                if whole:
                    holding.waiting = holding.waiting._replace(qty=whole)
                else:  # nothing is left of it
                    holding.orders.append(holding.waiting)
                    holding.waiting = None
        if holding.waiting is None:
            return
        qty, shares = holding.waiting.qty, holding.shares
        price = opened * (1 + costs.slippage_bps / 1e4 * math.copysign(1, qty))
        charged = costs.commission_bps > 0 or costs.commission_min > 0
        fee = max(abs(qty) * price * costs.commission_bps / 1e4, costs.commission_min) if charged else 0.0
        if shares == 0 or shares * (shares + qty) < 0:
            holding.entry, holding.peak, holding.bars_held, holding.profit = price, price, 0.0, 0.0
        elif abs(shares + qty) > abs(shares):
            holding.entry = (holding.entry * shares + price * qty) / (shares + qty)
        self.cash -= qty * price + fee
        holding.shares = shares + qty
        holding.orders.append(holding.waiting._replace(price=price, commission=fee))
        holding.waiting = None

    def close(self, holding: _Holding, bar: int) -> None:
        """What a bar's close does to the position."""
        closed = holding.last_close = float(holding.book.close[bar])
        if holding.shares != 0:
            up = holding.shares > 0
            holding.bars_held += 1
            holding.peak = max(holding.peak, closed) if up else min(holding.peak, closed)
            holding.profit = (1 if up else -1) * (closed / holding.entry - 1)

    def worth(self, holdings: list[_Holding]) -> float:
        return self.cash + sum(each.shares * each.last_close for each in holdings if each.shares != 0)

    def aim(self, holding: _Holding, target: float, equity: float, ts_us: int) -> None:
        """Only a change of target trades."""
        if math.isnan(target) or target == holding.target:
            return
        holding.target = target
        lot = self.terms.lot
        wanted = math.trunc(target * equity / holding.last_close / lot) * lot if equity > 0 else 0.0
        qty = wanted - holding.shares
        if qty != 0:
            holding.waiting = ReferenceOrder(holding.book.symbol, ts_us, qty, target, None, None)


def reference_backtest(of: Backtest) -> Reference:
    """Everything `of` was asked to do, done again."""
    books = books_of(of.bars, None, of.actions)
    holdings = [_Holding(book, _features(of, book)) for book in books]
    since_us = int(of.equity["ts_utc"].dt.epoch("us")[0])
    if isinstance(of.strategy, Portfolio):
        equity = _trade([(_Account(of.capital, of.terms), holdings)], of, since_us)
    else:
        share = of.capital / len(books)
        equity = _trade([(_Account(share, of.terms), [each]) for each in holdings], of, since_us)
    orders = []
    for holding in holdings:
        orders += holding.orders + ([holding.waiting] if holding.waiting else [])
    return Reference(orders, equity)


def _trade(accounts: list[tuple[_Account, list[_Holding]]], of: Backtest, since_us: int) -> dict[int, float]:
    bars = [
        {int(ts_us): bar for bar, ts_us in enumerate(holding.book.ts_us) if ts_us >= since_us}
        for _, holdings in accounts
        for holding in holdings
    ]
    places = {
        holding.book.symbol: at
        for holding, at in zip((each for _, all_ in accounts for each in all_), bars, strict=True)
    }
    curve: dict[int, float] = {}
    for ts_us in sorted(set().union(*bars)):
        for account, holdings in accounts:
            present = [
                (holding, places[holding.book.symbol][ts_us])
                for holding in holdings
                if ts_us in places[holding.book.symbol]
            ]
            if not present:
                continue
            account.night(ts_us, holdings)
            for holding, bar in present:
                account.open(holding, bar)
            for holding, bar in present:
                account.close(holding, bar)
            equity = account.worth(holdings)
            for holding, target in _decided(of.strategy, holdings, present, ts_us):
                account.aim(holding, target, equity, ts_us)
        curve[ts_us] = sum(account.worth(holdings) for account, holdings in accounts)
    return curve


def _decided(
    strategy: Strategy | Portfolio, holdings: list[_Holding], present: list[tuple[_Holding, int]], ts_us: int
) -> list[tuple[_Holding, float]]:
    written: Any
    if isinstance(strategy, Portfolio):
        written = strategy.allocate
        latest = [int(np.searchsorted(each.book.ts_us, ts_us, side="right")) - 1 for each in holdings]
        x = strategy.inputs()(
            *(
                np.array(
                    [
                        each.columns[name][bar] if bar >= 0 else math.nan
                        for each, bar in zip(holdings, latest, strict=True)
                    ]
                )
                for name in strategy.feature_specs()
            )
        )
        held = np.array([each.position() for each in holdings]).T
        weights = getattr(written, "py_func", written)(x, Positions(*(row.copy() for row in held)))
        given = dict(zip((each.book.symbol for each in holdings), weights, strict=True))
        return [(holding, float(given[holding.book.symbol])) for holding, _ in present]
    ((holding, bar),) = present
    written = strategy.decide
    values = {name: float(column[bar]) for name, column in holding.columns.items()}
    if any(math.isnan(value) for value in values.values()):
        return []
    x = strategy.inputs()(**values)
    takes_position = written.__code__.co_argcount == 2
    return [(holding, float(written(x, holding.position()) if takes_position else written(x)))]


def _features(of: Backtest, book: Book) -> dict[str, Any]:
    delay = of.terms.delay_bars
    columns = {name: spec.batch(book.bars) for name, spec in of.strategy.feature_specs().items()}
    late = np.full(delay, np.nan)
    return {name: np.concatenate((late, column[: len(column) - delay])) for name, column in columns.items()}


def _opens(book: Book, terms: Any) -> Any:
    return book.open if terms.fill == "next_open" else np.concatenate((book.open[:1], book.close[:-1]))
