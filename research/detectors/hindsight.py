"""Would somebody without the future have sent the same orders?  The backtest itself is run again without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from data.errors import SlipwayError
from execution.strategy import Portfolio, Strategy
from research.backtest import Backtest, run_backtest
from research.detectors.histories import FUTURES, Future, History, frame_of, moment

_DECIDED: Final = ["symbol", "bar_ts_utc", "side", "qty", "target"]


@dataclass(frozen=True, slots=True)
class ChangedOrder:
    """An order decided before a bar that what came after the bar changed."""

    symbol: str
    ts_us: int
    known: str
    otherwise: str
    future: str
    cuts: int
    """after how many bars the orders before them changed"""
    of: int

    def evidence(self) -> str:
        """One sentence."""
        at = f"at {moment(self.ts_us)} UTC on {self.symbol}"
        told = f"{at} the backtest sends {self.known}, but {self.otherwise} {self.future}"
        return f"{told}; orders changed at {self.cuts} of {self.of} such bars"


def changed_orders(
    strategy: Strategy | Portfolio, done: Backtest, history: History, instants: Sequence[int]
) -> ChangedOrder | None:
    """The first order that changes when the future of these instants does; `done` is the backtest of all bars."""
    found: list[tuple[int, Future, int, str, str, str]] = []
    for instant in instants:
        for future in FUTURES[:2]:
            told = _told(history, future, instant)
            if not all(len(bars) for bars in told.values()):
                continue  # who lists later is part of the universe, and has its share of the capital, all the same
            known, otherwise = _before(done, instant), _orders(strategy, told, instant)
            if otherwise is not None and not known.equals(otherwise):
                found.append((instant, future, *_first(known, otherwise)))
    if not found:
        return None
    instant, future, ts_us, symbol, known_as, other = found[len(found) // 2]
    return ChangedOrder(
        symbol, ts_us, known_as, other, future.said.format(moment(instant)),
        len({each[0] for each in found}), len(instants),
    )  # fmt: skip


def _told(history: History, future: Future, instant: int) -> History:
    return {
        symbol: future.told(bars, int(np.searchsorted(bars.ts_us, instant, side="right")))
        for symbol, bars in history.items()
    }


def _orders(strategy: Strategy | Portfolio, history: History, instant: int) -> pl.DataFrame | None:
    """None where the rule refuses such a future, which says nothing about the past."""
    try:
        return _before(run_backtest(strategy, frame_of(history)), instant)
    except SlipwayError:
        return None


def _before(done: Backtest, instant: int) -> pl.DataFrame:
    decided = done.orders.filter(pl.col("bar_ts_utc").dt.epoch("us") <= instant)
    return decided.select(_DECIDED).sort("bar_ts_utc", "symbol")


def _first(known: pl.DataFrame, otherwise: pl.DataFrame) -> tuple[int, str, str, str]:
    """(when, symbol, what was known to be decided, what otherwise) of the first order that differs."""
    left, right = known.rows(named=True), otherwise.rows(named=True)
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    ours, theirs = left[same : same + 1], right[same : same + 1]
    at, symbol = min((each["bar_ts_utc"], each["symbol"]) for each in ours + theirs)
    here = [
        [each for each in side if (each["bar_ts_utc"], each["symbol"]) == (at, symbol)]
        for side in (ours, theirs)
    ]
    return round(at.timestamp() * 1e6), symbol, _said(here[0]), _said(here[1])


def _said(orders: list[dict[str, object]]) -> str:
    return " and ".join(f"a {each['side']} of {each['qty']:g}" for each in orders) or "no order"
