"""One strategy on one symbol: its own cash, shares and features, and what it wants next.

A book is the incremental twin of the backtest: the same decider, the same arithmetic, in the same order.
"""

import math
from collections.abc import Iterable

import polars as pl

from data.bar import Bar, bars_of
from data.instruments import usual_calendar
from execution.core.intents import Intent, client_order_id
from execution.strategy import FLAT, Decider, Strategy
from execution.strategy.position import position_after_fill, position_at_close
from execution.strategy.sizing import apply_fill, book_equity, order_quantity

LOT = 1.0  # whole shares


class Book:
    """Start and restart are the same: warm up on history, fold what happened since, continue."""

    def __init__(
        self,
        account: str,
        artifact_hash: str,
        strategy_name: str,
        symbol: str,
        strategy: Strategy,
        capital: float,
    ) -> None:
        self.account = account
        self.artifact_hash = artifact_hash
        self.strategy_name = strategy_name
        self.symbol = symbol
        self.capital = capital
        self.cash = capital
        self.shares = 0.0
        self.position = FLAT
        self.target = 0.0
        self.last_bar_us = 0
        self.last_close = math.nan
        self.in_flight: dict[str, float] = {}  # coid -> signed shares sent and not yet filled
        self._decider = Decider(strategy, usual_calendar(symbol))

    def warm(self, history: pl.DataFrame) -> None:
        """Compute features over finished bars on which nothing may be decided."""
        self._decider.warm(history)
        if not history.is_empty():
            self.last_bar_us = int(history["ts_utc"].dt.epoch("us")[-1])
            self.last_close = float(history["close"][-1])

    def recover(
        self, bars: pl.DataFrame, timeframe: str, fills: Iterable[tuple[int, float, float, float]]
    ) -> None:
        """Live through bars already traded: what was decided then is decided again, nothing is sent.

        `fills` are (bar_ts_us, signed quantity, price, commission) in the order in which they happened.
        """
        waiting = list(fills)
        for bar in bars_of(bars, timeframe):
            while waiting and waiting[0][0] <= bar.ts_us:
                self.on_fill(*waiting.pop(0)[1:])
            self._advance(bar)
        for fill in waiting:
            self.on_fill(*fill[1:])

    def on_fill(self, signed_qty: float, price: float, commission: float, coid: str | None = None) -> None:
        """The market gave us shares."""
        self.cash, self.shares = apply_fill(self.cash, self.shares, signed_qty, price, commission)
        self.position = position_after_fill(self.position, signed_qty, price)
        if coid in self.in_flight:
            left = self.in_flight[coid] - signed_qty
            if left == 0.0:
                del self.in_flight[coid]
            else:
                self.in_flight[coid] = left

    def on_order_ended(self, coid: str) -> None:
        """The order will fill no more."""
        self.in_flight.pop(coid, None)

    def on_bar(self, bar: Bar, decided_at_us: int) -> Intent | None:
        """What to send after this finished bar; only a change of target trades."""
        if bar.ts_us <= self.last_bar_us:
            return None  # told twice
        if not self._advance(bar):
            return None
        equity = book_equity(self.cash, self.shares, bar.close)
        held = self.shares + sum(self.in_flight.values())
        quantity = order_quantity(self.target, equity, bar.close, held, LOT)
        if quantity == 0.0:
            return None
        coid = client_order_id(self.account, self.artifact_hash, self.strategy_name, self.symbol, bar.ts_us)
        self.in_flight[coid] = quantity
        return Intent(
            coid=coid,
            account=self.account,
            artifact_hash=self.artifact_hash,
            strategy=self.strategy_name,
            symbol=self.symbol,
            side="buy" if quantity > 0 else "sell",
            qty=abs(quantity),
            target=self.target,
            bar_ts_us=bar.ts_us,
            reference_price=bar.close,
            decided_at_us=decided_at_us,
        )

    def _advance(self, bar: Bar) -> bool:
        """Take in a bar; True when it changed the target."""
        self.last_bar_us, self.last_close = bar.ts_us, bar.close
        self.position = position_at_close(self.position, bar.close)
        target = self._decider.on_bar(
            bar.open, bar.high, bar.low, bar.close, bar.volume, self.position, bar.ts_us
        )
        if math.isnan(target) or target == self.target:
            return False
        self.target = target
        return True
