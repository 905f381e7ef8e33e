"""Probability of backtest overfitting by combinatorially symmetric cross-validation.

Bailey, Borwein, López de Prado and Zhu, "The probability of backtest overfitting" (Journal of Computational Finance
20, 2017): on every half of the blocks the best set is chosen; how does it rank on the other half?
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.statistics.sums import FloatArray
from research.validation.blocks import merged, selected_sharpe

GROUPS: Final = 16
"""As in the paper: 12,870 ways to halve them."""

_AT_ONCE: Final = 4_000_000
"""Sharpe ratios computed at once: 32 MB a table."""


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """How the set that was best on one half of the data did on the other, over all halves."""

    probability: float
    """share of halves on which it ranked in the lower half of all sets"""
    slope: float
    """of its out-of-sample Sharpe ratio on the in-sample one; below zero, what looked better did worse"""
    loss_probability: float
    """share of halves on which it lost"""
    logits: FloatArray
    """of its relative rank, one per half"""
    in_sample: FloatArray
    out_of_sample: FloatArray
    """Sharpe ratios per bar"""


def overfitting(
    counts: FloatArray, totals: FloatArray, squares: FloatArray, *, groups: int = GROUPS
) -> Overfitting | None:
    """From sums of returns (sets × blocks); None with fewer than two sets or four blocks to combine."""
    groups = min(groups, counts.size) // 2 * 2
    if groups < 4 or len(totals) < 2:
        return None
    size, totals = merged(counts, totals, groups)
    _, squares = merged(counts, squares, groups)
    ranks, inside, outside = [], [], []
    for chosen in _halves(groups, max(1, _AT_ONCE // len(totals))):
        here = selected_sharpe(size, totals, squares, chosen)
        there = selected_sharpe(size, totals, squares, ~chosen)
        # Each half is in turn the one that chooses and the one that judges.
        for choosing, judging in ((here, there), (there, here)):
            best = choosing.argmax(axis=0)
            columns = np.arange(best.size)
            result = judging[best, columns]
            below, equal = (judging < result).sum(axis=0), (judging == result).sum(axis=0)
            ranks.append(below + (equal + 1) / 2)
            inside.append(choosing[best, columns])
            outside.append(result)
    relative = np.concatenate(ranks) / (len(totals) + 1)
    in_sample, out_of_sample = np.concatenate(inside), np.concatenate(outside)
    logits = np.log(relative / (1.0 - relative))
    return Overfitting(
        probability=float((logits <= 0.0).mean()),
        slope=_slope(in_sample, out_of_sample),
        loss_probability=float((out_of_sample < 0.0).mean()),
        logits=logits,
        in_sample=in_sample,
        out_of_sample=out_of_sample,
    )


def _halves(groups: int, at_once: int) -> Iterator[NDArray[np.bool_]]:
    """Groups × many: every half that holds the first group; the complements are the rest."""
    rest = combinations(range(1, groups), groups // 2 - 1)
    while part := list(islice(rest, at_once)):
        chosen = np.zeros((groups, len(part)), dtype=np.bool_)
        chosen[0] = True
        chosen[np.array(part).T, np.arange(len(part))] = True
        yield chosen


def _slope(x: FloatArray, y: FloatArray) -> float:
    away = x - x.mean()
    spread = float(np.square(away).sum())
    return float((away * y).sum() / spread) if spread > 0.0 else float("nan")
