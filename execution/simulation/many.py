"""Many worlds on all cores."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from execution.simulation.world import Outcome, run_seed, silence

AT_ONCE: Final = 50
"""Seeds that a process takes: about a second and a half of work."""


def run_seeds(first: int, count: int, processes: int | None = None) -> Iterator[list[Outcome]]:
    """The outcomes, in order, some at a time."""
    parts = [
        range(begin, min(begin + AT_ONCE, first + count)) for begin in range(first, first + count, AT_ONCE)
    ]
    with ProcessPoolExecutor(processes or len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(live_through, parts)


def live_through(seeds: range) -> list[Outcome]:
    """These worlds, one after the other, without their logs."""
    with silence():
        return [run_seed(seed) for seed in seeds]
