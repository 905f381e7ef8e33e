"""From evidence to checks: which numbers must lie on which side of what."""

import math
from dataclasses import dataclass

import numpy as np

from research.validation.evidence import Evidence
from research.validation.sharpe_tests import (
    deflated_sharpe,
    luckiest_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)
from research.validation.verdict import Check
from research.validation.walk_forward import Kind


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a check asks for.  calibration.py measures what these defaults let through and what they stop."""

    trades_min: int = 30
    """round trips: below, means and deviations are those of anecdotes (the usual rule of the central limit)"""
    confidence: float = 0.95
    """of the probabilistic and the deflated Sharpe ratio, the track record and the bootstrap: the usual level"""
    overfitting_max: float = 0.5
    """probability of backtest overfitting: from one half on, choosing the best is no better than drawing lots"""
    efficiency_min: float = 0.4
    """walk-forward, out of sample over in sample.  Pardo asks for a half of a single walk; both of two, over three
    years each, miss a half by chance alone once in six for a rule with a true Sharpe ratio of 2"""
    positive_paths_min: float = 0.95
    """share of purged paths that made money"""
    dearer_min: float = 0.5
    """share of its Sharpe ratio that is left at twice the costs"""
    late_min: float = 0.5
    """the same one bar late"""
    positive_neighbours_min: float = 0.8
    """share of neighbouring sets that made money"""
    neighbours_ratio_min: float = 0.5
    """the neighbours' median Sharpe ratio over the chosen one's"""
    profitable_periods_min: float = 0.5
    """share of years (quarters, months) that made money"""
    drawdown_max: float = 0.5
    """the deepest drawdown; a half needs a doubling to come back"""


def checks_of(evidence: Evidence, thresholds: Thresholds | None = None) -> tuple[Check, ...]:
    """Every check, in the order in which a person would ask."""
    asked = thresholds or Thresholds()
    return (
        _trades(evidence, asked),
        _drawdown(evidence, asked),
        _probabilistic(evidence, asked),
        _deflated(evidence, asked),
        _track_record(evidence, asked),
        _bootstrap(evidence, asked),
        _overfitting(evidence, asked),
        _paths(evidence, asked),
        _walk_forward(evidence, asked, "anchored"),
        _walk_forward(evidence, asked, "rolling"),
        _stress(evidence, "costs × 2", asked.dearer_min),
        _stress(evidence, "1 bar late", asked.late_min),
        _neighbours(evidence, asked),
        _periods(evidence, asked),
    )


def _check(
    name: str, value: float | None, least: float | None, says: str, *, most: float | None = None
) -> Check:
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    if value is None or not math.isfinite(value):
        return Check(name, None, bound, None, says)
    passed = value >= least if least is not None else value <= (most or 0.0)
    return Check(name, float(value), bound, bool(passed), says)


def _trades(evidence: Evidence, asked: Thresholds) -> Check:
    trades = evidence.result.statistics["trades"]
    return _check("trades", trades, asked.trades_min, f"It closed {trades:,} trades.")


def _drawdown(evidence: Evidence, asked: Thresholds) -> Check:
    deepest = -evidence.result.statistics["max_drawdown"]
    says = f"At worst {deepest:.0%} of the highest equity was lost"
    if evidence.resampled is not None:
        says += f"; resampled histories lose up to {-evidence.resampled.max_drawdown.low:.0%}"
    return _check("drawdown", deepest, None, says + ".", most=asked.drawdown_max)


def _probabilistic(evidence: Evidence, asked: Thresholds) -> Check:
    of = evidence.periods
    value = probabilistic_sharpe(of.sharpe, of.returns.size, of.skew, of.kurtosis)
    says = "There are too few returns to tell."
    if math.isfinite(value):
        says = f"If it were the only set ever tried, its Sharpe ratio would be above zero with {value:.1%}."
    return _check("probabilistic Sharpe", value, asked.confidence, says)


def trial_deviation(evidence: Evidence) -> float:
    """Of the trials' Sharpe ratios, per period: as estimated across them, or that of a single estimate if larger.

    Sets that hold nearly the same differ little from each other, though each is as uncertain as one alone; how much
    they have in common is already in the number of independent ones.
    """
    known = evidence.sharpes[np.isfinite(evidence.sharpes)] / math.sqrt(evidence.bars_per_year)
    across = float(known.std(ddof=1)) if known.size > 1 else 0.0
    # Ratios are per bar here; of a period of b bars they are root b times as large.
    across *= math.sqrt(evidence.bars_per_year / evidence.periods.per_year)
    return max(across, 1.0 / math.sqrt(max(1, evidence.periods.returns.size - 1)))


def _deflated(evidence: Evidence, asked: Thresholds) -> Check:
    of, earlier = evidence.periods, evidence.earlier_trials
    trials = evidence.independent_trials + (earlier or 0)
    deviation = trial_deviation(evidence)
    value = deflated_sharpe(
        of.sharpe, of.returns.size, of.skew, of.kurtosis, trials=trials, deviation=deviation
    )
    luck = luckiest_sharpe(trials, deviation) * math.sqrt(of.per_year)
    says = (
        f"{evidence.sets:,} sets amount to {evidence.independent_trials:,.0f} independent trials, "
        + (
            f"{earlier:,} earlier ones count in full"
            if earlier is not None
            else "earlier ones are not recorded"
        )
        + f": luck alone would show a Sharpe ratio of {luck:.2f}, it has {of.sharpe * math.sqrt(of.per_year):.2f}."
    )
    return _check("deflated Sharpe", value, asked.confidence, says)


def _track_record(evidence: Evidence, asked: Thresholds) -> Check:
    of = evidence.periods
    needed = minimum_track_record(of.sharpe, of.skew, of.kurtosis, confidence=asked.confidence)
    if not math.isfinite(needed):
        return Check("track record", None, "longer than none", None, "No track record is long enough for it.")
    years, have = needed / of.per_year, of.returns.size / of.per_year
    says = f"A Sharpe ratio like this needs {years:.1f} years to be believed, there are {have:.1f}."
    return _check("track record", have, round(years, 2), says)


def _bootstrap(evidence: Evidence, asked: Thresholds) -> Check:
    found = evidence.resampled
    if found is None:
        return _check("bootstrap", None, 0.0, "There are too few returns to resample.")
    says = (
        f"Resampled histories have Sharpe ratios from {found.sharpe.low:.2f} to {found.sharpe.high:.2f} and grow "
        f"{found.cagr.low:.1%} to {found.cagr.high:.1%} a year; "
        f"{asked.confidence:.0%} are above {found.sharpe_floor:.2f}."
    )
    return _check("bootstrap", found.sharpe_floor, 0.0, says)


def _overfitting(evidence: Evidence, asked: Thresholds) -> Check:
    found = evidence.overfitting
    if found is None:
        says = "With a single set, or too few bars, nothing can be said."
        return _check("overfitting", None, None, says, most=asked.overfitting_max)
    says = (
        f"Chosen on one half of the blocks, the best set is in the lower half of all on the other in "
        f"{found.probability:.0%} of {found.logits.size:,} ways to halve them, "
        f"and loses in {found.loss_probability:.0%}."
    )
    return _check("overfitting", found.probability, None, says, most=asked.overfitting_max)


def _paths(evidence: Evidence, asked: Thresholds) -> Check:
    found, name = evidence.paths, "cross-validation"
    if found is None:
        return _check(name, None, asked.positive_paths_min, "There are too few bars to fold.")
    if not found.sharpe.size:
        says = f"Purging {found.purge_bars:,} bars around each fold leaves nothing to choose on."
        return _check(name, None, asked.positive_paths_min, says)
    year = math.sqrt(evidence.bars_per_year)
    says = (
        f"Of {found.sharpe.size} histories made of held-out folds ({found.purge_bars:,} bars purged, "
        f"{found.embargo_bars:,} embargoed) the median Sharpe ratio is {np.median(found.sharpe) * year:.2f}, "
        f"the worst {found.sharpe.min() * year:.2f}."
    )
    return _check(name, float((found.sharpe > 0.0).mean()), asked.positive_paths_min, says)


def _walk_forward(evidence: Evidence, asked: Thresholds, kind: Kind) -> Check:
    found, name = evidence.walk_forward[kind], f"walk-forward, {kind}"
    if found is None:
        return _check(name, None, asked.efficiency_min, "There are too few bars to walk forward.")
    if not math.isfinite(found.efficiency):
        says = "Chosen anew in each fold, it traded nothing out of sample, or promised nothing in sample."
        return _check(name, None, asked.efficiency_min, says)
    says = (
        f"Chosen anew in each of {len(found.folds)} folds, it kept a Sharpe ratio of {found.sharpe:.2f} out of sample "
        f"where {found.in_sample:.2f} was promised."
    )
    return _check(name, found.efficiency, asked.efficiency_min, says)


def _stress(evidence: Evidence, name: str, least: float) -> Check:
    own = evidence.result.statistics["sharpe"]
    under = next(each.sharpe for each in evidence.stresses if each.name == name)
    if own is None or under is None or own <= 0.0:
        return _check(name, None, least, "It has no Sharpe ratio above zero to begin with.")
    says = f"With {name} its Sharpe ratio is {under:.2f} instead of {own:.2f}."
    return _check(name, under / own, least, says)


def _neighbours(evidence: Evidence, asked: Thresholds) -> Check:
    found, name = evidence.neighbourhood, "neighbourhood"
    bound = f"{asked.positive_neighbours_min:.0%} above zero, median at least {asked.neighbours_ratio_min:g} of its own"
    if found is None:
        return Check(
            name, None, bound, None, "No other set is near, or its own Sharpe ratio is not above zero."
        )
    says = (
        f"Of {found.neighbours} neighbouring sets {found.positive:.0%} have a Sharpe ratio above zero, "
        f"their median is {found.median_ratio:.0%} of its own."
    )
    passed = (
        found.positive >= asked.positive_neighbours_min and found.median_ratio >= asked.neighbours_ratio_min
    )
    return Check(name, found.median_ratio, bound, passed, says)


def _periods(evidence: Evidence, asked: Thresholds) -> Check:
    found, name = evidence.profitable, "periods"
    if found is None:
        return _check(name, None, asked.profitable_periods_min, "The range has fewer than four months.")
    good, count, what = found
    says = f"{good} of {count} {what} made money."
    return _check(name, good / count, asked.profitable_periods_min, says)
