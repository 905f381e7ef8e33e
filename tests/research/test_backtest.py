"""A backtest trades exactly as the contract says, and as a naive second writing of it does."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from data.orders import ORDER_SCHEMA
from execution.strategy import CostModel, Strategy, atr, constant, param, price, rsi, sma
from research import backtest
from research.oracle import check
from research.strategies.crossover import Crossover
from research.trades import TRADE_SCHEMA

Walk = Callable[..., pl.DataFrame]


class Follow(Strategy):
    """The target is the volume column: tests write decisions straight into the bars."""

    def features(self) -> Any:
        return {"wanted": price("volume")}

    @staticmethod
    def decide(x: Any) -> float:
        return x.wanted


class Trailing(Strategy):
    """Long and short, scaling in, with a stop and a trailing exit: everything a position knows is used."""

    period = param(14, low=2, high=60)
    stop = param(0.01, low=0.0001, high=1.0)

    def features(self) -> Any:
        return {
            "close": price("close"),
            "strength": rsi("close", self.period),
            "range": atr(self.period),
            "stop": constant(self.stop),
        }

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        if position.size > 0.0 and (
            position.open_profit < -x.stop
            or x.close < position.peak - 3.0 * x.range
            or position.bars_held > 40.0
        ):
            return 0.0
        if position.size < 0.0 and (
            position.open_profit < -x.stop or x.close > position.peak + 3.0 * x.range
        ):
            return 0.0
        if x.strength < 30.0:
            return 0.9 if position.open_profit > 0.0 else 0.5
        if x.strength > 70.0:
            return -0.7
        return math.nan


def frame_of(rows: list[tuple[float, float, float]], symbol: str = "AAA") -> pl.DataFrame:
    """(open, close, wanted target) per minute."""
    first = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    opens, closes, wanted = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(rows),
            "ts_utc": pl.Series([first + timedelta(minutes=n) for n in range(len(rows))]).dt.cast_time_unit(
                "us"
            ),
            "open": opens,
            "high": [max(a, b) for a, b in zip(opens, closes, strict=True)],
            "low": [min(a, b) for a, b in zip(opens, closes, strict=True)],
            "close": closes,
            "volume": wanted,
        }
    )


@pytest.mark.full
def test_an_order_is_sized_at_the_close_and_filled_at_the_next_open() -> None:
    bars = frame_of([(10.0, 11.0, 1.0), (12.0, 13.0, 1.0), (14.0, 15.0, 0.0), (16.0, 17.0, 1.0)])
    done = backtest(Follow(), bars, capital=1000.0, costs=CostModel(slippage_bps=100.0, commission_min=2.0))
    ts = bars["ts_utc"]
    bought = 90.0  # 1000 / 11, whole shares
    assert done.orders.rows() == [
        ("AAA", ts[0], "buy", bought, 1.0, ts[1], pytest.approx(12.12), 2.0),
        ("AAA", ts[2], "sell", bought, 0.0, ts[3], pytest.approx(15.84), 2.0),
        ("AAA", ts[3], "buy", 78.0, 1.0, None, None, None),  # (1000 - 90×12.12 - 2 + 90×15.84 - 2) / 17
    ]
    cash = 1000.0 - 90 * 12.12 - 2.0
    assert done.equity["equity"].to_list() == pytest.approx(
        [1000.0, cash + 90 * 13, cash + 90 * 15, cash + 90 * 15.84 - 2.0]
    )
    trade = done.trades.row(0, named=True)
    assert trade["profit"] == pytest.approx(90 * (15.84 - 12.12) - 4.0)
    assert (trade["side"], trade["entry_ts_utc"], trade["exit_ts_utc"]) == ("long", ts[1], ts[3])
    assert done.statistics["trades"] == 1
    assert done.statistics["win_rate"] == 1.0
    assert done.statistics["exposure"] == 0.5
    assert done.statistics["commission"] == 4.0
    assert done.statistics["slippage"] == pytest.approx(90 * (0.12 + 0.16))


def test_only_a_change_of_target_trades_and_nan_changes_nothing() -> None:
    wanted = [1.0, 1.0, math.nan, 1.0, math.nan, 0.0, 0.0]
    done = backtest(Follow(), frame_of([(10.0, 10.0 + n, w) for n, w in enumerate(wanted)]), capital=1000.0)
    assert done.orders["target"].to_list() == [1.0, 0.0]


def test_a_target_too_small_for_a_lot_is_no_order_and_is_not_asked_again() -> None:
    done = backtest(
        Follow(), frame_of([(10.0, 10.0, 0.005), (10.0, 1.0, 0.005), (1.0, 1.0, 0.005)]), capital=1000.0
    )
    assert done.orders.is_empty()
    assert done.trades.is_empty()
    assert done.statistics["trades"] == 0
    assert done.statistics["sharpe"] is None


def test_a_gap_may_take_cash_below_zero() -> None:
    done = backtest(
        Follow(), frame_of([(10.0, 10.0, 1.0), (20.0, 20.0, 1.0)]), capital=1000.0, costs=CostModel(0.0)
    )
    assert done.orders["qty"].to_list() == [100.0]
    assert done.equity["equity"].to_list() == [1000.0, 1000.0]  # 100 × 20 bought with 1000: a debt of 1000


def test_each_symbol_is_a_book_of_its_own(walk: Walk) -> None:
    one, other = walk("AAA", 800, 1), walk("BBB", 700, 2)
    both = backtest(Crossover(fast=5, slow=20), pl.concat([other, one]), capital=50_000.0)
    assert both.symbols == ("AAA", "BBB")
    alone = [backtest(Crossover(fast=5, slow=20), bars, capital=25_000.0) for bars in (one, other)]
    assert both.orders.equals(pl.concat([each.orders for each in alone]))
    last = sum(each.equity["equity"][-1] for each in alone)
    assert both.equity["equity"][-1] == pytest.approx(last, rel=1e-14)
    assert len(both.equity) == 800
    assert both.statistics["trades"] == sum(each.statistics["trades"] for each in alone)


def test_bars_before_trade_from_only_warm_up(walk: Walk) -> None:
    bars = walk(bars=1200)
    start = bars["ts_utc"][390]
    whole = backtest(Crossover(fast=5, slow=50), bars, trade_from=start)
    cold = backtest(Crossover(fast=5, slow=50), bars.filter(pl.col("ts_utc") >= start))
    assert whole.equity["ts_utc"][0] == cold.equity["ts_utc"][0] == start
    assert whole.orders["bar_ts_utc"][0] < cold.orders["bar_ts_utc"][0]
    assert backtest(Crossover(), bars, trade_from=start.date()).equity["ts_utc"][0] == start


@pytest.mark.full
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    period=st.integers(2, 30),
    rate=st.sampled_from([0.0, 1.5]),
    minimum=st.sampled_from([0.0, 1.0]),
    lot=st.sampled_from([1.0, 10.0, 0.5]),
)
def test_the_pass_does_what_the_naive_reference_does(
    walk: Walk, seed: int, period: int, rate: float, minimum: float, lot: float
) -> None:
    bars = pl.concat([walk("AAA", 500, seed, volatility=0.01), walk("BBB", 400, seed + 1, volatility=0.01)])
    costs = CostModel(2.0, rate, minimum)
    done = backtest(Trailing(period=period), bars, costs=costs, lot=lot, trade_from=bars["ts_utc"][30])
    verdict = check(done, "reference")
    assert verdict.orders == len(done.orders)
    assert verdict.differences == ()
    profits = done.trades["profit"].drop_nulls()
    assert done.statistics["trades"] == len(profits)
    if len(profits):
        assert done.statistics["win_rate"] == (profits > 0.0).mean()


def test_the_reference_is_not_blind(walk: Walk) -> None:
    done = backtest(Trailing(), walk(volatility=0.01))
    assert len(done.orders) > 10
    wrong = done.orders.with_columns(pl.col("qty") + 1.0)
    from dataclasses import replace

    assert not check(replace(done, orders=wrong), "reference").agrees
    assert not check(replace(done, statistics=done.statistics | {"sharpe": 1.0}), "reference").agrees


def with_one(bars: pl.DataFrame, name: str, value: float) -> pl.DataFrame:
    """The same bars, the eleventh with this value."""
    return bars.with_columns(pl.when(pl.int_range(pl.len()) == 10).then(value).otherwise(name).alias(name))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda bars: bars.clear(), "there are no bars to trade on"),
        (lambda bars: bars.drop("close"), "the bars have no column 'close'"),
        (lambda bars: pl.concat([bars, bars.head(1)]), "AAA has two bars with one timestamp"),
        (lambda bars: bars.with_columns(close=None), "the bars have empty prices"),
        (lambda bars: bars.to_dicts(), "the bars are a list, not a polars frame"),
        (lambda bars: bars.cast({"ts_utc": pl.String}), "the bars' ts_utc is String, not a point in time"),
        (
            lambda bars: with_one(bars, "open", math.nan),
            r"the open of AAA at .* UTC is nan, at which nobody trades",
        ),
        (lambda bars: with_one(bars, "low", 0.0), r"the low of AAA at .* UTC is 0, at which nobody trades"),
        (lambda bars: with_one(bars, "close", math.inf), r"the close of AAA at .* UTC is inf"),
        (
            lambda bars: bars.with_columns(volume=math.inf),
            "an infinite target for AAA at 2026-01-05 14:30 UTC",
        ),
    ],
)
def test_bars_that_cannot_be_traded_are_refused(spoil: Any, says: str, walk: Walk) -> None:
    with pytest.raises(UsageError, match=says):
        backtest(Follow(), spoil(walk(bars=50)))


def test_one_bar_is_a_backtest_without_orders(walk: Walk) -> None:
    done = backtest(Crossover(), walk(bars=1))
    assert done.orders.is_empty()
    assert done.statistics["total_return"] == 0.0
    with pytest.raises(UsageError, match=r"AAA has no bars from 2030-01-01 on"):
        backtest(Crossover(), walk(bars=1), trade_from=datetime(2030, 1, 1, tzinfo=UTC).date())


@pytest.mark.full
def test_averages_of_equal_length_never_trade(walk: Walk) -> None:
    class Same(Crossover):
        def features(self) -> Any:
            return {"fast": sma("close", 20), "slow": sma("close", 20)}

    assert backtest(Same(), walk()).orders.is_empty()


@pytest.mark.parametrize("wanted", [0.0, 1.0], ids=["no order", "an order that never fills"])
def test_orders_and_trades_have_their_columns_where_there_are_none(walk: Walk, wanted: float) -> None:
    bars = walk(bars=3).with_columns(volume=pl.Series([0.0, 0.0, wanted]))
    done = backtest(Follow(), bars)
    assert (done.orders.schema, done.trades.schema) == (ORDER_SCHEMA, TRADE_SCHEMA)
    assert (len(done.orders), len(done.trades)) == (wanted, 0)


@pytest.mark.full
def test_a_decide_that_raises_says_at_which_bar_and_on_what(walk: Walk) -> None:
    class Divides(Follow):
        @staticmethod
        def decide(x: Any) -> float:
            return 1.0 / x.wanted

    bars = walk(bars=100).with_row_index("n").with_columns(volume=pl.col("n") - 90.0).drop("n")
    says = r"raised ZeroDivisionError: .* for AAA at 2026-01-05 16:00 UTC \(bar 90\), where x.wanted = 0"
    with pytest.raises(UsageError, match=says):
        backtest(Divides(), bars)
