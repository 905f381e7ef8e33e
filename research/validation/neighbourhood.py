"""Does the chosen set stand on a plateau or on a spike?  Its neighbours in the sweep tell."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from research.statistics.sums import FloatArray

STEPS: Final = 2
"""Grid values away, in each parameter."""

NEAREST: Final = 8
"""Where parameters were drawn and no grid says what is near: so many of the nearest."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The sets around the chosen one."""

    neighbours: int
    positive: float
    """share with a Sharpe ratio above zero; a set that never traded has none"""
    median_ratio: float
    """their median Sharpe ratio over the chosen one's"""


def neighbourhood(parameters: pl.DataFrame, sharpe: FloatArray, chosen: int) -> Neighbourhood | None:
    """Of the set in row `chosen`; None where no other set is near or its Sharpe ratio is not above zero.

    A word is near only to itself, numbers are near by rank among the values tried.
    """
    if not sharpe[chosen] > 0.0:
        return None
    away = np.zeros((len(sharpe), 0))
    alike = np.ones(len(sharpe), dtype=np.bool_)
    for name in parameters.columns:
        values = parameters[name].to_numpy()
        if parameters[name].dtype.is_numeric():
            ranks = np.unique(values, return_inverse=True)[1]
            away = np.column_stack((away, np.abs(ranks - ranks[chosen])))
        else:
            alike &= values == values[chosen]
    furthest = away.max(axis=1, initial=0.0)
    near = alike & (furthest <= STEPS)
    near[chosen] = False
    if near.sum() < 2:
        order = np.argsort(np.where(alike, np.square(away).sum(axis=1), np.inf), kind="stable")
        others = order[(order != chosen) & alike[order]][:NEAREST]
        near = np.isin(np.arange(len(sharpe)), others)
    if not near.any():
        return None
    theirs = np.nan_to_num(sharpe[near])
    return Neighbourhood(
        int(near.sum()), float((theirs > 0.0).mean()), float(np.median(theirs) / sharpe[chosen])
    )
