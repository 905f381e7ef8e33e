"""A search that learns: optuna proposes a batch of sets, the pass runs it, and optuna hears what came of it.

Batches keep the fused pass efficient; within one, optuna's constant liar keeps proposals apart.  Everything follows
from the seed and from what was told, so a search that is continued proposes the very same sets again.
"""

import math
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

import polars as pl

from execution.strategy import Rule
from research.sweep.axes import Axis
from research.sweep.searches import Guided, Maker

BATCH: Final = 32
IN_VAIN_MAX: Final = 50
"""Proposals in a row without a new set before what is left of the space is taken as tried, or as refused."""


class GuidedPlan:
    """Optuna's proposals as batches of sets."""

    def __init__(self, strategy: type[Rule], search: Guided, axes: Sequence[Axis]) -> None:
        self.total = search.trials
        self._search, self._axes = search, axes
        self._maker = Maker(strategy)
        self._study = _study(search.seed)
        self._known: dict[tuple[Any, ...], float | None] = {}
        self._asked: list[tuple[Any, tuple[Any, ...]]] = []
        self._fresh: list[tuple[Any, ...]] = []

    @property
    def skipped(self) -> int:
        return self._maker.skipped

    def told(self) -> Iterable[str]:
        yield repr((self._search.trials, self._search.by, self._search.seed, version("optuna")))
        yield from map(repr, self._axes)

    def batch(self) -> list[Rule]:
        wanted = min(BATCH, self.total - len(self._known))
        sets: list[Rule] = []
        fresh: set[tuple[Any, ...]] = set()
        refused: set[tuple[Any, ...]] = set()
        in_vain = 0
        while len(sets) < wanted and in_vain < IN_VAIN_MAX:
            in_vain += 1
            trial = self._study.ask()
            values = tuple(_suggested(trial, axis) for axis in self._axes)
            if values in self._known:
                self._tell(trial, self._known[values])
                continue
            if values in fresh:
                self._asked.append((trial, values))  # answered with its twin
                continue
            made = None if values in refused else self._make(values)
            if made is None:
                refused.add(values)
                self._tell(trial, None)
                continue
            fresh.add(values)
            self._asked.append((trial, values))
            sets.append(made)
            in_vain = 0
        self._maker.refuse_if_none(len(sets) + len(self._known))
        self._fresh = list(dict.fromkeys(values for _, values in self._asked))
        if not sets:
            self.total = len(self._known)
        return sets

    def learn(self, frame: pl.DataFrame) -> None:
        self._known.update(zip(self._fresh, frame[self._search.by].to_list(), strict=True))
        for trial, values in self._asked:
            self._tell(trial, self._known[values])
        self._asked = []

    def _make(self, values: tuple[Any, ...]) -> Rule | None:
        return self._maker.make({axis.name: value for axis, value in zip(self._axes, values, strict=True)})

    def _tell(self, trial: Any, value: float | None) -> None:
        from optuna.trial import TrialState

        if value is None or not math.isfinite(value):
            self._study.tell(trial, state=TrialState.PRUNED)  # which it ranks below every value
        else:
            self._study.tell(trial, value)


def _suggested(trial: Any, axis: Axis) -> Any:
    if axis.is_ordered:
        return axis.at(trial.suggest_float(axis.name, 0.0, 1.0))
    return trial.suggest_categorical(axis.name, list(axis.values))


def _study(seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=BATCH, multivariate=True, constant_liar=True
    )
    return optuna.create_study(direction="maximize", sampler=sampler)
