"""The same sweep on dask.distributed: the strategy travels as source text, the bars once; lost workers are survived."""

import logging
import queue
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data.errors import Unavailable
from execution.strategy import CostModel, Rule, strategy_source
from execution.strategy.arrays import FloatArray
from research.passes import Prepared
from research.sweep.running import POLL_S, Pace, Stop, cores

if TYPE_CHECKING:
    from distributed import Client

    from research.sweep.luggage import Work

CHUNK_S: Final = 0.5
"""What a chunk should take here, where handing one out takes dask some 10 to 30 ms."""

LOST_WAIT_S: Final = 20.0
"""How long a cluster may have no worker: one that is started again takes a few seconds."""

ANSWER_WAIT_S: Final = 10.0
"""For some kilobytes that are ready; an answer that died with the last worker never comes."""

_DEAF: Final = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""A terminal sends Ctrl-C to workers too, which would die with tracebacks: only the sweep is to hear it."""


@contextmanager
def dask_engine(
    client: "Client | None",
    workers: int | None,
    strategy: type[Rule],
    bars: pl.DataFrame,
    capital: float,
    costs: CostModel,
    terms: Mapping[str, Any],
) -> Iterator["Dask"]:
    """The engine on a given cluster, or on one of processes on this machine that lasts as long as the sweep."""
    source = strategy_source(strategy)  # refused before a cluster is started for nothing
    from research.sweep.luggage import Work

    with ExitStack() as stack:
        there: Any = client or stack.enter_context(local_cluster(workers or cores()))
        work = Work(source, strategy.__name__, bars, capital, costs, dict(terms))
        there.register_plugin(work)
        stack.callback(there.unregister_worker_plugin, work.name)
        yield Dask(there, work)


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
            preload=[_DEAF],
            local_directory=folder,
        ) as cluster,
        kinds.Client(cluster) as client,
    ):
        yield client


class Dask:
    """Chunks on a dask cluster."""

    def __init__(self, client: "Client", work: "Work") -> None:
        self._client: Any = client  # its methods have no types
        self._work = work

    def results(
        self, prepared: Prepared, todo: Sequence[slice], stop: Stop
    ) -> Iterator[tuple[slice, FloatArray]]:
        from research.sweep.luggage import Batch

        batch = Batch(self._work.name, [each.params() for each in prepared.sets])
        workers = self._some_workers()
        pace = Pace(todo, workers, len(prepared.ts_us) * len(prepared.symbols), CHUNK_S)
        deal = _Deal(self._client, batch.name, pace, workers)
        try:
            self._client.register_plugin(batch)
            yield from deal.results(stop)
        finally:
            deal.cancel()
            self._client.unregister_worker_plugin(batch.name)

    def _some_workers(self) -> int:
        until = time.monotonic() + LOST_WAIT_S
        while not (threads := threads_of(self._client)):
            if time.monotonic() > until:
                raise _all_lost()
            time.sleep(POLL_S)
        return threads


class _Deal:
    """One batch dealt out to the cluster's workers."""

    def __init__(self, client: Any, batch: str, pace: Pace, workers: int) -> None:
        self._client, self._batch, self._pace, self._workers = client, batch, pace, workers
        self._running: dict[Any, slice] = {}
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._alone_since: float | None = None

    def results(self, stop: Stop) -> Iterator[tuple[slice, FloatArray]]:
        while True:
            self._submit(stop)
            if not self._running:
                return
            try:
                future = self._finished.get(timeout=POLL_S)
            except queue.Empty:
                self._look_for_workers()
                continue
            chunk = self._running.pop(future)
            rows = self._rows(future, chunk)
            if rows is not None:
                yield chunk, rows

    def cancel(self) -> None:
        for future in self._running:
            future.cancel()

    def _submit(self, stop: Stop) -> None:
        from research.sweep.luggage import run_on_worker

        # Twice what they can run, so that nobody waits for the next.
        while len(self._running) < 2 * self._workers and not stop.requested and (chunk := self._pace.next()):
            future = self._client.submit(run_on_worker, self._batch, chunk, pure=False)
            self._running[future] = chunk
            future.add_done_callback(self._finished.put)

    def _rows(self, future: Any, chunk: slice) -> FloatArray | None:
        """The chunk's rows; None when they were lost on the way and are dealt out again."""
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        from research.sweep.luggage import Failure

        try:
            answer = future.result(ANSWER_WAIT_S)
        except (CancelledError, TimeoutError):  # its worker died before it handed the answer over
            future.cancel()
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
        threads = threads_of(self._client)
        if threads:
            self._workers, self._alone_since = threads, None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > LOST_WAIT_S:
            raise _all_lost()


def threads_of(client: Any) -> int:
    """That the cluster has now."""
    return sum(client.nthreads().values())


def _all_lost() -> Unavailable:
    return Unavailable(
        f"the dask cluster had no worker left for {LOST_WAIT_S:.0f} s",
        "Start workers again and continue with resume; what was finished is kept.",
    )
