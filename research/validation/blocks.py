"""Sums over stretches of bars, merged into fewer and turned into Sharpe ratios of any selection of them."""

import numpy as np
from numpy.typing import NDArray

from research.statistics.sums import FloatArray


def merged(counts: FloatArray, sums: FloatArray, groups: int) -> tuple[FloatArray, FloatArray]:
    """(counts, sums) of at most `groups` consecutive groups of blocks, as even as whole blocks allow."""
    firsts = np.arange(min(groups, counts.size)) * counts.size // min(groups, counts.size)
    return np.add.reduceat(counts, firsts), np.add.reduceat(sums, firsts, axis=-1)


def selected_sharpe(
    counts: FloatArray, totals: FloatArray, squares: FloatArray, chosen: NDArray[np.bool_]
) -> FloatArray:
    """Per-bar Sharpe ratio of every set (rows) on every selection of blocks (columns of `chosen`: blocks × many).

    A set that never moved there made nothing with no risk: 0.
    """
    weight = chosen.astype(np.float64)
    bars = counts @ weight
    mean = totals @ weight
    mean /= bars
    variance = squares @ weight
    floor = 1e-14 * variance
    variance -= bars * np.square(mean)
    with np.errstate(all="ignore"):
        ratio = mean / np.sqrt(variance / (bars - 1.0))
    ratio[~(variance > floor)] = 0.0
    return np.asarray(ratio)
