"""How many bars does a feature need before it no longer matters where the data began?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from execution.strategy import Feature
from execution.strategy.arrays import BarArrays, FloatArray
from research.detectors.histories import differs, distance, session_ends, usual_size
from research.detectors.readings import read

CLOSE: Final = 1e-9
"""relative; a decision turns on less only where two numbers tie"""

ROUGHLY: Final = 1e-6
"""relative; a running sum over a still market keeps rounding errors of this size"""

Settles = Literal["exactly", "closely", "roughly", "slowly", "never", "too long"]


@dataclass(frozen=True, slots=True)
class FeatureWarmUp:
    """The bars that a feature needs, counted from 1; the worst of several beginnings."""

    feature: str
    first_value: int | None
    """at which it gives a number; None where these bars do not suffice"""
    exact: int | None
    """from which on its bits are those of the full history; None where some never are"""
    close: int | None
    """from which on it is within 1e-9 of it, relative, or within 1e-6 where it settles roughly; None where never"""
    settles: Settles
    apart: float
    """how far apart they still are at the end, relative; 0 where that is within 1e-9"""

    def evidence(self) -> str:
        """One sentence."""
        value = "" if self.first_value is None else f"first value at bar {self.first_value:,}; "
        match self.settles:
            case "exactly" if self.exact == self.close:
                return f"{value}from bar {self.exact:,} on the same wherever the data begins"
            case "exactly":
                near = f"from bar {self.close:,} on within 1e-9 of what it is with all of history"
                return f"{value}{near}, from bar {self.exact:,} on the same"
            case "closely":
                near = f"from bar {self.close:,} on within 1e-9 of what it is with all of history"
                return f"{value}{near}; its last digits depend on where the data begins"
            case "roughly":
                near = f"from bar {self.close:,} on within {self.apart:.0e} of what it is with all of history"
                return f"{value}{near}: a running sum keeps rounding errors"
            case "slowly":
                return f"{value}it comes closer all the time, but at the end of these bars {self.apart:.0e} is left"
            case "never":
                return f"{value}it depends on where the data begins and never forgets it"
            case "too long":
                return "it needs more bars than there are here"

    def fix(self) -> str:
        """What to do."""
        match self.settles:
            case "never":
                return (
                    "Live must start where research did, as an artifact's anchor makes it; "
                    "better, use a difference of it, such as its change over some bars."
                )
            case "slowly" | "too long":
                return "Check it on more bars, or shorten its period."
        return ""


def late_starts(bars: BarArrays, random: np.random.Generator) -> list[int]:
    """Bars at which the data might have begun: the second one, at the begin of a session, right after it, at any."""
    half = len(bars) // 2
    ends = session_ends(bars.ts_us)
    ends = ends[ends < half - 2]
    chosen = [1, *random.integers(1, half, 4).tolist()] if half > 1 else []
    # Right after a session's begin the next one is farthest.
    for end in random.choice(ends, min(2, len(ends)), replace=False).tolist() if len(ends) else []:
        chosen += [end + 1, end + 2]
    return sorted({int(each) for each in chosen if 0 < each < half})


@dataclass(slots=True)
class _Seen:
    """The worst of all beginnings so far."""

    first_value: int = 0
    exact: int = 0
    close: int = 0
    never_exact: bool = False
    settles: Settles = "exactly"
    apart: float = 0.0


def warm_up(
    features: Mapping[str, Feature], bars: BarArrays, starts: Sequence[int]
) -> dict[str, FeatureWarmUp]:
    """By the feature's name, over several beginnings of the data."""
    full = read(features, bars).columns
    usual = {name: usual_size(column) for name, column in full.items()}
    seen = {name: _Seen() for name in full}
    for start in sorted(starts):
        late = read({name: features[name] for name in full}, bars.part(start, len(bars))).columns
        for name, column in late.items():
            # What began earlier has already told that so few bars are not enough.
            if len(column) >= 2 * seen[name].close or start == min(starts):
                _look(seen[name], full[name][start:], column, usual[name])
    return {name: _told(name, each) for name, each in seen.items()}


def _look(seen: _Seen, known: FloatArray, late: FloatArray, usual: float) -> None:
    values = np.flatnonzero(~np.isnan(late))
    if not len(values):
        if not seen.first_value:
            seen.settles = "too long"
        return
    apart = distance(known, late, usual)
    seen.first_value = max(seen.first_value, int(values[0]) + 1)
    latest = by_then(int(values[0]), len(late))
    exact, close = after(differs(known, late)), after(apart > CLOSE)
    seen.never_exact = seen.never_exact or exact > latest
    seen.exact = max(seen.exact, exact)
    if close <= latest:
        seen.close = max(seen.close, close)
        if seen.never_exact and seen.settles == "exactly":
            seen.settles = "closely"
        return
    seen.apart = max(seen.apart, float(apart[-len(apart) // 4 :].max()))
    if seen.settles in ("slowly", "never"):  # an earlier begin, with more bars to judge by, has told
        return
    if _comes_closer(np.abs(known - late)[values[0] :]):
        seen.settles = "slowly"
    elif seen.apart <= ROUGHLY:
        seen.settles = "roughly"
        seen.close = max(seen.close, after(apart > ROUGHLY))
    else:
        seen.settles = "never"


def _comes_closer(apart: FloatArray) -> bool:
    """What accumulates stays as far apart as it was."""
    quarter = max(len(apart) // 4, 1)
    before, end = np.nan_to_num(apart[quarter : 2 * quarter]), np.nan_to_num(apart[-quarter:])
    return bool(end.max() < 0.9 * before.max(initial=0.0))


_SETTLED: Final = ("exactly", "closely", "roughly")


def by_then(needed: int, bars: int) -> float:
    """The bar after which it is too late to have settled: what settles there may not have settled at all."""
    return needed + 0.75 * (bars - needed)


def after(differing: NDArray[np.bool_]) -> int:
    """The first bar, counted from 1, after which nothing differs any more."""
    where = np.flatnonzero(differing)
    return int(where[-1]) + 2 if len(where) else 1


def _told(name: str, seen: _Seen) -> FeatureWarmUp:
    return FeatureWarmUp(
        feature=name,
        first_value=seen.first_value or None,
        exact=None if seen.never_exact or seen.settles == "too long" else max(seen.exact, seen.first_value),
        close=max(seen.close, seen.first_value) if seen.settles in _SETTLED else None,
        settles=seen.settles,
        apart=seen.apart,
    )
