"""A portfolio's pass: one account over a universe, as the naive reference trades it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from data.instruments import ACTION_SCHEMA
from execution.strategy import CostModel, Portfolio, price, roc
from research import backtest
from research.oracle import check
from research.passes import prepare

Walk = Callable[..., pl.DataFrame]


class Strongest(Portfolio):
    """Half of the account each in the two symbols that rose most; the weakest is sold short."""

    def features(self) -> Any:
        return {"rise": roc("close", 15), "close": price("close")}

    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        weights = np.zeros(x.rise.size)
        for symbol in range(x.rise.size):
            better = 0
            for other in range(x.rise.size):
                if x.rise[other] > x.rise[symbol]:
                    better += 1
            if x.rise[symbol] != x.rise[symbol]:
                weights[symbol] = np.nan
            elif better < 2:
                weights[symbol] = 0.5
            elif better == x.rise.size - 1 and positions.open_profit[symbol] > -0.03:
                weights[symbol] = -0.4
        return weights


def universe(walk: Walk, seed: int, bars: int = 450) -> pl.DataFrame:
    """Four symbols: one with holes, one that lists late, one that ends early."""
    random = np.random.default_rng(seed)
    whole = walk("AAA", bars, seed, volatility=4e-3)
    holes = walk("BBB", bars, seed + 1, volatility=4e-3).filter(pl.Series(random.random(bars) > 0.2))
    late = walk("CCC", bars, seed + 2, volatility=4e-3).tail(bars // 2)
    early = walk("DDD", bars, seed + 3, volatility=4e-3).head(bars * 2 // 3)
    return pl.concat([whole, holes, late, early])


@pytest.mark.full
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    costs=st.sampled_from([CostModel(), CostModel(2.0, 1.0, 1.0, 300.0, 900.0)]),
    lot=st.sampled_from([1.0, 0.01]),
    fill=st.sampled_from(["next_open", "close"]),
    delay_bars=st.sampled_from([0, 2]),
)
def test_one_account_trades_as_the_reference_does(
    walk: Walk, seed: int, costs: CostModel, lot: float, fill: Any, delay_bars: int
) -> None:
    bars = universe(walk, seed)
    days = bars["ts_utc"].dt.date().unique().sort()
    actions = pl.DataFrame(
        [("AAA", days[1], "split", 2.0, None), ("BBB", days[1], "dividend", None, 0.4)],
        schema=ACTION_SCHEMA,
        orient="row",
    )
    done = backtest(
        Strongest(), bars, costs=costs, lot=lot, fill=fill, delay_bars=delay_bars, actions=actions
    )
    assert len(done.orders) > 20
    verdict = check(done, "reference")
    assert verdict.differences == ()
    last = done.books.group_by("symbol").agg(pl.col("equity").last())["equity"].sum()
    assert last - done.equity["equity"][-1] == pytest.approx(done.statistics["interest"], abs=1e-6)


def test_a_symbol_that_lists_half_way_is_not_traded_before(walk: Walk) -> None:
    bars = universe(walk, 3)
    first = bars.filter(pl.col("symbol") == "CCC")["ts_utc"].min()
    orders = backtest(Strongest(), bars).orders.filter(pl.col("symbol") == "CCC")
    assert len(orders) > 0
    assert orders["bar_ts_utc"].min() >= first + timedelta(minutes=15)


def test_a_sweep_of_portfolios_is_many_backtests(walk: Walk) -> None:
    bars = universe(walk, 5)
    prepared = prepare(Strongest, bars, [Strongest(), Strongest()])
    row = prepared.frame(prepared.run(slice(0, 2))).row(1, named=True)
    assert row == backtest(Strongest(), bars).statistics
    assert prepared.blocks(prepared.run(slice(0, 2))).counts.sum() == len(backtest(Strongest(), bars).equity)


class Greedy(Strongest):
    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        return np.full(x.rise.size, 0.9)


class Short(Strongest):
    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        return np.zeros(1)


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Greedy, "Greedy.allocate gave weights that add up to more than the account's leverage of 2"),
        (Short, "Short.allocate raised ValueError: it gave another number of weights than there are symbols"),
    ],
)
def test_weights_that_cannot_be_are_refused_with_their_instant(kind: Any, says: str, walk: Walk) -> None:
    with pytest.raises(UsageError, match=says):
        backtest(kind(), universe(walk, 1))
