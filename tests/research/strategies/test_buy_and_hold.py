"""The baseline buys once."""

from collections.abc import Callable

import polars as pl

from research import backtest
from research.strategies.buy_and_hold import BuyAndHold

Walk = Callable[..., pl.DataFrame]


def test_it_buys_on_the_first_bar_and_never_trades_again(walk: Walk) -> None:
    bars = walk(bars=200)
    orders = backtest(BuyAndHold(weight=0.5), bars, capital=100_000.0).orders
    assert len(orders) == 1
    assert orders["bar_ts_utc"][0] == bars["ts_utc"][0]
    assert orders["qty"][0] == int(50_000 / bars["close"][0])
