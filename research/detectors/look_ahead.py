"""Does a feature know what comes later?  The future is taken away or told otherwise; what was before must stay."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from execution.strategy import Feature
from execution.strategy.arrays import BarArrays, FloatArray
from research.detectors.histories import FUTURES, Future, differs, distance, in_words, moment, usual_size
from research.detectors.readings import Readings, read

ROUNDING: Final = 1e-9
"""What changes by less, whatever the future, is arithmetic in another order and not knowledge."""

MEASURED_LEAKS: Final = 6
"""at so many bars it is measured how far a feature looks ahead"""


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature's value that the future changes."""

    feature: str
    symbol: str
    bar: int
    ts_us: int
    value: float
    """with all of the data"""
    otherwise: float
    future: str
    """what was different"""
    bars_ahead: int
    """the farthest bar, after its own, that one of its values depended on"""
    whole: bool
    """it depends on the data to its end"""
    steady: bool
    """it looks equally far ahead everywhere"""
    rounding: bool
    """so little changes that it knows nothing"""

    def evidence(self) -> str:
        """One sentence."""
        at = f"bar {self.bar} ({self.symbol}, {moment(self.ts_us)} UTC)"
        said = f"at {at} it is {in_words(self.value)}, but {in_words(self.otherwise)} {self.future}"
        if self.rounding:
            return f"{said}: its last digits depend on how many bars follow"
        ahead = f"{self.bars_ahead:,} bar{'s' if self.bars_ahead != 1 else ''} ahead"
        reach = "to the end of the data" if self.whole else ahead if self.steady else f"up to {ahead}"
        return f"{said}: it looks {reach}"

    def fix(self) -> str:
        """What to do."""
        if self.rounding:
            return "Nothing needs to be done to explore; write it with @bar_by_bar before you publish."
        if self.whole:
            return (
                "Work it out over a rolling window, or from the start to each bar: a mean, a rank or a fit "
                "over the whole frame knows the future."
            )
        if self.steady:
            return (
                f"Let its window end at the bar itself, or read it {self.bars_ahead} bars later with lag(…)."
            )
        return (
            "Use the last finished period, as previous_session(…) does, or stamp periods with their ends; "
            "do not fill backwards."
        )


class _Hit(NamedTuple):
    keep: int
    future: Future
    bar: int
    value: float
    otherwise: float
    apart: float


class LookAhead(NamedTuple):
    """What was found on one symbol."""

    leaks: dict[str, Leak]
    raised: dict[str, tuple[int, str]]
    """features that raised where fewer bars were there: how many, and why"""


def look_ahead(
    features: Mapping[str, Feature], bars: BarArrays, cuts: Sequence[int], symbol: str = ""
) -> LookAhead:
    """Each feature's worst leak, by the feature's name.

    After each of the bars `cuts` the future is changed in several ways.
    """
    full = read(features, bars).columns
    usual = {name: usual_size(column) for name, column in full.items()}
    hits: dict[str, list[_Hit]] = {name: [] for name in full}
    raised: dict[str, tuple[int, str]] = {}
    looked_at = {name: features[name] for name in full}
    for cut in cuts:
        for future in FUTURES:
            keep = cut + 1
            told = read(looked_at, future.told(bars, keep))
            for name, why in told.raised.items():
                if future is FUTURES[0]:
                    raised[name] = (keep, why)
            for name in told.columns:
                hit = _hit(name, told, full[name][:keep], keep, future, usual[name])
                if hit is not None:
                    hits[name].append(hit)
    leaks = {name: _leak(name, looked_at[name], bars, found, symbol) for name, found in hits.items() if found}
    return LookAhead(leaks, raised)


def _hit(
    name: str, told: Readings, known: FloatArray, keep: int, future: Future, usual: float
) -> _Hit | None:
    before = told.columns[name][:keep]
    changed = np.flatnonzero(differs(known, before))
    if not len(changed):
        return None
    apart = distance(known, before, usual)
    # Of what changes at all the newest bar tells best how far ahead it looks.
    more = np.flatnonzero(apart > ROUNDING)
    bar = int(more[-1] if len(more) else changed[-1])
    return _Hit(keep, future, bar, float(known[bar]), float(before[bar]), float(apart[bar]))


def _leak(name: str, feature: Feature, bars: BarArrays, hits: Sequence[_Hit], symbol: str) -> Leak:
    rounding = all(hit.apart <= ROUNDING for hit in hits)
    real = [hit for hit in hits if rounding or hit.apart > ROUNDING]
    # Of the futures in their order: where bars are missing by chance, how far it looks is told by chance.
    telling = next(same for future in FUTURES if (same := [hit for hit in real if hit.future is future]))
    measured = [(hit, _bars_ahead(name, feature, bars, hit)) for hit in _spread(telling, MEASURED_LEAKS)]
    reaches = [(reach, len(bars) - 1 - hit.bar) for hit, reach in measured]
    whole = _to_the_end(reaches)
    ahead = max(reach for reach, _ in reaches)
    inside = [reach for reach, left in reaches if reach < left]
    shown = [hit for hit, reach in measured if reach == ahead or (whole and reach > 1)]
    best = max(shown, key=lambda hit: (math.isfinite(hit.value) and math.isfinite(hit.otherwise), hit.bar))
    return Leak(
        feature=name,
        symbol=symbol,
        bar=best.bar,
        ts_us=int(bars.ts_us[best.bar]),
        value=best.value,
        otherwise=best.otherwise,
        future=best.future.said.format(moment(int(bars.ts_us[best.keep - 1]))),
        bars_ahead=ahead,
        whole=whole,
        steady=len(inside) > 1 and len(set(inside)) == 1,
        rounding=rounding,
    )


def _spread(hits: Sequence[_Hit], count: int) -> list[_Hit]:
    places = np.unique(np.linspace(0, len(hits) - 1, min(count, len(hits))).astype(int))
    return [hits[place] for place in places]


def _to_the_end(reaches: Sequence[tuple[int, int]]) -> bool:
    """Whether half of what was measured reaches nearly as far as there are bars; a value may stop moving a little
    before."""
    return sum(reach >= 0.5 * left and left > 1 for reach, left in reaches) * 2 > len(reaches)


def _bars_ahead(name: str, feature: Feature, bars: BarArrays, hit: _Hit) -> int:
    """The fewest bars after its own that must be known before it is what it is with all of them; by bisection."""
    known, unknown = len(bars), hit.bar
    wanted = np.array([hit.value])
    tolerance = 0.0 if hit.apart <= ROUNDING else ROUNDING
    while known - unknown > 1:
        keep = (known + unknown) // 2
        told = read({name: feature}, hit.future.told(bars, keep)).columns.get(name)
        there = told is not None and len(told) > hit.bar
        if there and told is not None and _same(wanted, told[hit.bar : hit.bar + 1], tolerance):
            known = keep
        else:
            unknown = keep
    return known - 1 - hit.bar


def _same(left: FloatArray, right: FloatArray, tolerance: float) -> bool:
    return bool(distance(left, right, 0.0)[0] <= tolerance)
