"""What a strategy decides bar by bar is what it decided in the backtest, restarts included."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live import live_orders, orders_of

from execution.strategy import (
    CostModel,
    Feature,
    Portfolio,
    Rule,
    Strategy,
    adx,
    bollinger,
    ema,
    lag,
    macd,
    minutes_to_close,
    param,
    price,
    roc,
    rolling_vwap,
    rsi,
    session_high,
    sma,
    stochastic,
    vwap,
    zscore,
)
from research import backtest
from research.strategies.breakout import Breakout
from research.strategies.buy_and_hold import BuyAndHold
from research.strategies.crossover import Crossover
from research.strategies.mean_reversion import MeanReversion
from research.strategies.momentum import Momentum
from research.strategies.pairs import Pairs
from research.strategies.rsi import Rsi
from research.strategies.volatility_target import VolatilityTarget

Walk = Callable[..., pl.DataFrame]
CAPITAL = 100_000.0
COSTS = CostModel(2.0, 1.0, 1.0)

CHOICES: dict[str, Callable[[int], Feature]] = {
    "sma": lambda n: sma("close", n),
    "ema": lambda n: ema("open", n),
    "late": lambda n: lag(price("high"), n),
    "band": lambda n: bollinger("close", n).lower,
    "vwap": lambda _: vwap(),
    "rolling": rolling_vwap,
    "high": lambda _: session_high(),
}
SCORES: dict[str, Callable[[int], Feature]] = {
    "rsi": lambda n: rsi("close", n),
    "adx": adx,
    "stochastic": lambda n: stochastic(n).k,
    "hours": lambda _: minutes_to_close(),
    "score": lambda n: zscore("close", n),
    "macd": lambda n: macd("close", n, n + 5).histogram,
}


class Composed(Strategy):
    """Whatever features the parameters name, under one compiled rule."""

    level = param("sma", choices=tuple(CHOICES))
    score = param("rsi", choices=tuple(SCORES))
    period = param(5, low=2, high=40)
    stop = param(0.01, low=0.0, high=1.0)

    def features(self) -> dict[str, Feature]:
        return {
            "close": price("close"),
            "level": CHOICES[self.level](self.period),
            "score": SCORES[self.score](self.period),
            "rise": roc("close", self.period),
        }

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        if position.size != 0.0 and (position.open_profit < -0.01 or x.close < position.peak * 0.98):
            return 0.0
        if x.close > x.level:
            return 0.5 if x.score > 25.0 else 1.0
        return -0.25 if x.rise < -0.002 or position.bars_held > 20.0 else float("nan")


class Spread(Portfolio):
    """Composed alike, over a universe."""

    level = param("sma", choices=tuple(CHOICES))
    score = param("rsi", choices=tuple(SCORES))
    period = param(5, low=2, high=40)

    def features(self) -> dict[str, Feature]:
        return {
            "close": price("close"),
            "level": CHOICES[self.level](self.period),
            "score": SCORES[self.score](self.period),
        }

    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        weights = np.full(x.close.size, np.nan)
        for symbol in range(x.close.size):
            if positions.size[symbol] != 0.0 and positions.open_profit[symbol] < -0.01:
                weights[symbol] = 0.0
            elif x.close[symbol] > x.level[symbol] and x.score[symbol] == x.score.max():
                weights[symbol] = 0.6
            elif x.close[symbol] < x.level[symbol]:
                weights[symbol] = -0.2
        return weights


def gappy(walk: Walk, seed: int, count: int) -> pl.DataFrame:
    """Twenty minutes a day, with bars and whole days missing; the last symbol lists half-way."""
    random = np.random.default_rng(seed)
    parts = []
    for number, symbol in enumerate(["AAA", "BBB", "CCC"][:count]):
        bars = walk(symbol, 360, seed + number, volatility=4e-3, per_day=20)
        days = bars["ts_utc"].dt.date()
        missing = [day for day in days.unique().sort() if random.random() < 0.2]
        kept = pl.Series(random.random(len(bars)) > 0.15) & ~days.is_in(missing)
        parts.append(bars.filter(kept).tail(160 if number == 2 else 400))
    return pl.concat(parts)


ANYTHING: dict[str, st.SearchStrategy[Any]] = {
    "level": st.sampled_from(list(CHOICES)),
    "score": st.sampled_from(list(SCORES)),
    "period": st.integers(2, 20),
}
KINDS: list[tuple[type[Rule], dict[str, st.SearchStrategy[Any]], int]] = [
    (BuyAndHold, {}, 2),
    (Crossover, {"fast": st.integers(2, 19), "slow": st.integers(20, 60)}, 2),
    (MeanReversion, {"period": st.integers(5, 40), "enter": st.floats(0.6, 2.0), "patience": st.integers(3, 40)}, 2),
    (Breakout, {"period": st.integers(10, 40), "span": st.integers(2, 20), "trail": st.floats(0.5, 5.0)}, 2),
    (Rsi, {"period": st.integers(2, 20), "oversold": st.floats(20.0, 50.0)}, 2),
    (VolatilityTarget, {"period": st.integers(10, 40), "target": st.floats(0.1, 1.0)}, 2),
    (Momentum, {"lookback": st.integers(1, 60), "hold": st.integers(1, 4), "top": st.integers(1, 2)}, 3),
    (Pairs, {"period": st.integers(10, 60), "enter": st.floats(0.003, 0.02)}, 2),
    (Composed, ANYTHING, 1),
    (Spread, ANYTHING, 3),
]  # fmt: skip
QUICK = {Crossover, Breakout, Composed, VolatilityTarget}


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "parameters", "symbols"),
    [
        pytest.param(*one, marks=[] if one[0] in QUICK else pytest.mark.full, id=one[0].__name__)
        for one in KINDS
    ],
)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31), restarts=st.sets(st.integers(0, 300), max_size=3))
def test_live_orders_are_the_backtests(
    kind: type[Any], parameters: Any, symbols: int, data: Any, seed: int, restarts: set[int], walk: Walk
) -> None:
    rule = kind(**{name: data.draw(values, name) for name, values in parameters.items()})
    bars = gappy(walk, seed, symbols)
    # Symbols that miss a day keep their weights beside the others' new ones.
    done = backtest(rule, bars, capital=CAPITAL, costs=COSTS, leverage=6.0)
    assert orders_of(done.orders) == live_orders(rule, bars, restarts, CAPITAL, COSTS)


@pytest.mark.full
@pytest.mark.parametrize(
    "kind", [kind for kind, _, _ in KINDS if kind is not BuyAndHold], ids=lambda kind: kind.__name__
)
def test_it_trades_in_this_market_at_all(kind: type[Any], walk: Walk) -> None:
    fitting = {MeanReversion: {"period": 20}, Momentum: {"lookback": 30, "hold": 2}, Pairs: {"period": 30}}
    more = {
        Breakout: {"period": 15},
        VolatilityTarget: {"period": 20, "target": 1.0},
        Crossover: {"slow": 20},
        Rsi: {"period": 5},
    }
    rule = kind(**{**fitting, **more}.get(kind, {}))
    symbols = dict((kind, symbols) for kind, _, symbols in KINDS)[kind]
    assert len(backtest(rule, gappy(walk, 1, symbols)).orders) > 3


def test_a_universe_may_begin_and_end_anywhere(walk: Walk) -> None:
    bars = gappy(walk, 7, 3)
    late = bars.filter(pl.col("symbol") == "CCC")["ts_utc"].min()
    early = bars.filter((pl.col("symbol") != "BBB") | (pl.col("ts_utc") < late + timedelta(days=2)))
    done = backtest(Spread(), early, capital=CAPITAL, costs=COSTS)
    assert orders_of(done.orders) == live_orders(Spread(), early, {5, 200}, CAPITAL, COSTS)
    assert {"AAA", "BBB", "CCC"} == set(done.orders["symbol"])
