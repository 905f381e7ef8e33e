"""How contestants are timed: one after the other in each round, so that a noisy moment hits all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timed:
    """One contestant's time for all rows: the median over the rounds."""

    contest: str
    name: str
    seconds: float
    rows: int
    """of the contest; a slow peer gets fewer, and its time is scaled up"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who does the work of a contest; the first of each contest is ours."""

    contest: str
    name: str
    run: Callable[[], object]
    rows: int
    """handled by one run"""
    prepare: Callable[[], object] = lambda: None
    """before each run, not timed"""
    share: float = 1.0
    """of the rows of the contest: a slow peer gets fewer, and its time is scaled up"""


def alternate(contestants: Sequence[Contestant], rounds: int) -> Iterator[Timed]:
    """Every contestant once per round; the median of each."""
    taken: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for place, contestant in enumerate(contestants):
            contestant.prepare()
            gc.collect()
            started = time.perf_counter()
            contestant.run()
            taken[place].append(time.perf_counter() - started)
    for contestant, times in zip(contestants, taken, strict=True):
        seconds = statistics.median(times) / contestant.share
        yield Timed(contestant.contest, contestant.name, seconds, round(contestant.rows / contestant.share))
