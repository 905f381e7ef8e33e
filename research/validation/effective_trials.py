"""How many independent trials a sweep amounts to: neighbours in a grid hold nearly the same positions.

The number asked for is the one that makes the *maximum* right, since the best of a sweep is what gets reported.  The
trials' returns per block, standardised, are multiplied by normal noise and added up, many times: that keeps their
correlation and takes away their means (the multiplier bootstrap of a maximum: Chernozhukov, Chetverikov and Kato,
Annals of Statistics 41, 2013; the idea of White's reality check, Econometrica 68, 2000).  As many independent
trials as have the same expected maximum is the answer.

Counting eigenvalues instead (the participation ratio) asks how many directions carry the variance.  It finds four in
a thousand trials that correlate by one half, whose best is as lucky as the best of sixty independent ones.

What the ledger adds, trials of earlier sweeps, is counted in full, one by one: nothing is known of how they correlate
with these, and to count too many is the safe side.  The price is small, for a maximum grows with the root of a
logarithm: 1,000 earlier trials on top of 50 raise the bar by two fifths, 10,000 by seven tenths.
"""

from typing import Final

import numpy as np

from research.statistics.sums import FloatArray
from research.validation.sharpe_tests import expected_maximum

DRAWS: Final = 1000
"""The mean of so many maxima is known to about 0.02 deviations."""

_ROWS: Final = 2000
"""Trials multiplied at once: 16 MB."""


def effective_trials(counts: FloatArray, totals: FloatArray, *, draws: int = DRAWS, seed: int = 0) -> float:
    """Independent trials with the expected maximum of these (sets × blocks), from 1 to the sets that ever traded.

    Blocks bound what can be told apart: take many more than the answer's logarithm, a hundred or so.
    """
    means = totals / counts
    away = means - means.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(away).sum(axis=1))
    moving = length > 1e-12 * np.abs(means).max(axis=1, initial=0.0)
    directions = away[moving] / length[moving, None]
    if len(directions) < 2:
        return float(len(directions))
    noise = np.random.default_rng(seed).standard_normal((directions.shape[1], draws))
    noise -= noise.mean(axis=0)  # the directions have no mean either
    noise *= np.sqrt(noise.shape[0] / (noise.shape[0] - 1.0))
    highest = np.full(draws, -np.inf)
    for first in range(0, len(directions), _ROWS):
        np.maximum(highest, (directions[first : first + _ROWS] @ noise).max(axis=0), out=highest)
    return _trials_with_maximum(float(highest.mean()), len(directions))


def _trials_with_maximum(maximum: float, most: int) -> float:
    low, high = 1.0, float(most)
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if expected_maximum(middle) < maximum else (low, middle)
    return high
