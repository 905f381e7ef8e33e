"""How many bars until a rule decides what it decides with all of history, in the same position?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from execution.strategy import Feature, Portfolio, Strategy
from execution.strategy.arrays import FloatArray
from research.detectors.decisions import Columns, situations, targets
from research.detectors.histories import History, differs, distance, in_words, moment, usual_size
from research.detectors.readings import read
from research.detectors.warm_up import CLOSE, after, by_then


@dataclass(frozen=True, slots=True)
class Settling:
    """When decisions no longer depend on where the data began."""

    bars: int
    """after which they agreed to the end, the worst of several beginnings, counted from 1"""
    depends: bool
    """decisions still differed at the end of the bars, or nearly so"""
    ties: int
    """decisions that the last digits of a feature turned, at any time, in one of two beginnings"""
    last: str = ""
    """the last decision that differed, in words"""

    def evidence(self) -> str:
        """One sentence."""
        if self.depends:
            return f"after {self.bars:,} bars decisions still depend on where the data begins: {self.last}"
        return f"from bar {self.bars:,} on they are the same wherever the data begins"


def settling(
    rule: Strategy | Portfolio,
    history: History,
    columns: Columns,
    held: Mapping[str, FloatArray],
    decided: FloatArray,
    begins: Sequence[int],
    needed: int,
) -> Settling:
    """`held` and `decided` are the positions and the targets with all of history, `begins` instants to begin at,
    `needed` the bars that those features need which do settle."""
    features = rule.feature_specs()
    full = situations(rule, history, columns)
    usual: FloatArray = np.array(
        [[[usual_size(columns[symbol][name]) for symbol in history]] for name in features]
    )
    worst = Settling(1, False, 0)
    ties = 0
    for begin in sorted(begins):
        here = full.ts_us >= begin
        if here.sum() < 2 * needed and begin != min(begins):
            continue  # so few bars tell nothing
        late = situations(rule, history, _late(features, history, begin))
        far = (distance(full.features, late.features, usual) > CLOSE).any(axis=(0, 2)) & here
        told = targets(rule, late, held, history, far)
        differing = differs(told, decided) & far[:, None]
        for place in range(len(history)):
            own = here & full.present[:, place]
            bars = after(differing[own, place])
            if bars > worst.bars:
                last = int(np.flatnonzero(differing[:, place])[-1])
                symbol, at = tuple(history)[place], moment(int(full.ts_us[last]))
                said = (
                    f"at {at} UTC the target of {symbol} is {in_words(float(told[last, place]))} with data from "
                    f"{moment(begin)} on and {in_words(float(decided[last, place]))} with all of it"
                )
                worst = Settling(bars, bars > by_then(needed, int(own.sum())), 0, said)
        if begin in (min(begins), max(begins)):  # each asks the rule about nearly every bar
            near = differs(full.features, late.features).any(axis=(0, 2)) & here & ~far
            turned = differs(targets(rule, late, held, history, near), decided) & near[:, None]
            ties = max(ties, int(turned.sum()))
    return replace(worst, ties=ties)


def _late(features: Mapping[str, Feature], history: History, begin: int) -> dict[str, dict[str, FloatArray]]:
    """Columns as long as those of all bars, NaN before the begin."""
    made: dict[str, dict[str, FloatArray]] = {}
    for symbol, bars in history.items():
        first = int(np.searchsorted(bars.ts_us, begin))
        late = read(features, bars.part(first, len(bars))).columns
        made[symbol] = {
            name: np.concatenate(
                (np.full(first, math.nan), late.get(name, np.full(len(bars) - first, math.nan)))
            )
            for name in features
        }
    return made
