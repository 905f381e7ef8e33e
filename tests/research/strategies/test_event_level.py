"""The real engine, gateway and exchange, bar by bar, send what the fused pass computed: the whole library."""

from typing import Any

import polars as pl
import pytest
from test_one_writing import CAPITAL, COSTS, Composed, Spread, Walk, gappy

from execution.rehearsal import rehearse_strategy
from execution.strategy import CostModel, Rule
from research import backtest
from research.parity import compare_orders
from research.strategies.breakout import Breakout
from research.strategies.buy_and_hold import BuyAndHold
from research.strategies.crossover import Crossover
from research.strategies.mean_reversion import MeanReversion
from research.strategies.momentum import Momentum
from research.strategies.pairs import Pairs
from research.strategies.rsi import Rsi
from research.strategies.volatility_target import VolatilityTarget

LIBRARY: list[tuple[type[Rule], dict[str, Any], int]] = [
    (BuyAndHold, {}, 2),
    (Crossover, {"fast": 5, "slow": 20}, 2),
    (MeanReversion, {"period": 20, "enter": 1.0}, 2),
    (Breakout, {"period": 15, "span": 5}, 2),
    (Rsi, {"period": 5, "oversold": 40.0}, 2),
    (VolatilityTarget, {"period": 20, "target": 1.0}, 2),
    (Momentum, {"lookback": 30, "hold": 2, "top": 2}, 3),
    (Pairs, {"period": 30, "enter": 0.005}, 2),
    (Composed, {}, 2),
    (Spread, {}, 3),
]


@pytest.mark.full
@pytest.mark.parametrize("costs", [CostModel(), COSTS], ids=["default", "dear"])
@pytest.mark.parametrize(
    ("kind", "parameters", "symbols"), LIBRARY, ids=lambda each: getattr(each, "__name__", "")
)
def test_the_engine_sends_what_research_computed(
    kind: Any, parameters: dict[str, Any], symbols: int, costs: CostModel, walk: Walk
) -> None:
    bars = gappy(walk, 1, symbols)
    rule = kind(**parameters)
    trade_from = bars["ts_utc"].dt.date().unique().sort()[3]
    done = backtest(
        rule, bars, capital=CAPITAL, costs=costs, leverage=6.0, trade_from=trade_from, record=False
    )
    sent = rehearse_strategy(
        rule, bars, done.symbols, capital=CAPITAL, costs=costs, timeframe="1m", trade_from=trade_from
    )
    parity = compare_orders(done.orders, sent)
    assert parity.holds, f"{parity}\n{parity.differences.head(5)}"
    assert parity.research_orders >= (2 if kind is BuyAndHold else 5)


def test_what_an_engine_never_sent_is_named(walk: Walk) -> None:
    bars = gappy(walk, 1, 1)
    done = backtest(Crossover(fast=5, slow=20), bars, capital=CAPITAL, record=False)
    other = rehearse_strategy(
        Crossover(fast=6, slow=20), bars, done.symbols, capital=CAPITAL, costs=CostModel(), timeframe="1m"
    )
    differences = compare_orders(done.orders, other).differences
    assert not differences.is_empty()
    assert set(differences["cause"]) <= {"missing", "extra", "timing", "quantity", "side"}
    assert isinstance(differences, pl.DataFrame)
