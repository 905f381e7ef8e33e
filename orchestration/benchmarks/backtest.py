"""One backtest in full, orders and trades written down, against those who also go bar by bar; and one decision.

A dual moving average of 20 and 100 minutes, decided on the close and filled at the next open.  Each contestant hands
out what its users look at: orders, trades, the equity curve and the same handful of statistics.  Our rules come from
source text, as a user's would: none of them is in the library.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from execution.strategy import Decider, Strategy, load_strategy
from orchestration.benchmarks.contest import Contestant, Timed, alternate
from orchestration.benchmarks.peers import peer
from research.backtest import backtest
from research.benchmarks.market import random_market

FAST: Final = 20
SLOW: Final = 100
SLIPPAGE: Final = 1e-4  # CostModel's default, as a fraction
CAPITAL: Final = 100_000.0
SLOW_PEER_BARS: Final = 200_000
"""What backtesting.py gets: it takes seconds for these, and its time is proportional to them."""

_SOURCE: Final = """
from execution.strategy import Strategy, sma


class {name}(Strategy):
    def features(self):
        return {{"fast": sma("close", 20), "slow": sma("close", 100)}}

    @staticmethod
    def decide({arguments}):
        return 1.0 if x.fast > x.slow else 0.0
"""

_FIVE_FEATURES: Final = """
from execution.strategy import Strategy, atr, price, rsi, sma


class Five(Strategy):
    def features(self):
        return {
            "close": price("close"),
            "fast": sma("close", 20),
            "slow": sma("close", 100),
            "strength": rsi("close", 14),
            "range": atr(14),
        }

    @staticmethod
    def decide(x, position):
        if x.close < x.fast - 2.0 * x.range or position.open_profit < -0.02:
            return 0.0
        return 1.0 if x.fast > x.slow and x.strength < 70.0 else 0.0
"""


def compare_backtests(bars: int, rounds: int) -> Iterator[Timed]:
    """Ours of both kinds, vectorbt's from_order_func and backtesting.py, each warm."""
    theirs = peer("backtesting", "backtesting.py", "./slipway bench backtest")  # before a minute is spent
    market = random_market(bars)
    free = load_strategy(_SOURCE.format(name="Averages", arguments="x"))()
    seeing = load_strategy(_SOURCE.format(name="SeeingAverages", arguments="x, position"))()
    few = market.head(min(bars, SLOW_PEER_BARS))
    contestants: list[tuple[str, Callable[[pl.DataFrame], Callable[[], object]], pl.DataFrame]] = [
        ("slipway, decide(x)", lambda given: _ours(free, given), market),
        ("slipway, decide(x, position)", lambda given: _ours(seeing, given), market),
        ("vectorbt, from_order_func", _vectorbt, market),
        ("backtesting.py", lambda given: _backtesting(theirs, given), few),
    ]
    for _, made, _ in contestants:
        made(market.head(2000))()  # compile and import outside the measurement
    yield from alternate(
        [
            Contestant("one backtest", name, made(given), len(given), share=len(given) / bars)
            for name, made, given in contestants
        ],
        rounds,
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """How long a running engine takes from a finished bar to its target."""

    features: int
    bars: int
    p50_us: float
    p99_us: float


def time_decision(bars: int = 20_000) -> Decision:
    """One bar at a time through five features and `decide`."""
    strategy: Strategy = load_strategy(_FIVE_FEATURES)()
    decider = Decider(strategy)
    market = random_market(bars)
    rows = list(market.select("open", "high", "low", "close", "volume").iter_rows())
    taken = []
    for row in rows:
        started = time.perf_counter_ns()
        decider.on_bar(*row)
        taken.append(time.perf_counter_ns() - started)
    p50, p99 = (float(np.percentile(taken, at)) / 1e3 for at in (50, 99))
    return Decision(len(strategy.feature_specs()), bars, p50, p99)


def _ours(strategy: Strategy, market: pl.DataFrame) -> Callable[[], object]:
    return lambda: backtest(strategy, market, capital=CAPITAL, record=False)


def _vectorbt(market: pl.DataFrame) -> Callable[[], object]:
    import pandas as pd
    import vectorbt as vbt
    from vectorbt.portfolio import nb
    from vectorbt.portfolio.enums import NoOrder, SizeType

    index = pd.DatetimeIndex(market["ts_utc"].to_numpy())
    close = pd.Series(market["close"].to_numpy(), index=index)
    open_ = market["open"].to_numpy()
    order = _order_function(nb, NoOrder, int(SizeType.TargetPercent))

    def run() -> object:
        fast, slow = (vbt.MA.run(close, window).ma.to_numpy() for window in (FAST, SLOW))
        portfolio = vbt.Portfolio.from_order_func(
            close, order, fast, slow, open_, init_cash=CAPITAL, freq=timedelta(minutes=1)
        )
        trades = portfolio.trades
        return (
            portfolio.orders.records, trades.records, portfolio.value(), portfolio.total_return(),
            portfolio.annualized_return(), portfolio.sharpe_ratio(), portfolio.sortino_ratio(),
            portfolio.max_drawdown(), trades.count(), trades.win_rate(),
        )  # fmt: skip

    return run


def _order_function(nb: Any, no_order: Any, target_percent: int) -> Any:
    import numba

    @numba.njit
    def order(context, fast, slow, open_):  # type: ignore[no-untyped-def]
        bar = context.i
        wanted = 1.0 if bar > 0 and fast[bar - 1] > slow[bar - 1] else 0.0
        if (wanted > 0.0) == (context.position_now > 0.0):
            return no_order
        return nb.order_nb(
            size=wanted, price=open_[bar], size_type=target_percent, slippage=SLIPPAGE, size_granularity=1.0
        )

    return order


def _backtesting(theirs: Any, market: pl.DataFrame) -> Callable[[], object]:
    import pandas as pd
    import talib

    frame = pd.DataFrame(
        {name.title(): market[name].to_numpy() for name in ("open", "high", "low", "close", "volume")},
        index=pd.DatetimeIndex(market["ts_utc"].to_numpy()),
    )

    class Averages(theirs.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(talib.SMA, self.data.Close, FAST)
            self.slow = self.I(talib.SMA, self.data.Close, SLOW)

        def next(self) -> None:
            above = self.fast[-1] > self.slow[-1]
            if above and not self.position:
                self.buy()
            elif not above and self.position:
                self.position.close()

    theirs.backtesting._tqdm = lambda bars, **_: bars  # no progress bar to pay for
    return lambda: theirs.Backtest(frame, Averages, cash=CAPITAL, spread=SLIPPAGE, finalize_trades=True).run()
