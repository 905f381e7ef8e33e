"""How a sweep tells of itself while it runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from data.notebook_bar import notebook_bar
from execution.strategy.arrays import FloatArray
from research.passes import Prepared

TELL_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep is, and the best it has found."""

    done: int
    total: int
    seconds: float
    eta_s: float | None
    """None until something has run"""
    by: str
    best: dict[str, Any] | None
    """parameters of the best set so far; None while no set has this statistic"""
    best_value: float | None

    def __str__(self) -> str:
        left = "" if self.eta_s is None or self.done == self.total else f", {self.eta_s:,.0f} s left"
        return f"{self.done:,} of {self.total:,} sets{left}{self.so_far and ', '}{self.so_far}"

    @property
    def so_far(self) -> str:
        """The best in words, empty while there is none."""
        if self.best is None or self.best_value is None:
            return ""
        values = ", ".join(f"{name}={_short(value)}" for name, value in self.best.items())
        return f"best {self.by.replace('_', ' ')} {self.best_value:.3g} at {values or 'its defaults'}"


Progress = Callable[[SweepProgress], None]


class Watch:
    """Keeps count of a running sweep and tells whoever listens, not too often."""

    def __init__(self, told: Progress | None, by: str) -> None:
        self._told, self._by = told or _in_the_notebook(), by
        self._began = time.perf_counter()
        self._running_since: float | None = None
        self._next = 0.0
        self._done = self._ran = 0
        self._best: tuple[float, dict[str, Any]] | None = None

    def begin(self) -> None:
        """From here on sets run: what came before does not count for the rate."""
        if self._running_since is None:
            self._running_since = time.perf_counter() - self._began

    def seen(self, prepared: Prepared, chunk: slice, tallies: FloatArray, total: int, *, ran: bool) -> None:
        """These sets are done; `ran` is false for those of an earlier process."""
        self._done += len(tallies)
        self._ran += len(tallies) if ran else 0
        if self._told is None:
            return
        self._rank(prepared, chunk, tallies)
        now = time.perf_counter() - self._began
        if now >= self._next or self._done >= total:
            self._next = now + TELL_EVERY_S
            self._told(self._progress(total, now))

    def _progress(self, total: int, now: float) -> SweepProgress:
        eta = None
        if self._ran and self._running_since is not None:
            eta = (now - self._running_since) / self._ran * (total - self._done)
        value, best = self._best or (None, None)
        return SweepProgress(self._done, total, now, eta, self._by, best, value)

    def _rank(self, prepared: Prepared, chunk: slice, tallies: FloatArray) -> None:
        values = prepared.statistics(tallies)[self._by]
        if np.isnan(values).all():
            return
        place = int(np.nanargmax(values))
        if self._best is None or values[place] > self._best[0]:
            self._best = float(values[place]), prepared.sets[chunk.start + place].params()


def _in_the_notebook() -> Progress | None:
    bar = notebook_bar()
    return None if bar is None else lambda so_far: bar(so_far.done, so_far.total, str(so_far))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
