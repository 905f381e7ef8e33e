"""How a sweep tells of itself while it runs."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from execution.strategy.arrays import FloatArray
from research.passes import Prepared

TELL_EVERY_S: Final = 0.1
SHOW_AFTER_S: Final = 0.5  # what is over sooner needs no bar in a notebook


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
        self._told, self._by = told or _notebook_bar(), by
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


def _notebook_bar() -> Progress | None:
    """A line that updates itself under the cell, where a notebook is running."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display as showing
    from IPython.core.getipython import get_ipython

    screen: Any = showing  # without types
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    handle: Any = None

    def show(progress: SweepProgress) -> None:
        nonlocal handle
        over = progress.done >= progress.total
        if handle is None:
            if progress.seconds < SHOW_AFTER_S or over:
                return
            handle = screen.display(screen.HTML(_bar(progress)), display_id=True)
        else:
            handle.update(screen.HTML("" if over else _bar(progress)))

    return show


def _bar(progress: SweepProgress) -> str:
    return (
        f'<progress value="{progress.done}" max="{progress.total}" style="width:16em"></progress> '
        f"<small>{progress}</small>"
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
