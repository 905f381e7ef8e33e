"""Both passes trade as the naive reference does, whatever the account has to pay, and whichever tile it happens in."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from data.instruments import ACTION_SCHEMA
from execution.strategy import CostModel, Strategy, param, price, sma
from research import backtest
from research.oracle import check
from research.passes import prepare
from research.passes.kernel import TILE

Walk = Callable[..., pl.DataFrame]


class Wanted(Strategy):
    """The target is volume × high, which no split changes: tests write decisions straight into the bars."""

    def features(self) -> Any:
        return {"wanted": price("volume"), "unit": price("high")}

    @staticmethod
    def decide(x: Any) -> float:
        return x.wanted * x.unit


class WantedSeeing(Wanted):
    """The same rule through the pass that looks at the position."""

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        return x.wanted * x.unit


class Pair(Strategy):
    fast = param(5, low=2, high=60)
    slow = param(20, low=3, high=240)

    def features(self) -> Any:
        return {"fast": sma("close", self.fast), "slow": sma("close", self.slow)}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.0 if x.fast > x.slow else -0.5


def wishes(bars: pl.DataFrame, seed: int, changes: int) -> pl.DataFrame:
    """Random targets in the volume, held for a while, NaN now and then."""
    random = np.random.default_rng(seed)
    at = np.sort(random.integers(0, len(bars), changes))
    levels = random.choice([0.0, 1.0, 0.4, -0.6, -1.0, 1.7, math.nan], changes + 1)
    held = levels[np.searchsorted(at, np.arange(len(bars)), side="right")]
    held[random.random(len(bars)) < 0.1] = math.nan
    return bars.with_columns(volume=pl.Series(held), high=pl.lit(1.0))


def actions_of(*rows: tuple[str, date, str, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")


ANYTHING = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**31),
        "changes": st.integers(0, 60),
        "bars": st.sampled_from([1, 2, 7, TILE - 1, TILE, TILE + 1, 2 * TILE + 65]),
        "costs": st.sampled_from(
            [
                CostModel(),
                CostModel(0.0),
                CostModel(2.0, 1.0, 1.0, 300.0, 900.0),
                CostModel(0.0, 0.0, 0.0, 50.0),
            ]
        ),
        "lot": st.sampled_from([1.0, 10.0, 0.01]),
        "fill": st.sampled_from(["next_open", "close"]),
        "delay_bars": st.sampled_from([0, 1, 3]),
    }
)


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_whatever_is_wanted_both_passes_do_what_the_reference_does(walk: Walk, asked: dict[str, Any]) -> None:
    bars = wishes(
        walk("AAA", asked.pop("bars"), asked["seed"], volatility=5e-3),
        asked.pop("seed"),
        asked.pop("changes"),
    )
    days = bars["ts_utc"].dt.date().unique().sort()
    splits = actions_of(
        ("AAA", days[-1], "split", 2.0, None),
        ("AAA", days[len(days) // 2], "dividend", None, 0.7),
        ("AAA", days[len(days) // 3], "split", 1 / 3, None),
    )
    free = backtest(Wanted(), bars, actions=splits, **asked)
    verdict = check(free, "reference")
    assert verdict.differences == ()
    assert verdict.orders == len(free.orders)
    seeing = backtest(WantedSeeing(), bars, actions=splits, **asked)
    assert seeing.orders.equals(free.orders)
    assert seeing.equity.equals(free.equity)
    # The passes cut the same stretches at the same bars, but for those on which nothing was wanted.
    for name, value in free.statistics.items():
        assert seeing.statistics[name] == (None if value is None else pytest.approx(value, rel=1e-12)), name


@pytest.mark.full
def test_blocks_add_up_to_the_whole(walk: Walk) -> None:
    bars = walk("AAA", 3000, 3)
    sets = [Pair(fast=fast, slow=slow) for fast in (3, 5) for slow in (20, 40)]
    prepared = prepare(Pair, bars, sets, blocks=7)
    tallies = prepared.run(slice(0, 4))
    blocks = prepared.blocks(tallies)
    assert blocks.counts.sum() == 3000
    assert len(blocks.counts) == 7
    for number, each in enumerate(sets):
        equity = backtest(each, bars).equity["equity"].to_numpy()
        returns = equity / np.concatenate(([100_000.0], equity[:-1])) - 1.0
        parts = np.split(returns, np.cumsum(blocks.counts[:-1]).astype(int))
        assert blocks.totals[number] == pytest.approx([part.sum() for part in parts], rel=1e-9, abs=1e-14)
        assert blocks.squares[number] == pytest.approx([(part**2).sum() for part in parts], rel=1e-9)


def test_sets_do_not_disturb_each_other(walk: Walk) -> None:
    bars = pl.concat([walk("AAA", 2500, 5), walk("BBB", 2100, 6)])
    sets = [Pair(fast=fast, slow=slow) for fast in range(3, 9) for slow in (20, 33, 40)]
    prepared = prepare(Pair, bars, sets)
    whole = prepared.run(slice(0, len(sets)))
    one_by_one = np.concatenate([prepared.run(slice(number, number + 1)) for number in range(len(sets))])
    assert np.array_equal(whole, one_by_one)


def minutes(opens: list[float], closes: list[float], wanted: list[float], *, per_day: int) -> pl.DataFrame:
    first = datetime.combine(date(2026, 1, 5), time(14, 30), UTC)
    stamps = [first + timedelta(days=bar // per_day, minutes=bar % per_day) for bar in range(len(opens))]
    return pl.DataFrame(
        {
            "symbol": "AAA", "ts_utc": stamps, "open": opens, "high": 1.0, "low": opens, "close": closes,
            "volume": wanted,
        },
        schema_overrides={"ts_utc": pl.Datetime("us", "UTC")},
    )  # fmt: skip


def test_borrowed_shares_cost_their_fee_for_every_night() -> None:
    """100 shares short at 10 over one night: 1000 × 365 bps / 365 nights = 0.10."""
    bars = minutes([10.0] * 4, [10.0] * 4, [-1.0] * 4, per_day=2)
    done = backtest(Wanted(), bars, capital=1000.0, costs=CostModel(0.0, borrow_bps=365.0))
    assert done.equity["equity"].to_list() == pytest.approx([1000.0, 1000.0, 999.9, 999.9], abs=1e-12)
    assert done.statistics["borrow"] == pytest.approx(0.1)


def test_a_debt_costs_interest_over_a_weekend_as_over_three_nights() -> None:
    bars = minutes([10.0] * 3, [10.0] * 3, [2.0] * 3, per_day=2).with_columns(
        ts_utc=pl.Series(
            [datetime(2026, 1, 9, 15, 0), datetime(2026, 1, 9, 15, 1), datetime(2026, 1, 12, 15, 0)]
        )
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
    )
    done = backtest(Wanted(), bars, capital=1000.0, costs=CostModel(0.0, interest_bps=365.0))
    assert done.equity["equity"].to_list() == pytest.approx([1000.0, 1000.0, 999.7], abs=1e-12)
    assert done.statistics["interest"] == pytest.approx(0.3)


def test_a_split_changes_the_shares_and_not_what_they_are_worth() -> None:
    bars = minutes([10.0, 10.0, 5.0, 5.0], [10.0, 10.0, 5.0, 5.0], [1.0, 1.0, 1.0, 0.0], per_day=2)
    split = actions_of(("AAA", date(2026, 1, 6), "split", 2.0, None))
    done = backtest(Wanted(), bars, capital=1000.0, costs=CostModel(0.0), actions=split)
    assert done.equity["equity"].to_list() == [1000.0] * 4
    assert done.orders["qty"].to_list() == [100.0, 200.0]
    assert (
        backtest(Wanted(), bars, capital=1000.0, costs=CostModel(0.0)).equity["equity"].to_list()[-1] == 500.0
    )


def test_a_round_trip_spans_a_split() -> None:
    closes = [10.0, 10.0, 6.0, 6.0, 6.0]
    bars = minutes(closes, closes, [1.0, 1.0, 1.0, 0.0, 0.0], per_day=2)
    split = actions_of(("AAA", date(2026, 1, 6), "split", 2.0, None))
    trade = backtest(Wanted(), bars, capital=1000.0, costs=CostModel(0.0), actions=split).trades.row(
        0, named=True
    )
    assert (trade["qty"], trade["entry_price"], trade["exit_price"], trade["profit"]) == (
        200.0,
        5.0,
        6.0,
        200.0,
    )


def test_a_dividend_is_paid_to_who_held_overnight_and_by_who_was_short() -> None:
    bars = minutes([10.0] * 3, [10.0] * 3, [1.0] * 3, per_day=2)
    paid = actions_of(("AAA", date(2026, 1, 6), "dividend", None, 0.5))
    for sign, worth in ((1.0, 1050.0), (-1.0, 950.0)):
        wanted = bars.with_columns(volume=pl.lit(sign))
        done = backtest(Wanted(), wanted, capital=1000.0, costs=CostModel(0.0), actions=paid)
        assert done.equity["equity"][-1] == worth


def test_features_see_no_jump_where_a_share_was_split(walk: Walk) -> None:
    bars = walk("AAA", 900, 8)
    second = bars["ts_utc"].dt.date().unique().sort()[1]
    later = pl.col("ts_utc").dt.date() >= second
    halved = bars.with_columns(
        pl.when(later).then(pl.col(name) / 2.0).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    split = actions_of(("AAA", second, "split", 2.0, None))
    whole, cut = backtest(Pair(), bars), backtest(Pair(), halved, actions=split)
    assert cut.orders["bar_ts_utc"].equals(whole.orders["bar_ts_utc"])
    assert cut.orders["side"].equals(whole.orders["side"])


def test_a_target_beyond_the_leverage_is_refused_with_its_bar(walk: Walk) -> None:
    bars = walk("AAA", 50).with_columns(volume=pl.Series([1.0] * 20 + [2.5] * 30), high=pl.lit(1.0))
    for kind in (Wanted, WantedSeeing):
        with pytest.raises(
            UsageError,
            match=r"gave the target 2.5, beyond the account's leverage of 2 for AAA at .* \(bar 20\)",
        ):
            backtest(kind(), bars)
        assert len(backtest(kind(), bars, leverage=3.0).orders) == 2


def test_an_account_that_lost_everything_closes_and_has_no_sharpe_ratio() -> None:
    bars = minutes(
        [10.0, 10.0, 30.0, 30.0, 30.0],
        [10.0, 10.0, 30.0, 30.0, 30.0],
        [-1.0, -1.0, -1.0, -0.5, 1.0],
        per_day=9,
    )
    done = backtest(Wanted(), bars, capital=1000.0, costs=CostModel(0.0))
    assert done.equity["equity"].to_list() == [1000.0, 1000.0, -1000.0, -1000.0, -1000.0]
    assert done.orders["qty"].to_list() == [100.0, 100.0]
    assert done.statistics["total_return"] == -2.0
    assert done.statistics["cagr"] == -1.0
    assert done.statistics["sharpe"] is None


@pytest.mark.full
@pytest.mark.parametrize("seeing", [False, True])
def test_a_rule_that_raises_names_the_bar_and_what_it_saw(seeing: bool, walk: Walk) -> None:
    class Free(Strategy):
        def features(self) -> Any:
            return {"wanted": price("volume")}

        @staticmethod
        def decide(x: Any) -> float:
            if x.wanted == 7.0:
                raise ValueError("no sevens")
            return 1.0

    class Seeing(Free):
        @staticmethod
        def decide(x: Any, position: Any) -> float:
            if x.wanted == 7.0:
                raise ValueError("no sevens")
            return 1.0

    kind = Seeing if seeing else Free
    bars = walk("AAA", 3 * TILE).with_columns(volume=pl.Series([1.0] * (2 * TILE + 77) + [7.0] * (TILE - 77)))
    with pytest.raises(
        UsageError,
        match=rf"decide raised ValueError: no sevens for AAA at .* \(bar {2 * TILE + 77}\), where x.wanted = 7",
    ):
        backtest(kind(), bars)
