"""What a sweep tries: a grid, a list, random sets, or sets that learn from those before them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, Protocol

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy import Rule
from execution.strategy.rule import Senseless
from research.statistics import NAMES
from research.sweep.axes import Axis, Grid, axes_of, checked_grid
from research.sweep.limits import refuse_too_many

DRAWS_PER_SET_MAX: Final = 50
"""Draws without a new set before a random search takes the rest of the space as tried."""


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """Distinct sets drawn evenly from the parameters' bounds (or `over` the values given)."""

    count: int
    seed: int = 0
    over: Grid | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Guided:
    """Sets proposed by optuna's tree of Parzen estimators, which learns where `by` is high."""

    trials: int
    by: str = "sharpe"
    seed: int = 0
    over: Grid | None = field(default=None, hash=False)


Search = Grid | Sequence[Mapping[str, Any] | Rule] | pl.DataFrame | RandomSearch | Guided


class Plan(Protocol):
    """The sets to run, a batch at a time."""

    total: int

    @property
    def skipped(self) -> int:
        """Refused by the strategy so far."""

    def told(self) -> Iterable[str]:
        """All that decides which sets these are, in words."""

    def batch(self) -> list[Rule]:
        """The next ones to run; none when the search is over."""

    def learn(self, frame: pl.DataFrame) -> None:
        """What came of the last batch."""


def random_search(count: int, seed: int = 0, over: Grid | None = None) -> RandomSearch:
    """`count` distinct sets, the same for the same seed; fewer where there are not so many."""
    _positive(count, "a random search")
    return RandomSearch(count, seed, over)


def guided(trials: int, by: str = "sharpe", seed: int = 0, over: Grid | None = None) -> Guided:
    """Up to `trials` sets, chosen batch by batch to make `by` high, the same for the same seed."""
    _positive(trials, "a guided search")
    refuse_unknown(by)
    return Guided(trials, by, seed, over)


def refuse_unknown(statistic: str) -> None:
    """Say which statistics there are when this is none."""
    if statistic not in NAMES:
        raise UsageError(f"there is no statistic {statistic!r}", f"Rank by one of: {', '.join(NAMES)}.")


def plan_of(strategy: type[Rule], search: Search) -> Plan:
    """The plan of a search, everything wrong with it said before anything runs."""
    match search:
        case RandomSearch():
            return Fixed(*_drawn(strategy, search))
        case Guided():
            from research.sweep.guiding import GuidedPlan

            refuse_too_many(search.trials, "the guided search")
            return GuidedPlan(strategy, search, axes_of(strategy, search.over))
        case Mapping():
            return Fixed(*_crossed(strategy, search))
        case pl.DataFrame():
            return Fixed(_listed(strategy, _rows(strategy, search)))
        case Sequence():
            return Fixed(_listed(strategy, search))
    raise UsageError(
        f"a sweep cannot search {search!r}",
        "Give a grid like {'fast': range(5, 60)}, a list of sets, random_search(…) or guided(…).",
    )


def in_words(search: Search) -> str:
    """How the sets are found."""
    match search:
        case RandomSearch(count, seed):
            return f"random: {count:,} sets, seed {seed}"
        case Guided(trials, by, seed):
            return f"guided: {trials:,} trials by {by}, seed {seed}"
        case Mapping():
            return "grid"
    return "list"


def parameter_sets(strategy: type[Rule], grid: Grid) -> list[Rule]:
    """The grid as strategies, the last parameter turning fastest, without those that the strategy refuses."""
    return _crossed(strategy, grid)[0]


class Fixed:
    """Sets that are known before the first one runs."""

    def __init__(self, sets: list[Rule], skipped: int = 0) -> None:
        self.total = len(sets)
        self._skipped = skipped
        self._sets = self._left = sets

    @property
    def skipped(self) -> int:
        return self._skipped

    def told(self) -> Iterable[str]:
        return map(repr, self._sets)

    def batch(self) -> list[Rule]:
        sets, self._left = self._left, []
        return sets

    def learn(self, frame: pl.DataFrame) -> None:
        """Nothing depends on it."""


