"""One parameter as an axis that a search moves along: a number from 0 to 1 becomes a value within its bounds."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.errors import UsageError
from execution.strategy import Rule
from execution.strategy.params import Param

Grid = Mapping[str, Iterable[Any] | Any]
"""parameter -> the values to try, or the one value"""


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter's values: listed, or between two bounds with its step and its scale."""

    name: str
    values: tuple[Any, ...]
    """empty: anything between the bounds"""
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def is_ordered(self) -> bool:
        """Whether neighbours are alike: numbers are, words are not."""
        return not any(isinstance(value, str) for value in self.values)

    def at(self, place: float) -> Any:
        """The value at `place`, from 0 (included) to 1 (excluded)."""
        if not self.values:
            return self._between(place)
        if not self.log:
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        # As likely as its share of the logarithmic scale.
        half = (self.values[1] - self.values[0]) / 2 if len(self.values) > 1 else 0.0
        low, high = max(self.values[0] - half, self.values[0] / 2), self.values[-1] + half
        wanted = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        return self.values[int(np.argmin(np.abs(np.asarray(self.values, dtype=float) - wanted)))]

    def _between(self, place: float) -> float:
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return min(max(math.exp(low + place * (high - low)), self.low), self.high)
        return self.low + place * (self.high - self.low)


def axes_of(strategy: type[Rule], over: Grid | None) -> list[Axis]:
    """The axes of a search: the parameters named in `over`, or all that have bounds or choices."""
    if over is not None:
        return [Axis(name, values) for name, values in checked_grid(strategy, over).items()]
    declared = strategy.declared_params()
    found = [axis for name, each in declared.items() if (axis := _axis(name, each)) is not None]
    if not found:
        raise UsageError(
            f"no parameter of {strategy.__name__} has bounds or choices to search within",
            "Declare them, as in param(10, low=2, high=60), or say where to search: over={'fast': range(2, 61)}.",
        )
    return found


def checked_grid(strategy: type[Rule], grid: Grid) -> dict[str, tuple[Any, ...]]:
    """The grid's values as the strategy declares them; each is checked once, not once for every set."""
    declared = strategy.declared_params()
    checked = {}
    for name, given in grid.items():
        if name not in declared:
            strategy(**{name: None})  # the contract says which there are
        listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        if not listed:
            raise UsageError(f"the grid has no values for {name}", "Give each parameter at least one value.")
        values = (declared[name].checked(value, strategy.__name__) for value in listed)
        checked[name] = tuple(dict.fromkeys(values))  # said twice it is tried once, and counts once
    return checked


def _axis(name: str, declared: Param[Any]) -> Axis | None:
    if declared.choices:
        return Axis(name, tuple(declared.choices))
    low, high = declared.low, declared.high
    if low is None or high is None:
        return None
    step, log = declared.step, declared.log
    if step is None and isinstance(declared.default, int):
        step = 1
    if step is None:
        return Axis(name, (), low, high, log)
    count = math.floor((high - low) / step + 1e-9) + 1
    values = tuple(declared.checked(low + step * number, name) for number in range(count))
    return Axis(name, values, low, high, log)
