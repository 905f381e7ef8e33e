"""One call puts a strategy through everything; the library is in order, planted bugs are named, hard data is no bug."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from planted_bugs import BUGS

from data.errors import UsageError
from execution.strategy import (
    BarArrays,
    Feature,
    Rule,
    Strategy,
    constant,
    ema,
    lag,
    obv,
    param,
    price,
    sma,
    vectorised,
)
from execution.strategy.arrays import FloatArray
from execution.strategy.features.feature import Exact
from research.detectors import StrategyCheck, check_strategy, checking, practice_market
from research.detectors.practice import CLOSED_FOR_THESE_BARS, HALF_DAY
from research.strategies.breakout import Breakout
from research.strategies.buy_and_hold import BuyAndHold
from research.strategies.crossover import Crossover
from research.strategies.mean_reversion import MeanReversion
from research.strategies.momentum import Momentum
from research.strategies.pairs import Pairs
from research.strategies.rsi import Rsi
from research.strategies.volatility_target import VolatilityTarget


@dataclass(frozen=True)
class Chancy(Exact):
    """A feature that is no function of the bars, or that writes into them."""

    writes: bool
    random: Any = field(default_factory=lambda: np.random.default_rng(1), compare=False)

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        if self.writes:
            bars.close[:] -= bars.close[0]
            return (bars.close,)
        return (self.random.random(len(bars)),)

    def incremental(self, history: BarArrays) -> Any:
        return self


def unready(close: FloatArray) -> FloatArray:
    raise ValueError("no model is there")


AGAINST = {"normalised": constant(0.0), "ranked": constant(2000.0), "crash": constant(0.5)}
ROUNDS = itertools.count()


def hasty(close: FloatArray) -> FloatArray:
    """Adds up in another order each time."""
    return close * (1.0 + next(ROUNDS) % 2 * 1e-15)


SEEN: dict[str, tuple[Feature, Feature]] = {
    "sma": (sma("close", 5), sma("close", 15)),
    "obv": (obv(), constant(-70_000.0)),
    "change of obv": (obv(), lag(obv(), 20)),
    "long ago": (lag(price("close"), 5000), price("close")),
    "long ema": (ema("close", 2000), price("close")),
    "too long": (sma("close", 50_000), price("close")),
    "chance": (Feature(Chancy(False)), price("close")),
    "writes": (Feature(Chancy(True)), price("close")),
    "last digits": (vectorised(hasty, "close", lookback=5), price("close")),
    "raises": (vectorised(unready, "close", lookback=5), price("close")),
    **{name: (feature, AGAINST.get(name, price("close"))) for name, feature in BUGS.items()},
}


class Compared(Strategy):
    """Long while one of two features is above the other."""

    pair = param("sma", choices=tuple(SEEN))

    def features(self) -> dict[str, Feature]:
        seen, against = SEEN[self.pair]
        return {"seen": seen, "against": against}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.0 if x.seen > x.against else 0.0


def compared(pair: str, bars: pl.DataFrame) -> StrategyCheck:
    return check_strategy(Compared(pair=pair), bars)


def failed(check: StrategyCheck) -> set[tuple[str, str | None]]:
    return {(each.what, each.feature) for each in check.failed}


LIBRARY: dict[type[Rule], int] = {
    Crossover: 50, Rsi: 274, BuyAndHold: 1, MeanReversion: 61, Breakout: 571, VolatilityTarget: 391,
}  # fmt: skip


@pytest.mark.full
def test_the_dual_average_is_in_order(market: pl.DataFrame) -> None:
    _is_in_order(Crossover, market)


@pytest.mark.full
@pytest.mark.parametrize("kind", [kind for kind in LIBRARY if kind is not Crossover])
def test_the_library_is_in_order(kind: Any, market: pl.DataFrame) -> None:
    _is_in_order(kind, market)


def _is_in_order(kind: Any, market: pl.DataFrame) -> None:
    check = check_strategy(kind(), market)
    assert {each.severity for each in check.findings} <= {"pass", "note"}
    assert check.ok
    assert check.warm_up_bars is not None
    # In bars of this market; recursive features take some more or less with its prices.
    assert check.warm_up_bars == pytest.approx(LIBRARY[kind], rel=0.2)
    assert check.verdict == f"In order, warm after {check.warm_up_bars:,} bars."


@pytest.mark.full
@pytest.mark.parametrize(("kind", "bars"), [(Momentum, 2297), (Pairs, 396)])
def test_the_librarys_portfolios_are_in_order_without_any_data(kind: Any, bars: int) -> None:
    check = check_strategy(kind())
    assert check.ok
    assert check.symbols == ("AAA", "BBB")
    assert check.warm_up_bars == pytest.approx(bars, rel=0.05)


@pytest.mark.full
def test_a_portfolio_that_refuses_its_universe_is_told_why() -> None:
    check = check_strategy(Pairs(), practice_market(("AAA", "BBB", "CCC")))
    assert failed(check) == {("backtest", None)}
    assert "pairs are of two symbols" in check.failed[0].evidence


@pytest.mark.full
@pytest.mark.parametrize("bug", ["normalised", "todays_close"])
def test_a_planted_bug_is_named_with_the_feature(bug: str, market: pl.DataFrame) -> None:
    _is_named(bug, market)


@pytest.mark.full
@pytest.mark.parametrize("bug", sorted(BUGS.keys() - {"normalised", "todays_close"}))
def test_every_planted_bug_is_named_with_the_feature(bug: str, market: pl.DataFrame) -> None:
    _is_named(bug, market)


def _is_named(bug: str, market: pl.DataFrame) -> None:
    check = compared(bug, market.head(3600))
    assert not check.ok
    assert ("look-ahead", "seen") in failed(check)
    assert not {feature for _, feature in failed(check)} - {"seen", None}
    assert check.verdict.startswith("Not in order: look-ahead (seen)")
    assert check.warm_up_bars is None
    told = {each.what: each for each in check.failed}
    # What never happens in these data changes no order; an early back-fill only the first ones.
    if bug not in ("crash", "filled", "warmed"):
        assert told["orders"].fix == "Correct what looks ahead: seen."
    if "live form" in told:
        assert "research looked ahead, which live cannot" in told["live form"].evidence


CALLS = [0]


class Counting(Strategy):
    """Other features for the same parameters, every time."""

    def features(self) -> dict[str, Feature]:
        CALLS[0] += 1
        return {"mean": sma("close", 10 + CALLS[0])}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.0 if x.mean > 100.0 else 0.0


def test_features_that_come_out_otherwise_the_second_time_are_named() -> None:
    checked = check_strategy(Counting())
    assert not checked.ok
    assert "it gives other values for the same bars the second time" in str(checked)


@pytest.mark.full
def test_decisions_that_depend_on_where_the_data_begins_fail(market: pl.DataFrame) -> None:
    check = compared("obv", market)
    assert failed(check) == {("warm-up of decisions", None)}
    assert check.failed[0].fix == "It comes from seen: see there."
    assert check.warm_up_bars is None
    noted = next(each for each in check.findings if each.what == "warm-up" and each.feature == "seen")
    assert noted.severity == "note"
    assert "use a difference of it" in noted.fix


@pytest.mark.full
def test_a_difference_of_what_never_forgets_is_in_order(market: pl.DataFrame) -> None:
    check = compared("change of obv", market.head(3600))
    assert check.ok
    assert check.warm_up_bars == 21


@pytest.mark.full
def test_a_slow_average_is_a_note_and_no_fault(market: pl.DataFrame) -> None:
    check = compared("long ema", market)
    assert check.ok
    assert [(each.severity, each.feature) for each in check.findings if "on more bars" in each.fix] == [
        ("note", "seen")
    ]


@pytest.mark.full
def test_a_window_that_nearly_fills_the_data_is_in_order(market: pl.DataFrame) -> None:
    check = compared("long ago", market)
    assert {each.severity for each in check.findings} == {"pass"}
    assert check.warm_up_bars == 5001


def test_what_could_not_be_looked_at_does_not_pass(market: pl.DataFrame) -> None:
    check = compared("too long", market.head(1500))
    assert failed(check) == {("warm-up", "seen")}
    assert check.warm_up_bars is None


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("chance", "it gives other values for the same bars the second time"),
        ("writes", "it changes the bars that it is given"),
        ("raises", "it fails: ValueError: no model is there"),
    ],
)
def test_a_feature_that_is_no_function_of_the_bars_is_named(
    pair: str, says: str, market: pl.DataFrame
) -> None:
    check = compared(pair, market.head(500))
    assert failed(check) == {("purity", "seen")}
    assert check.failed[0].evidence == says


@pytest.mark.full
def test_last_digits_that_vary_are_noted(market: pl.DataFrame) -> None:
    check = compared("last digits", market.head(1500))
    assert check.ok
    noted = {each.what for each in check.findings if each.severity == "note"}
    assert noted >= {"purity", "exactness", "orders"}


@pytest.mark.full
def test_decisions_that_a_last_digit_turns_are_counted(market: pl.DataFrame) -> None:
    dimes = pl.col("open", "high", "low", "close").round(1)  # in which both averages are often equal
    check = compared("sma", market.head(3600).with_columns(dimes))
    assert check.ok
    assert [each.what for each in check.findings if each.severity == "note"] == ["ties"]
    assert check.warm_up_bars == 15


def _daily(market: pl.DataFrame) -> pl.DataFrame:
    day = timedelta(days=1)
    first = market["ts_utc"][0]
    return market.head(300).with_columns(ts_utc=pl.datetime_range(first, first + 299 * day, day, eager=True))


def _a_symbol_lists_half_way(market: pl.DataFrame) -> pl.DataFrame:
    late = market.head(3000).tail(1000).with_columns(symbol=pl.lit("BBB"))
    return pl.concat([market.head(3000), late])


def _a_month_is_missing(market: pl.DataFrame) -> pl.DataFrame:
    early = market.head(1500).with_columns(pl.col("ts_utc") - timedelta(days=28))
    return pl.concat([early, market.tail(1500)])


def _nothing_trades(market: pl.DataFrame) -> pl.DataFrame:
    return market.head(500).with_columns(volume=0.0)


def _nothing_moves(market: pl.DataFrame) -> pl.DataFrame:
    return market.head(500).with_columns(open=100.0, high=100.0, low=100.0, close=100.0)


@pytest.mark.full
@pytest.mark.parametrize(
    "bars", [_daily, _a_symbol_lists_half_way, _a_month_is_missing, _nothing_trades, _nothing_moves]
)
def test_hard_data_is_no_fault_of_the_strategy(
    bars: Callable[[pl.DataFrame], pl.DataFrame], market: pl.DataFrame
) -> None:
    assert check_strategy(Crossover(fast=5, slow=20), bars(market)).failed == ()


def test_many_bars_are_cut_to_the_newest_and_that_is_said(
    market: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "BARS_MAX", 700)
    check = check_strategy(Crossover(), market)
    assert check.bars == 700
    assert check.rows()[0]["evidence"] == "only the newest 700 bars of each symbol were looked at"


def test_too_few_bars_are_refused(market: pl.DataFrame) -> None:
    with pytest.raises(UsageError, match="1 bars are too few to check a strategy on"):
        check_strategy(Crossover(), market.head(1))
    with pytest.raises(UsageError, match="no bars"):
        check_strategy(Crossover(), market.head(0))
    with pytest.raises(UsageError, match="two bars with one timestamp"):
        check_strategy(Crossover(), pl.concat([market.head(20), market.head(20)]))


def test_it_is_shown_as_rows_as_text_and_as_a_table(market: pl.DataFrame) -> None:
    check = compared("normalised", market.head(1500))
    assert {tuple(row) for row in check.rows()} == {("what", "severity", "feature", "evidence", "what to do")}
    assert len(check.rows()) == len(check.findings)
    assert all(each.evidence for each in check.findings)
    assert "fail  look-ahead, seen: at bar" in str(check)
    page = check._repr_html_()
    assert page.count("<tr>") == len(check.findings) + 1
    assert "Not in order" in page
    assert "pair=&#x27;normalised&#x27;" in page


def test_the_practice_market_has_what_breaks_features(market: pl.DataFrame) -> None:
    days = market.group_by(pl.col("ts_utc").dt.date().alias("day")).agg(
        minutes=pl.len(), last=pl.col("ts_utc").max().dt.hour()
    )
    by_day = {day: (minutes, last) for day, minutes, last in days.iter_rows()}
    assert 15 <= len(by_day) <= 25
    assert CLOSED_FOR_THESE_BARS not in by_day
    assert date(2025, 11, 27) not in by_day  # Thanksgiving
    assert by_day[HALF_DAY][1] == 17  # closes at 13:00 in New York
    assert all(minutes < 390 for minutes, _ in by_day.values())
    assert (market["volume"] == 0.0).sum() >= 20
    assert (market["high"] >= market.select(pl.max_horizontal("open", "close")).to_series()).all()
    assert (market["low"] <= market.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert market.equals(practice_market(("AAA",)))
    assert not market.equals(practice_market(("AAA",), seed=2))
