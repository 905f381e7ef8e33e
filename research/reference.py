"""A backtest written a second time, naively, only to be compared with: one bar at a time, plain Python, no numba.

It shares nothing with the kernel but the features and the Python text of `decide`; its arithmetic is its own.
"""

import math
from typing import Any, NamedTuple

from execution.strategy.position import Position
from research.backtest import Backtest
from research.passes.books import books_of


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
    equity: dict[str, list[float]]


def reference_backtest(of: Backtest) -> Reference:
    """Everything `of` was asked to do, done again."""
    orders: list[ReferenceOrder] = []
    curves: dict[str, list[float]] = {}
    costs, strategy = of.costs, of.strategy
    trade_from_us = of.equity["ts_utc"].dt.epoch("us")[0]
    written: Any = strategy.decide
    takes_position = written.__code__.co_argcount == 2
    for book in books_of(of.bars):
        names = list(strategy.feature_specs())
        columns = [spec.batch(book.bars) for spec in strategy.feature_specs().values()]
        make_inputs = strategy.inputs()
        cash, shares, last_target = of.capital / len(of.symbols), 0.0, 0.0
        entry = peak = held_bars = 0.0
        waiting: ReferenceOrder | None = None
        curve: list[float] = []
        for bar in range(len(book.bars)):
            if book.ts_us[bar] < trade_from_us:
                continue
            opened, closed = float(book.bars.open[bar]), float(book.bars.close[bar])
            if waiting is not None:
                qty = waiting.qty
                price = opened * (1 + costs.slippage_bps / 1e4 * math.copysign(1, qty))
                charged = costs.commission_bps > 0 or costs.commission_min > 0
                rate = abs(qty) * price * costs.commission_bps / 1e4
                fee = max(rate, costs.commission_min) if charged else 0.0
                if shares == 0 or shares * (shares + qty) < 0:
                    entry, peak, held_bars = price, price, 0.0
                elif abs(shares + qty) > abs(shares):
                    entry = (entry * shares + price * qty) / (shares + qty)
                cash -= qty * price + fee
                shares += qty
                orders.append(waiting._replace(price=price, commission=fee))
                waiting = None
            equity = cash + shares * closed
            curve.append(equity)
            if shares != 0:
                held_bars += 1
                peak = max(peak, closed) if shares > 0 else min(peak, closed)
                profit = math.copysign(1, shares) * (closed / entry - 1)
                held = Position(shares, entry, held_bars, profit, peak)
            else:
                held = Position()
            values = [float(column[bar]) for column in columns]
            if any(math.isnan(value) for value in values):
                continue
            x = make_inputs(**dict(zip(names, values, strict=True)))
            target = float(written(x, held) if takes_position else written(x))
            if math.isnan(target) or target == last_target:
                continue
            last_target = target
            qty = math.trunc(target * equity / closed / of.lot) * of.lot - shares
            if qty != 0:
                waiting = ReferenceOrder(book.symbol, int(book.ts_us[bar]), qty, target, None, None)
        if waiting is not None:
            orders.append(waiting)
        curves[book.symbol] = curve
    return Reference(orders, curves)
