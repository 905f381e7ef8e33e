"""The same sweep on dask.distributed: the strategy travels as source text, the bars once; lost workers are survived."""

import logging
import queue
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import polars as pl

from data.errors import Refused, SlipwayError, Unavailable, UsageError
from execution.strategy import CostModel, Rule, load_strategy, strategy_source
from execution.strategy.arrays import FloatArray
from research.passes import Prepared, prepare
from research.sweep.running import POLL_S, Pace, Stop, cores

if TYPE_CHECKING:
    from distributed import Client

CHUNK_S: Final = 0.5
"""What a chunk should take here, where handing one out takes dask some 30 ms."""

LOST_WAIT_S: Final = 20.0
"""How long a cluster may have no worker: one that is started again takes a few seconds."""

SCATTERS_MAX: Final = 5  # each one means that every worker holding the bars was lost


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker needs once."""

    source: str
    name: str
    bars: pl.DataFrame
    capital: float
    costs: CostModel
    terms: Mapping[str, Any]

    def prepared(self, sets: Sequence[Mapping[str, Any]]) -> Prepared:
        strategy = load_strategy(self.source, self.name)
        made = [strategy(**each) for each in sets]
        return prepare(strategy, self.bars, made, capital=self.capital, costs=self.costs, **self.terms)


@dataclass(frozen=True, slots=True)
class Failure:
    """A SlipwayError of a worker; exceptions with two arguments do not survive pickling."""

    kind: type[SlipwayError]
    what: str
    fix: str


_ready: dict[str, Prepared] = {}
_lock = threading.Lock()


def run_on_worker(
    work: Work, sets: Sequence[Mapping[str, Any]], batch: str, chunk: slice
) -> tuple[FloatArray, float] | Failure:
    """One chunk, on a worker, which computes the features of a batch once."""
    try:
        with _lock:
            if batch not in _ready:
                _ready.clear()
                _ready[batch] = work.prepared(sets)
            prepared = _ready[batch]
        began = time.perf_counter()
        rows = prepared.run(chunk)
        return rows, time.perf_counter() - began
    except SlipwayError as error:
        kind = next(each for each in (UsageError, Refused, SlipwayError) if isinstance(error, each))
        return Failure(kind, error.what, error.fix)


@contextmanager
def dask_engine(client: "Client | None", workers: int | None, work: Work) -> Iterator["Dask"]:
    """The engine on a given cluster, or on one of processes on this machine that lasts as long as the sweep."""
    with ExitStack() as stack:
        if client is None:
            client = stack.enter_context(local_cluster(workers or cores()))
        yield Dask(client, work)


@contextmanager
def local_cluster(workers: int) -> "Iterator[Client]":
    """Processes of one thread each on this machine, without a dashboard."""
    import distributed

    kinds: Any = distributed  # whose constructors have no types
    with (
        tempfile.TemporaryDirectory(prefix="slipway-dask-") as folder,
        kinds.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            local_directory=folder,
        ) as cluster,
        kinds.Client(cluster) as client,
    ):
        yield client


class Dask:
    """Chunks on a dask cluster."""

    def __init__(self, client: "Client", work: Work) -> None:
        self._client: Any = client  # its methods have no types
        self._work = work
        self._scattered: Any = None
        self._scatters = 0

    def results(
        self, prepared: Prepared, todo: Sequence[slice], stop: Stop
    ) -> Iterator[tuple[slice, FloatArray]]:
        deal = _Deal(self, prepared, todo)
        try:
            yield from deal.results(stop)
        finally:
            deal.cancel()

    def submit(self, sets: Any, batch: str, chunk: slice) -> Any:
        return self._client.submit(run_on_worker, self.bars(), sets, batch, chunk, pure=False)

    def scatter(self, value: Any) -> Any:
        try:
            return self._client.scatter(value, broadcast=True, hash=False, timeout=LOST_WAIT_S)
        except TimeoutError:
            raise _all_lost(f"for {LOST_WAIT_S:.0f} s") from None

    def bars(self) -> Any:
        if self._scattered is None:
            self._scatters += 1
            if self._scatters > SCATTERS_MAX:
                raise _all_lost("again and again")
            self._scattered = self.scatter(self._work)
        return self._scattered

    def forget(self) -> None:
        """All who held the bars are gone."""
        self._scattered = None

    def threads(self) -> int:
        """That the cluster has now."""
        return sum(self._client.nthreads().values())


class _Deal:
    """One batch dealt out to the cluster's workers."""

    def __init__(self, dask: Dask, prepared: Prepared, todo: Sequence[slice]) -> None:
        self._dask = dask
        self._workers = _some_worker(dask)
        self._pace = Pace(todo, self._workers, len(prepared.ts_us) * len(prepared.symbols), CHUNK_S)
        self._sets = [each.params() for each in prepared.sets]
        self._batch = uuid4().hex
        self._running: dict[Any, slice] = {}
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._alone_since: float | None = None

    def results(self, stop: Stop) -> Iterator[tuple[slice, FloatArray]]:
        self._given = self._dask.scatter(self._sets) if self._sets else None
        while True:
            self._submit(stop)
            if not self._running:
                return
            try:
                future = self._finished.get(timeout=POLL_S)
            except queue.Empty:
                self._look_for_workers()
                continue
            chunk = self._running.pop(future, None)
            if chunk is None:
                continue
            rows = self._rows(future, chunk)
            if rows is not None:
                yield chunk, rows

    def cancel(self) -> None:
        for future in self._running:
            future.cancel()

    def _submit(self, stop: Stop) -> None:
        # Twice what they can run, so that nobody waits for the next.
        while len(self._running) < 2 * self._workers and not stop.requested and (chunk := self._pace.next()):
            future = self._dask.submit(self._given, self._batch, chunk)
            self._running[future] = chunk
            future.add_done_callback(self._finished.put)

    def _rows(self, future: Any, chunk: slice) -> FloatArray | None:
        """The chunk's rows; None when it was lost and is dealt out again."""
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        try:
            answer = future.result()
        except CancelledError:  # with the only workers that held the bars, or the answer
            self._dask.forget()
            self._given = self._dask.scatter(self._sets)
            self._pace.put_back(chunk)
            return None
        except KilledWorker as error:
            raise Unavailable(
                f"several dask workers died one after the other while they ran sets {chunk.start} to {chunk.stop - 1}",
                "See their logs; where they run out of memory, sweep fewer sets or give them more.",
            ) from error
        if isinstance(answer, Failure):
            raise answer.kind(answer.what, answer.fix)
        rows: FloatArray
        rows, seconds = answer
        self._pace.took(len(rows), seconds)
        return rows

    def _look_for_workers(self) -> None:
        threads = self._dask.threads()
        if threads:
            self._workers, self._alone_since = threads, None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > LOST_WAIT_S:
            raise _all_lost(f"for {LOST_WAIT_S:.0f} s")


def work_of(
    strategy: type[Rule], bars: pl.DataFrame, capital: float, costs: CostModel, terms: Mapping[str, Any]
) -> Work:
    """What travels to the workers, refused at once where the strategy cannot."""
    return Work(strategy_source(strategy), strategy.__name__, bars, capital, costs, dict(terms))


def _some_worker(dask: Dask) -> int:
    until = time.monotonic() + LOST_WAIT_S
    while not (threads := dask.threads()):
        if time.monotonic() > until:
            raise _all_lost(f"for {LOST_WAIT_S:.0f} s")
        time.sleep(POLL_S)
    return threads


def _all_lost(how: str) -> Unavailable:
    return Unavailable(
        f"the dask cluster had no worker left {how}",
        "Start workers again and continue with resume; what was finished is kept.",
    )
