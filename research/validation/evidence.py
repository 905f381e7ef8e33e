"""Everything a verdict is drawn from, gathered in one pass over the techniques."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy.arrays import BarArrays
from research.backtest import Backtest, run_backtest
from research.statistics import (
    bars_per_year,
    kurtosis_of,
    period_returns,
    returns_of,
    sharpe_of,
    skew_of,
)
from research.statistics.calendar import sessions_per_year
from research.statistics.sums import FloatArray
from research.validation.bootstrap import Resampled, resampled
from research.validation.case import Case, optimise, refuse_no_sets, run
from research.validation.cross_validation import PurgedPaths, purged_paths
from research.validation.effective_trials import effective_trials
from research.validation.neighbourhood import Neighbourhood, neighbourhood
from research.validation.overfitting import Overfitting, overfitting
from research.validation.regimes import (
    hours_of_session,
    market_returns,
    profitable_periods,
    regimes,
)
from research.validation.stress import Stress, stresses
from research.validation.walk_forward import Kind, WalkForward, walk_forward

Progress = Callable[[str, int, int], None]
"""progress(stage, stages done, stages in all)"""

BLOCKS: Final = 240
"""Of the whole range: ten folds of 24, sixteen groups of 15, and enough to tell a thousand trials apart."""

SESSIONS_MIN: Final = 60
"""With so many sessions returns are taken per session: what bars owe to each other within a day is gone."""

STAGES: Final = (
    "sweep", "backtest", "overfitting", "cross-validation", "walk-forward, anchored", "walk-forward, rolling",
    "bootstrap", "stress", "neighbourhood", "regimes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The chosen set's returns, per session where there are enough of them, else per bar."""

    ts_utc: pl.Series
    returns: FloatArray
    per_year: float
    sharpe: float
    """per period"""
    skew: float
    kurtosis: float


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What every technique found; None where it had nothing to go on."""

    sets: int
    sharpes: FloatArray
    """annualised, of every set; NaN where a set never traded"""
    bars_per_year: float
    independent_trials: float
    """what this sweep's sets amount to"""
    earlier_trials: int | None
    """sets of the same family tried before, from the trial ledger; None: nobody kept count"""
    result: Backtest
    periods: Periods
    warm_up_bars: int
    holding_bars: int
    overfitting: Overfitting | None
    paths: PurgedPaths | None
    walk_forward: dict[Kind, WalkForward | None]
    resampled: Resampled | None
    stresses: tuple[Stress, ...]
    neighbourhood: Neighbourhood | None
    profitable: tuple[int, int, str] | None
    regimes: pl.DataFrame
    """kind, regime, periods, total_return, sharpe"""


def gather(
    case: Case, *, earlier_trials: int | None = None, seed: int = 0, progress: Progress | None = None
) -> Evidence:
    """Sweep the case's sets, take the best and run every technique on it."""
    refuse_no_sets(case.sets)
    done = iter(range(len(STAGES)))

    def stage() -> None:
        number = next(done)
        if progress is not None:
            progress(STAGES[number], number, len(STAGES))

    stage()
    prepared = case.prepared(case.sets, blocks=BLOCKS)
    tallies = run(prepared)
    best = optimise(prepared, tallies)
    if best is None:
        raise UsageError(
            f"none of {len(case.sets)} parameter sets has a Sharpe ratio: nothing was ever traded",
            "Give more bars than the features need to warm up, or other parameters.",
        )
    place, _ = best
    frame, blocks = prepared.frame(tallies), prepared.blocks(tallies)
    sums = (blocks.counts, blocks.totals, blocks.squares)
    sharpes = frame["sharpe"].fill_null(float("nan")).to_numpy()
    chosen = case.sets[place]

    stage()
    result = run_backtest(
        chosen,
        case.bars,
        capital=case.capital,
        costs=case.costs,
        trade_from=case.trade_from,
        **case.terms,
    )
    periods = _periods(result)
    warm_up_bars, holding_bars = _warm_up(case, chosen), _holding(result)
    stage()
    found_overfitting = overfitting(*sums)
    stage()
    paths = purged_paths(*sums, warm_up_bars + holding_bars)
    forward: dict[Kind, WalkForward | None] = {}
    kinds: tuple[Kind, ...] = ("anchored", "rolling")
    for kind in kinds:
        stage()
        forward[kind] = walk_forward(case, prepared.ts_us, kind)
    stage()
    drawn = resampled(periods.returns, periods.per_year, seed=seed)
    stage()
    stressed = stresses(case, chosen)
    stage()
    names = [name for name in chosen.params() if name in frame.columns]
    near = neighbourhood(frame.select(names), sharpes, place)
    stage()
    equity = result.equity["equity"].to_numpy()
    table = _regimes(case, result, periods)
    if progress is not None:
        progress("done", len(STAGES), len(STAGES))
    return Evidence(
        sets=len(case.sets),
        sharpes=sharpes,
        bars_per_year=prepared.bars_per_year,
        independent_trials=effective_trials(blocks.counts, blocks.totals, seed=seed),
        earlier_trials=earlier_trials,
        result=result,
        periods=periods,
        warm_up_bars=warm_up_bars,
        holding_bars=holding_bars,
        overfitting=found_overfitting,
        paths=paths,
        walk_forward=forward,
        resampled=drawn,
        stresses=stressed,
        neighbourhood=near,
        profitable=profitable_periods(result.equity["ts_utc"], equity, result.capital),
        regimes=table,
    )


def _periods(result: Backtest) -> Periods:
    ts_utc, equity = result.equity["ts_utc"], result.equity["equity"].to_numpy()
    days = period_returns(ts_utc, equity, result.capital, "1d")
    if days.height >= SESSIONS_MIN:
        moments = days["period"].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        returns, year = days["return"].fill_null(float("nan")).to_numpy(), sessions_per_year(ts_utc)
    else:
        moments, returns = ts_utc, returns_of(equity, result.capital)
        year = bars_per_year(ts_utc)
    return Periods(moments, returns, year, sharpe_of(returns, 1.0), skew_of(returns), kurtosis_of(returns))


def _warm_up(case: Case, chosen: Any) -> int:
    """Bars until every feature of the chosen set has a value, on the symbol that takes longest."""
    longest = 0
    for _, bars in case.bars.sort("symbol", "ts_utc").group_by("symbol", maintain_order=True):
        arrays = BarArrays.of(bars)
        for feature in chosen.feature_specs().values():
            known = np.flatnonzero(~np.isnan(feature.batch(arrays)))
            longest = max(longest, int(known[0]) if known.size else len(arrays))
    return longest


def _holding(result: Backtest) -> int:
    """Bars that a round trip takes on average."""
    bars, trips = result.equity.height, max(1, result.statistics["trades"])
    return int(np.ceil((result.statistics["exposure"] or 0.0) * bars / trips))


def _regimes(case: Case, result: Backtest, periods: Periods) -> pl.DataFrame:
    ts_utc, equity = result.equity["ts_utc"], result.equity["equity"].to_numpy()
    market = market_returns(case.bars, ts_utc)
    if len(periods.returns) != len(ts_utc):
        worth = np.cumprod(1.0 + market).astype(np.float64)
        market = period_returns(ts_utc, worth, 1.0, "1d")["return"].fill_null(0.0).to_numpy()
    by_market = regimes(periods.ts_utc, np.nan_to_num(periods.returns), market, periods.per_year)
    return pl.concat([by_market, hours_of_session(ts_utc, returns_of(equity, result.capital))])
