"""How a sweep's work is dealt out: chunks of sets to threads or to a cluster, and a Ctrl-C that loses nothing."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from data.errors import UsageError
from execution.strategy.arrays import FloatArray
from research.passes import Prepared
from research.sweep.parts import Parts, missing
from research.sweep.progress import Watch

CHUNK_S: Final = 0.25
"""What a chunk should take: often enough for progress, parts and Ctrl-C, rarely enough to cost nothing."""

SMALLER_MAX: Final = 10
"""Towards the end chunks are this much smaller, but no more, or dealing them out would cost more than they do."""

FIRST_CHUNK_BAR_SETS: Final = 100_000_000  # before anything was measured; a tenth of a second or less
POLL_S: Final = 0.2


class SweepStopped(KeyboardInterrupt):
    """Ctrl-C: what was finished is kept, unless there is `trouble`."""

    def __init__(self, done: int, total: int, trouble: str | None) -> None:
        self.what = f"stopped by Ctrl-C with {done:,} of {total:,} sets finished"
        self.trouble = trouble
        kept = "They are kept: the same sweep with resume=True continues from there."
        super().__init__(f"{self.what}. {kept if trouble is None else f'They are lost: {trouble}.'}")


@dataclass(slots=True)
class Stop:
    """Whether somebody pressed Ctrl-C."""

    requested: bool = False


class Engine(Protocol):
    """Runs chunks somewhere."""

    def results(
        self, prepared: Prepared, todo: Sequence[slice], stop: Stop
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Every set of `todo` in chunks, as they finish; after `stop` only what was running already."""


class Runner:
    """Runs batches of sets, keeps what is finished and tells of it."""

    def __init__(self, engine: Engine, parts: Parts, watch: Watch, stop: Stop) -> None:
        self._engine, self._parts, self._watch, self._stop = engine, parts, watch, stop

    def run(self, prepared: Prepared, first: int, total: int) -> FloatArray:
        """The tallies of all sets of this batch, which are numbers `first` and up of `total` in the sweep."""
        count = len(prepared.sets)
        tallies = np.empty((count, 0))
        done = 0

        def take(chunk: slice, rows: FloatArray, ran: bool) -> None:
            nonlocal tallies, done
            if not tallies.size:
                tallies = np.empty((count, rows.shape[1]))
            tallies[chunk] = rows
            done += len(rows)
            self._watch.seen(prepared, chunk, rows, total, ran=ran)

        kept = self._parts.kept(first, count)
        for chunk, rows in kept:
            take(chunk, rows, False)
        todo = missing(count, [chunk for chunk, _ in kept])
        self._watch.begin()
        try:
            for chunk, rows in self._engine.results(prepared, todo, self._stop):
                self._parts.add(first + chunk.start, rows)
                take(chunk, rows, True)
        except UsageError:  # the strategy's own fault: it would fail again
            raise
        except BaseException:
            self._parts.flush()
            raise
        if done < count:
            self._parts.flush()
            raise SweepStopped(first + done, total, self._parts.trouble)
        return tallies


class Threads:
    """All cores of this machine; the pass releases the interpreter's lock."""

    def __init__(self, count: int | None) -> None:
        self._count = cores() if count is None else count
        if self._count < 1:
            raise UsageError(f"a sweep cannot run on {self._count} threads", "Give one or more.")

    def results(
        self, prepared: Prepared, todo: Sequence[slice], stop: Stop
    ) -> Iterator[tuple[slice, FloatArray]]:
        pace = Pace(todo, self._count, len(prepared.ts_us) * len(prepared.symbols), CHUNK_S)
        running: dict[Future[tuple[FloatArray, float]], slice] = {}
        with ThreadPoolExecutor(self._count) as pool:
            try:
                while True:
                    while len(running) <= self._count and not stop.requested and (chunk := pace.next()):
                        running[pool.submit(_timed, prepared, chunk)] = chunk
                    if not running:
                        return
                    for each in wait(running, POLL_S, FIRST_COMPLETED).done:
                        chunk = running.pop(each)
                        rows, seconds = each.result()
                        pace.took(len(rows), seconds)
                        yield chunk, rows
            except BaseException:  # a failing set: do not run the rest first
                pool.shutdown(cancel_futures=True)
                raise


class Pace:
    """Cuts what is to do into chunks that take about `chunk_s`, smaller towards the end so that all finish together."""

    def __init__(self, todo: Sequence[slice], workers: int, bars: int, chunk_s: float) -> None:
        self._todo = list(todo)[::-1]
        self._left = sum(each.stop - each.start for each in todo)
        self._workers, self._chunk_s = workers, chunk_s
        self._least = 1
        self._size = max(1, FIRST_CHUNK_BAR_SETS // max(1, bars))

    def next(self) -> slice | None:
        if not self._todo:
            return None
        run = self._todo.pop()
        share = -(-self._left // (2 * self._workers))
        size = max(self._least, min(self._size, share))
        chunk = slice(run.start, min(run.stop, run.start + size))
        if chunk.stop < run.stop:
            self._todo.append(slice(chunk.stop, run.stop))
        self._left -= chunk.stop - chunk.start
        return chunk

    def put_back(self, chunk: slice) -> None:
        """It was lost on the way: to be dealt out again."""
        self._todo.append(chunk)
        self._left += chunk.stop - chunk.start

    def took(self, sets: int, seconds: float) -> None:
        self._size = max(1, min(int(sets * self._chunk_s / max(seconds, 1e-6)), 4 * self._size))
        self._least = max(1, self._size // SMALLER_MAX)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Ctrl-C only asks to stop while this lasts; the second one interrupts at once, as it always does."""
    stop = Stop()
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield stop
        return

    def ask(number: int, frame: Any) -> None:
        stop.requested = True
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def _timed(prepared: Prepared, chunk: slice) -> tuple[FloatArray, float]:
    began = time.perf_counter()
    rows = prepared.run(chunk)
    return rows, time.perf_counter() - began