class Maker:
    """Makes sets of checked values, and counts those that the strategy refuses."""

    def __init__(self, strategy: type[Rule]) -> None:
        self.strategy = strategy
        self.skipped = 0
        self._first: UsageError | None = None

    def make(self, values: Mapping[str, Any]) -> Rule | None:
        """The set, None when the strategy refuses it."""
        try:
            return self.strategy(**values)
        except Senseless as error:
            self.skipped += 1
            self._first = self._first or error
            return None

    def refuse_if_none(self, made: int) -> None:
        """A search that leaves no set to run is an error, with the reason of the first refusal."""
        if made == 0 and self._first is not None:
            raise UsageError(
                f"{self.strategy.__name__} refuses every set of the search ({self.skipped:,} of them), "
                f"the first because {self._first.what}",
                "Search where its parameters make sense together.",
            ) from self._first


def _crossed(strategy: type[Rule], grid: Grid) -> tuple[list[Rule], int]:
    values = checked_grid(strategy, grid)
    refuse_too_many(math.prod(map(len, values.values())), "the grid")
    maker = Maker(strategy)
    made = (maker.make(dict(zip(values, chosen, strict=True))) for chosen in product(*values.values()))
    sets = [each for each in made if each is not None]
    maker.refuse_if_none(len(sets))
    return sets, maker.skipped


def _drawn(strategy: type[Rule], search: RandomSearch) -> tuple[list[Rule], int]:
    refuse_too_many(search.count, "the random search")
    axes, random, maker = axes_of(strategy, search.over), np.random.default_rng(search.seed), Maker(strategy)
    sets: list[Rule] = []
    seen: set[tuple[Any, ...]] = set()
    in_vain = 0
    while len(sets) < search.count and in_vain < DRAWS_PER_SET_MAX:
        drawn = _values(axes, random.random(len(axes)))
        in_vain += 1
        if drawn in seen:
            continue
        seen.add(drawn)
        made = maker.make(dict(zip((axis.name for axis in axes), drawn, strict=True)))
        if made is not None:
            sets.append(made)
            in_vain = 0
    maker.refuse_if_none(len(sets))
    return sets, maker.skipped


def _values(axes: Sequence[Axis], places: Any) -> tuple[Any, ...]:
    return tuple(axis.at(float(place)) for axis, place in zip(axes, places, strict=True))


def _rows(strategy: type[Rule], frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The sets in a frame, which may be an earlier sweep's: its statistics are left aside."""
    names = [name for name in frame.columns if name not in NAMES or name in strategy.declared_params()]
    if not names:
        raise UsageError(
            f"the frame has no column of a parameter of {strategy.__name__}",
            f"Its parameters are: {', '.join(strategy.declared_params()) or 'none'}.",
        )
    return frame.select(names).to_dicts()


def _listed(strategy: type[Rule], listed: Sequence[Mapping[str, Any] | Rule]) -> list[Rule]:
    if not listed:
        raise UsageError("the list has no sets", "Give at least one, such as {'fast': 10}.")
    refuse_too_many(len(listed), "the list")
    made = (_one(strategy, number, each) for number, each in enumerate(listed, 1))
    return list(dict.fromkeys(made))  # said twice it is tried once, and counts once


def _one(strategy: type[Rule], number: int, given: Mapping[str, Any] | Rule) -> Rule:
    if isinstance(given, strategy):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(
            f"set {number} of the list is {given!r}, not one of {strategy.__name__}",
            "Give its parameters, such as {'fast': 10}, or an instance.",
        )
    try:
        return strategy(**given)
    except UsageError as error:
        raise UsageError(f"set {number} of the list: {error.what}", error.fix) from error


def _positive(count: int, what: str) -> None:
    if count < 1:
        raise UsageError(f"{what} of {count} sets tries nothing", "Ask for at least one.")
