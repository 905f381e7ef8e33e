"""Equity from fills and closes: a pure fold, for a line on the screen.  The books themselves are the ledger's."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.messages import EquityPoint

POINTS_MAX: Final = 600  # what a line a screen wide can show
_STEPS_S: Final = (60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400, 30 * 86_400)


@dataclass(frozen=True, slots=True)
class Trade:
    symbol: str
    at: datetime  # the bar in which it filled, or the instant where there are no bars
    qty: float  # negative: sold
    price: float
    commission: float


@dataclass(frozen=True, slots=True)
class Mark:
    symbol: str
    at: datetime
    close: float


def step_for(first: datetime, last: datetime) -> int:
    """The finest sampling that keeps the line below POINTS_MAX."""
    span_s = (last - first).total_seconds()
    return next((step for step in _STEPS_S if span_s / step <= POINTS_MAX), _STEPS_S[-1])


def curve(opening_cash: float, trades: Sequence[Trade], marks: Iterable[Mark]) -> list[EquityPoint]:
    """One point per instant that has a mark; a symbol without a mark yet is worth what was last paid for it."""
    cash = opening_cash
    shares: defaultdict[str, float] = defaultdict(float)
    price: dict[str, float] = {}
    points: list[EquityPoint] = []
    waiting = iter(trades)
    trade = next(waiting, None)
    by_instant: defaultdict[datetime, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_instant[mark.at].append(mark)
    # Fills count even where candles are missing: the line then moves from fill to fill.
    for at in sorted({*by_instant, *(t.at for t in trades)}):
        while trade is not None and trade.at <= at:
            cash -= trade.qty * trade.price + trade.commission
            shares[trade.symbol] += trade.qty
            price[trade.symbol] = trade.price
            trade = next(waiting, None)
        for mark in by_instant.get(at, ()):
            price[mark.symbol] = mark.close
        worth = sum(quantity * price[symbol] for symbol, quantity in shares.items())
        points.append(EquityPoint(ts_utc=at, equity=cash + worth, cash=cash))
    return points
