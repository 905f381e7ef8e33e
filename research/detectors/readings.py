"""Features over bars, each told apart by the name under which the strategy reads it, also where one of them raises."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from execution.strategy import Feature
from execution.strategy.arrays import BarArrays, FloatArray
from research.detectors.histories import copied


class Readings(NamedTuple):
    """What features gave."""

    columns: dict[str, FloatArray]
    raised: dict[str, str]
    """of those that gave nothing: why"""


def read(features: Mapping[str, Feature], bars: BarArrays) -> Readings:
    """Every feature's batch form; what several of them come from is computed once."""
    made: dict[object, tuple[FloatArray, ...] | str] = {}
    columns: dict[str, FloatArray] = {}
    raised: dict[str, str] = {}
    for name, feature in features.items():
        if feature.computation not in made:
            made[feature.computation] = _outputs(feature, bars)
        outputs = made[feature.computation]
        if isinstance(outputs, str):
            raised[name] = outputs
        else:
            columns[name] = outputs[feature.output]
    return Readings(columns, raised)


def _outputs(feature: Feature, bars: BarArrays) -> tuple[FloatArray, ...] | str:
    try:
        with np.errstate(all="ignore"):
            outputs = tuple(each.copy() for each in feature.computation.batch(copied(bars)))
    except Exception as error:  # whatever a person's feature raises is a finding
        return said(error)
    shape = outputs[feature.output].shape
    return outputs if shape == (len(bars),) else f"it gave an array of shape {shape} for {len(bars)} bars"


def said(error: Exception) -> str:
    """An error in a few words."""
    what = getattr(error, "what", None)
    return str(what) if what else f"{type(error).__name__}: {error}"
