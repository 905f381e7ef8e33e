"""What dask workers are given once and keep: the bars of a sweep and the sets of a batch, as plugins of the worker.

A plugin also reaches workers that join later or are started again after they died.  Arguments of tasks would not do:
dask walks through every list in them for each task.  Importing this loads distributed.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import polars as pl
from distributed import WorkerPlugin, get_worker

from data.errors import Refused, SlipwayError, UsageError
from execution.strategy import CostModel, load_strategy
from execution.strategy.arrays import FloatArray
from research.passes import Prepared, prepare


class Work(WorkerPlugin):
    """What a sweep is of."""

    def __init__(
        self,
        source: str,
        strategy: str,
        bars: pl.DataFrame,
        capital: float,
        costs: CostModel,
        terms: Mapping[str, Any],
    ) -> None:
        self.name = f"slipway-sweep-{uuid4().hex}"
        self.source, self.strategy, self.bars = source, strategy, bars
        self.capital, self.costs, self.terms = capital, costs, terms

    def prepared(self, sets: Sequence[Mapping[str, Any]]) -> Prepared:
        strategy = load_strategy(self.source, self.strategy)
        made = [strategy(**each) for each in sets]
        return prepare(strategy, self.bars, made, capital=self.capital, costs=self.costs, **self.terms)


class Batch(WorkerPlugin):
    """Sets of a sweep, whose features a worker computes at its first chunk."""

    def __init__(self, work: str, sets: Sequence[Mapping[str, Any]]) -> None:
        self.name = f"{work}-{uuid4().hex}"
        self._work, self._sets = work, sets

    def setup(self, worker: Any) -> None:
        self._lock = threading.Lock()
        self._prepared: Prepared | None = None

    def prepared(self) -> Prepared:
        with self._lock:
            if self._prepared is None:
                self._prepared = _luggage(self._work).prepared(self._sets)
            return self._prepared


def _luggage(name: str) -> Any:
    return get_worker().plugins[name]


@dataclass(frozen=True, slots=True)
class Failure:
    """A SlipwayError of a worker; exceptions with two arguments do not survive pickling."""

    kind: type[SlipwayError]
    what: str
    fix: str


def run_on_worker(batch: str, chunk: slice) -> tuple[FloatArray, float] | Failure:
    """One chunk, and how long it took."""
    try:
        prepared = _luggage(batch).prepared()
        began = time.perf_counter()
        rows = prepared.run(chunk)
        return rows, time.perf_counter() - began
    except SlipwayError as error:
        kind = next(each for each in (UsageError, Refused, SlipwayError) if isinstance(error, each))
        return Failure(kind, error.what, error.fix)
