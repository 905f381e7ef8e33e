"""Combinatorial purged cross-validation with embargo (López de Prado, "Advances in financial
machine learning", ch. 12).

The splits are skfolio's.  In each one the best set is chosen on what is left for training, and earns its return on the
folds held out; the held-out folds combine into several whole histories, none of which saw its own choice.
Bars within `purge` of a held-out fold are not trained on: their features or their position reach into it.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from research.statistics.sums import FloatArray
from research.validation.blocks import selected_sharpe

FOLDS: Final = 10
TEST_FOLDS: Final = 2
"""45 splits, nine paths."""

FOLDS_MIN: Final = 4
"""Six splits, three paths; folds must be longer than purge and embargo together, so a long purge leaves fewer."""

EMBARGO: Final = 0.01
"""Of all bars, after each held-out fold: López de Prado's rule of thumb."""


@dataclass(frozen=True, slots=True, eq=False)
class PurgedPaths:
    """Histories made of held-out folds only."""

    sharpe: FloatArray
    """per bar, one for each path; empty if no folds are longer than the purge"""
    purge_bars: int
    embargo_bars: int
    trained: float
    """the smallest share of bars that a split could choose on"""


def purged_paths(
    counts: FloatArray,
    totals: FloatArray,
    squares: FloatArray,
    purge_bars: int,
    *,
    folds: int = FOLDS,
    test_folds: int = TEST_FOLDS,
    embargo: float = EMBARGO,
) -> PurgedPaths | None:
    """From sums of returns (sets × blocks); purge and embargo are rounded up to whole blocks.

    `folds` are the most; None with fewer blocks than twice of them.
    """
    if counts.size < 2 * folds:
        return None
    from skfolio.model_selection import CombinatorialPurgedCV  # brings pandas and scikit-learn

    bars = float(counts.sum())
    smallest, embargo_bars = float(counts.min()), math.ceil(embargo * bars)
    purged, held_back = math.ceil(purge_bars / smallest), math.ceil(embargo_bars / smallest)
    folds = min(folds, counts.size // (purged + held_back + 2))  # skfolio asks for one block more than both
    if folds < max(FOLDS_MIN, test_folds + 2):
        return PurgedPaths(np.zeros(0), purge_bars, embargo_bars, 0.0)
    splits = CombinatorialPurgedCV(folds, test_folds, purged, held_back)
    parts = list(splits.split(np.zeros((counts.size, 1))))
    training = np.zeros((counts.size, len(parts)), dtype=np.bool_)
    for number, (train, _) in enumerate(parts):
        training[train, number] = True
    trained = counts @ training / bars
    if not trained.min() * bars > 2.0:
        return PurgedPaths(np.zeros(0), purge_bars, embargo_bars, 0.0)
    best = selected_sharpe(counts, totals, squares, training).argmax(axis=0)
    path_of = splits.get_path_ids()
    chosen = np.zeros((splits.n_test_paths, counts.size), dtype=np.int64)
    for number, (_, tests) in enumerate(parts):
        for path, test in zip(path_of[number], tests, strict=True):
            chosen[path, test] = best[number]
    everywhere = np.arange(counts.size)
    whole = np.ones((counts.size, 1), dtype=np.bool_)
    sharpe = selected_sharpe(counts, totals[chosen, everywhere], squares[chosen, everywhere], whole)[:, 0]
    return PurgedPaths(sharpe, purge_bars, embargo_bars, float(trained.min()))
