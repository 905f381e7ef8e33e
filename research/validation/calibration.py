"""Does the verdict hold what it promises?  Markets whose truth is known, validated by the hundred.

Noise: hourly bars of a random walk with wild and calm spells; no rule can earn anything.  Edge: the same walk with a
hidden trend that turns around every few weeks, so strong that the best set of the grid has a true Sharpe ratio of
EDGE_SHARPE: that of a history too long for luck, costs included.  On each market a thousand moving averages are swept
and the best of them is put on trial, as a quant would.
"""

import math
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from multiprocessing import get_context
from typing import Final, Literal

import numpy as np
import polars as pl

from execution.strategy import CostModel
from research.statistics.sums import FloatArray
from research.strategies.crossover import Crossover
from research.validation.case import Case, run
from research.validation.checks import Thresholds, checks_of
from research.validation.evidence import gather
from research.validation.sharpe_tests import NORMAL

Truth = Literal["noise", "edge"]

SESSIONS_PER_YEAR: Final = 252
BARS_PER_SESSION: Final = 7
"""Hours, so that averages turn around often enough in five years to be judged by their trades."""

YEARS: Final = 5.0
SETS: Final = 1000
EDGE_SHARPE: Final = 2.0

BAR_DEVIATION: Final = 0.0045
"""1.2 % a session, 19 % a year: a share's or an index's."""

LOT: Final = 0.001
"""Fractions of a share, so that rounding to lots is no part of the question."""

REACTION: Final = 0.03
PERSISTENCE: Final = 0.99
"""GARCH(1, 1): how strongly a shock wakes the market, and what is left of that a bar later."""

TREND_BARS: Final = 70
"""A hidden trend lasts two weeks on average."""

TREND_PER_BAR: Final = 0.000714
"""The log return that gives the best of the thousand sets its true Sharpe ratio; `true_sharpe` measures it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often the verdict was "passed" on markets of one kind, with its 95 % interval (Wilson)."""

    truth: Truth
    seeds: int
    passed: int
    low: float
    high: float
    failed_by: dict[str, int]
    """how often each check did not pass"""

    @property
    def share(self) -> float:
        """Of the markets, those on which it passed."""
        return self.passed / self.seeds


def tried(sets: int = SETS) -> list[Crossover]:
    """25 fast averages of 2 to 50 bars, each with slow ones from 60 bars on in steps of four."""
    fast = range(2, 52, 2)
    slow = range(60, 60 + 4 * -(-sets // len(fast)), 4)
    return [Crossover(fast=f, slow=s) for s in slow for f in fast][:sets]


def market(truth: Truth, seed: int, years: float = YEARS, trend: float = TREND_PER_BAR) -> pl.DataFrame:
    """Hourly bars; the same seed gives the same noise under either truth."""
    random = np.random.default_rng((seed, 2026))
    count = round(years * SESSIONS_PER_YEAR) * BARS_PER_SESSION
    shocks = random.standard_normal(count)
    size = _deviations(shocks)
    moves = shocks * size - size**2 / 2  # a martingale: holding it earns nothing either
    turns = random.random(count) < 1.0 / TREND_BARS
    if truth == "edge":
        moves += trend * np.where((np.cumsum(turns) + random.integers(2)) % 2, 1.0, -1.0)
    close = 100.0 * np.exp(np.cumsum(moves))
    # The first bar of a session opens after the night's half of its move, the others where the last one closed.
    session, bar = np.divmod(np.arange(count), BARS_PER_SESSION)
    open_ = close * np.exp(-np.where(bar == 0, moves / 2, moves))
    seconds = (session // 5 * 7 + session % 5) * 86_400 + bar * 3_600
    return pl.DataFrame(
        {
            "symbol": pl.repeat("TRUTH", count, eager=True),
            "ts_utc": pl.Series(seconds * 1_000_000).cast(pl.Duration("us")) + _FIRST,
            "open": open_,
            "high": np.maximum(open_, close),
            "low": np.minimum(open_, close),
            "close": close,
            "volume": np.full(count, 1e6),
        }
    )


_FIRST: Final = datetime(2015, 1, 5, 14, 30, tzinfo=UTC)


def _deviations(shocks: FloatArray) -> FloatArray:
    """Of each bar's log return, given the shocks before it: calm and wild spells, fat tails."""
    deviations, usual = np.empty(shocks.size), BAR_DEVIATION**2
    here = usual
    for bar, shock in enumerate(shocks.tolist()):
        deviations[bar] = math.sqrt(here)
        here = usual * (1.0 - PERSISTENCE) + here * (PERSISTENCE - REACTION + REACTION * shock * shock)
    return deviations


def calibrate(
    seeds: int = 200,
    *,
    sets: int = SETS,
    years: float = YEARS,
    first_seed: int = 0,
    thresholds: Thresholds | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Rate, Rate]:
    """How often the best of so many sets passes on noise and on the edge, on all cores."""
    asked = [
        (truth, first_seed + number, sets, years, thresholds)
        for number in range(seeds)
        for truth in ("noise", "edge")
    ]
    verdicts: dict[Truth, list[tuple[str, ...]]] = {"noise": [], "edge": []}
    # Spawned, for a fork of a process with threads may hang; one thread each, as many as there are cores.
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        for done, (truth, failed) in enumerate(pool.map(_tried, asked), start=1):
            verdicts[truth].append(failed)
            if progress is not None:
                progress(done, len(asked))
    return _rate("noise", verdicts["noise"]), _rate("edge", verdicts["edge"])


def true_sharpe(trend: float, *, histories: int = 200, years: float = 10.0, sets: int = SETS) -> float:
    """The best set's Sharpe ratio over thousands of years: what the edge is worth to who knew the set."""
    total = np.zeros(sets)
    for seed in range(histories):
        prepared = _case("edge", seed + 1_000_000, sets, years, trend).prepared(tried(sets))
        total += prepared.frame(run(prepared))["sharpe"].to_numpy()
    return float(total.max() / histories)


def _tried(asked: tuple[Truth, int, int, float, Thresholds | None]) -> tuple[Truth, tuple[str, ...]]:
    """(the truth, the names of the checks that did not pass)."""
    truth, seed, sets, years, thresholds = asked
    evidence = gather(_case(truth, seed, sets, years), earlier_trials=0)
    return truth, tuple(check.name for check in checks_of(evidence, thresholds) if not check.passed)


def _case(truth: Truth, seed: int, sets: int, years: float, trend: float = TREND_PER_BAR) -> Case:
    bars = market(truth, seed, years, trend)
    return Case(Crossover, bars, tried(sets), 100_000.0, CostModel(), {"lot": LOT})


def _rate(truth: Truth, verdicts: list[tuple[str, ...]]) -> Rate:
    passed = sum(not failed for failed in verdicts)
    low, high = wilson(passed, len(verdicts))
    return Rate(truth, len(verdicts), passed, low, high, dict(Counter(chain(*verdicts)).most_common()))


def wilson(passed: int, count: int) -> tuple[float, float]:
    """Between which shares the true one lies, with 95 % (Wilson, JASA 22, 1927)."""
    z = NORMAL.inv_cdf(0.975)
    share, square = passed / count, z * z / count
    middle = share + square / 2
    away = z * math.sqrt(share * (1.0 - share) / count + square / (4 * count))
    return (middle - away) / (1.0 + square), (middle + away) / (1.0 + square)
