"""What a feature is: one output of a computation that has a form for whole columns and a form for one bar more."""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from execution.strategy.arrays import BarArrays, FloatArray, Ohlcv

WORTH_A_THREAD_BARS: Final = 20_000
"""Below, a thread takes longer to start than a feature to compute."""


class Running(Protocol):
    """A computation carried forward one bar at a time."""

    def update(self, bar: Ohlcv) -> Sequence[float]:
        """Its outputs at this bar, NaN while they warm up."""


class Computation(Protocol):
    """What one or more features come from.  Hashable: equal ones are computed once."""

    @property
    def exact(self) -> bool:
        """Whether the two forms agree bit for bit from the first bar of the data on."""

    def batch(self, bars: BarArrays) -> tuple[FloatArray, ...]:
        """Its outputs, one value per bar, NaN while they warm up."""

    def incremental(self, history: BarArrays) -> Running:
        """One that has already seen `history`."""


@runtime_checkable
class InPlace(Protocol):
    """A computation whose single output is written where it is wanted, while other threads run."""

    def write(self, bars: BarArrays, out: FloatArray) -> None:
        """What `batch` would return."""


class Exact:
    """Both forms of the computation agree bit for bit."""

    __slots__ = ()

    @property
    def exact(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Feature:
    """What `features()` returns under each name."""

    computation: Computation
    output: int = 0

    @property
    def exact(self) -> bool:
        """Whether a running engine computes the very bits that research did; `vectorised` ones may not."""
        return self.computation.exact

    def batch(self, bars: BarArrays) -> FloatArray:
        """One value per bar, NaN while it warms up."""
        return self.computation.batch(bars)[self.output]

    def incremental(self, history: BarArrays) -> "Stream":
        """A stream that has already seen `history`."""
        return Stream(self.computation.incremental(history), self.output)


class Stream:
    """A feature carried forward one bar at a time."""

    __slots__ = ("_output", "_running")

    def __init__(self, running: Running, output: int) -> None:
        self._running, self._output = running, output

    def update(self, bar: Ohlcv) -> float:
        """The feature's value at this bar, NaN while it warms up."""
        return self._running.update(bar)[self._output]


def lay_down(features: Mapping[Feature, int], bars: BarArrays, table: FloatArray) -> None:
    """Every feature over these bars as the row of the table that it is given, on all cores."""
    wanted = _by_computation(features)

    def compute(computation: Computation) -> None:
        of_it = wanted[computation]
        if isinstance(computation, InPlace):
            computation.write(bars, table[features[of_it[0]]])
            return
        outputs = computation.batch(bars)
        for feature in of_it:
            table[features[feature]] = outputs[feature.output]

    if len(wanted) == 1 or len(bars) < WORTH_A_THREAD_BARS:
        for computation in wanted:
            compute(computation)
        return
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(compute, wanted):
            pass


def feature_columns(features: Iterable[Feature], bars: BarArrays) -> dict[Feature, FloatArray]:
    """Every feature over these bars; what several of them come from is computed once."""
    wanted = _by_computation(features)
    outputs = {computation: computation.batch(bars) for computation in wanted}
    return {each: outputs[each.computation][each.output] for of_it in wanted.values() for each in of_it}


def _by_computation(features: Iterable[Feature]) -> dict[Computation, list[Feature]]:
    wanted: dict[Computation, list[Feature]] = {}
    for feature in dict.fromkeys(features):
        wanted.setdefault(feature.computation, []).append(feature)
    return wanted
