"""vectorbt, which shares no line with us, trades the same orders and finds the same statistics."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from execution.strategy import CostModel, Strategy, constant, param, price, sma
from research import backtest
from research.oracle import check
from research.strategies.crossover import Crossover

Walk = Callable[..., pl.DataFrame]

pytestmark = [
    pytest.mark.full,  # vectorbt takes seconds to import and to compile
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


class Levered(Crossover):
    """Sizes up and down by closing first, shorts without debt: what vectorbt can express."""

    weight = param(1.0, low=-2.0, high=2.0)

    def features(self) -> Any:
        return {**super().features(), "weight": constant(self.weight)}

    @staticmethod
    def decide(x: Any) -> float:
        return x.weight if x.fast > x.slow else 0.0


@pytest.mark.parametrize(
    "costs", [CostModel(0.0), CostModel(), CostModel(5.0, 2.0), CostModel(1.0, 0.0, 1.5)]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_orders_and_statistics_of_the_crossover_are_vectorbts(
    walk: Walk, seed: int, costs: CostModel
) -> None:
    bars = pl.concat([walk("AAA", 3000, seed), walk("BBB", 2500, seed + 10)])
    done = backtest(Crossover(fast=5, slow=20), bars, costs=costs, trade_from=bars["ts_utc"][100])
    verdict = check(done, "vectorbt")
    assert (verdict.oracle, verdict.why_not_vectorbt) == ("vectorbt", None)
    assert verdict.orders > 100
    assert set(verdict.statistics) == {
        "total_return",
        "sharpe",
        "sortino",
        "max_drawdown",
        "trades",
        "win_rate",
    }
    assert verdict.differences == ()
    assert check(done, "reference").agrees


@pytest.mark.parametrize("weight", [1.9, 0.5, -0.8])
def test_debt_leverage_and_shorts_are_vectorbts_too(walk: Walk, weight: float) -> None:
    done = backtest(Levered(fast=5, slow=20, weight=weight), walk(bars=3000, volatility=0.004))
    verdict = check(done, "vectorbt")
    assert (verdict.oracle, verdict.differences) == ("vectorbt", ())
    assert done.orders["target"].unique().sort().to_list() == sorted([0.0, weight])


def test_vectorbt_without_the_credit_line_would_trade_less(walk: Walk) -> None:
    """The gap case of the contract is real: bought at a higher open than it was sized at, cash goes below zero."""
    from research.oracle import _lowest_cash

    assert _lowest_cash(backtest(Crossover(fast=5, slow=20), walk(bars=3000))) < 0.0


def test_an_error_in_one_order_or_statistic_is_found(walk: Walk) -> None:
    from dataclasses import replace

    done = backtest(Crossover(fast=5, slow=20), walk())
    dearer = done.orders.with_columns(pl.col("fill_price") * (1.0 + 1e-7))
    assert not check(replace(done, orders=dearer), "vectorbt").agrees
    better = replace(done, statistics=done.statistics | {"max_drawdown": 0.0})
    assert [each.split(":")[0] for each in check(better, "vectorbt").differences] == ["max_drawdown"]


class Follow(Strategy):
    def features(self) -> Any:
        return {"wanted": price("volume"), "unused": sma("close", 2)}

    @staticmethod
    def decide(x: Any) -> float:
        return x.wanted


@pytest.mark.parametrize(
    ("targets", "costs", "why"),
    [
        ([1.0, 0.5], CostModel(), "rounds the order, not the remaining position"),
        ([1.0, 0.0], CostModel(1.0, 1.0, 1.0), "adds a commission's rate and minimum"),
        ([1.5, -0.5], CostModel(), "cannot go short in an account whose cash is below zero"),
    ],
)
def test_what_vectorbt_cannot_express_is_said_and_the_reference_answers(
    walk: Walk, targets: list[float], costs: CostModel, why: str
) -> None:
    bars = walk(bars=400).with_row_index("number")
    wanted = pl.when(pl.col("number") // 7 % 2 == 0).then(targets[0]).otherwise(targets[1])
    verdict = check(backtest(Follow(), bars.with_columns(volume=wanted), costs=costs), "vectorbt")
    assert why in (verdict.why_not_vectorbt or "")
    assert (verdict.oracle, verdict.differences) == ("reference", ())
