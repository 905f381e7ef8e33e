"""Does a feature say live, bar by bar, what it said in research over whole columns?  Starts in the middle included."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from execution.strategy import Feature, Ohlcv
from execution.strategy.arrays import BarArrays, FloatArray
from research.detectors.histories import copied, differs, distance, in_words, moment, usual_size
from research.detectors.look_ahead import ROUNDING
from research.detectors.readings import read, said

FROM_THE_START: Final = 600
AFTER_A_RESTART: Final = 40


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The first bar at which the two forms of a feature differ, or at which the live form raises."""

    feature: str
    symbol: str
    bar: int
    ts_us: int
    batch: float
    live: float
    history: int
    """the bars that the live form had been started on"""
    raised: str | None = None

    def evidence(self) -> str:
        """One sentence."""
        at = f"at bar {self.bar} ({self.symbol}, {moment(self.ts_us)} UTC)"
        started = f"started on {self.history:,} bars" if self.history else "started on nothing"
        if self.raised:
            return f"{at} its live form, {started}, fails: {self.raised}"
        return f"{at} its live form, {started}, gives {in_words(self.live)} where research had {in_words(self.batch)}"


def disagreements(
    features: Mapping[str, Feature], bars: BarArrays, restarts: Sequence[int], symbol: str = ""
) -> dict[str, Disagreement]:
    """By the feature's name; what is not exact may differ by rounding."""
    columns = read(features, bars).columns
    stretches = [(0, min(FROM_THE_START, len(bars)))]
    stretches += [(first, min(first + AFTER_A_RESTART, len(bars))) for first in restarts if first > 0]
    found: dict[str, Disagreement] = {}
    for first, last in stretches:
        told = [bars.bar(at) for at in range(first, last)]
        for name, column in columns.items():
            if name not in found:
                differing = _first(features[name], bars, first, told, column)
                if differing is not None:
                    place, live, why = differing
                    found[name] = Disagreement(
                        name, symbol, place, int(bars.ts_us[place]), float(column[place]), live, first, why
                    )
    return found


def _first(
    feature: Feature, bars: BarArrays, first: int, told: Sequence[Ohlcv], column: FloatArray
) -> tuple[int, float, str | None] | None:
    live = np.empty(len(told))
    done, why = 0, None
    try:
        with np.errstate(all="ignore"):
            stream = feature.incremental(copied(bars.part(0, first)))
            for place, bar in enumerate(told):
                live[place] = stream.update(bar)
                done = place + 1
    except Exception as error:  # whatever a person's feature raises is a finding
        why = said(error)
    research = column[first : first + done]
    if feature.exact:
        apart = differs(research, live[:done])
    else:
        apart = distance(research, live[:done], usual_size(column)) > ROUNDING
    if apart.any():
        place = int(np.argmax(apart))
        return first + place, float(live[place]), None
    return (first + done, math.nan, why) if why else None
