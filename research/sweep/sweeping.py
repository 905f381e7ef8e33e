"""A sweep: every parameter set of a search through one fused pass, on all cores."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy import CostModel, Rule
from execution.strategy.rule import check_class
from research.passes import Blocks, Prepared, prepare
from research.passes.books import LEVERAGE, Fill, check_bars
from research.sweep.parts import Parts, sweep_name
from research.sweep.progress import Progress, Watch
from research.sweep.result import Sweep
from research.sweep.running import Engine, Runner, Threads, stoppable
from research.sweep.searches import Guided, Plan, Search, in_words, plan_of, refuse_unknown

if TYPE_CHECKING:
    from distributed import Client

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def sweep(
    strategy: type[Rule],
    bars: pl.DataFrame,
    search: Search,
    *,
    capital: float = 100_000.0,
    costs: CostModel | None = None,
    lot: float = 1.0,
    leverage: float = LEVERAGE,
    fill: Fill = "next_open",
    trade_from: date | datetime | None = None,
    actions: pl.DataFrame | None = None,
    delay_bars: int = 0,
    by: str | None = None,
    threads: int | None = None,
    engine: Literal["threads", "dask"] = "threads",
    client: "Client | None" = None,
    progress: Progress | None = None,
    resume: bool = False,
    record: bool = True,
) -> Sweep:
    """Try every set of `search`: a grid of values by parameter, a list of sets, `random_search(…)` or `guided(…)`.

    What a set leaves out keeps its default.  Several symbols are independent books of capital / symbols each, and the
    statistics are those of their sum.  Sets that the strategy refuses (fast ≥ slow) are skipped and counted, in a list
    they are errors.  `progress` hears how far it is and the best so far by `by`; notebooks show it by themselves.

    Ctrl-C keeps what is finished, and so does a crash up to its last second; the same call with `resume` continues and
    gives the same bits.  `engine="dask"` runs on the cluster of `client`, or on processes of this machine; the result
    is the same.
    """
    began = time.perf_counter()
    by = by or (search.by if isinstance(search, Guided) else "sharpe")
    refuse_unknown(by)
    check_class(strategy)
    check_bars(bars)
    _keep_out_of_holdout(strategy, bars)
    terms: dict[str, Any] = {
        "lot": lot, "leverage": leverage, "fill": fill, "trade_from": trade_from,
        "actions": _known_actions(bars) if actions is None else actions,
        "delay_bars": delay_bars,
    }  # fmt: skip
    costs = costs or CostModel()
    plan = plan_of(strategy, search)
    parts = Parts(
        lambda: sweep_name(strategy, bars, terms | {"capital": capital, "costs": costs}, plan.told())
    )
    if resume:
        parts.find()
    watch = Watch(progress, by)
    done: list[tuple[Prepared, pl.DataFrame, Blocks]] = []
    with (
        stoppable() as stop,
        _engine(engine, client, threads, strategy, bars, capital, costs, terms) as chosen,
    ):
        runner = Runner(chosen, parts, watch, stop)
        first = 0
        while batch := plan.batch():
            prepared = prepare(strategy, bars, batch, capital=capital, costs=costs, **terms)
            tallies = runner.run(prepared, first, plan.total)
            done.append((prepared, prepared.frame(tallies), prepared.blocks(tallies)))
            plan.learn(done[-1][1])
            first += len(batch)
    found = _found(strategy, bars, done, plan, capital, costs, time.perf_counter() - began)
    found = _recorded(found, bars, terms, search, record)
    parts.discard()
    return found


@contextmanager
def _engine(
    engine: str,
    client: "Client | None",
    threads: int | None,
    strategy: type[Rule],
    bars: pl.DataFrame,
    capital: float,
    costs: CostModel,
    terms: dict[str, Any],
) -> Iterator[Engine]:
    if engine == "threads" and client is None:
        yield Threads(threads)
    elif engine == "dask":
        from research.sweep.on_dask import dask_engine

        with dask_engine(client, threads, strategy, bars, capital, costs, terms) as made:
            yield made
    else:
        raise UsageError(
            f"there is no engine {engine!r}"
            if client is None
            else "a dask client was given to the engine 'threads'",
            'Use engine="threads", or engine="dask".',
        )


def _found(
    strategy: type[Rule],
    bars: pl.DataFrame,
    done: list[tuple[Prepared, pl.DataFrame, Blocks]],
    plan: Plan,
    capital: float,
    costs: CostModel,
    seconds: float,
) -> Sweep:
    from research.records import Unrecorded

    prepared, _, blocks = done[0]
    return Sweep(
        strategy=strategy,
        frame=pl.concat([frame for _, frame, _ in done]),
        blocks=replace(
            blocks,
            totals=np.concatenate([each.totals for _, _, each in done]),
            squares=np.concatenate([each.squares for _, _, each in done]),
        ),
        bars=bars,
        symbols=prepared.symbols,
        capital=capital,
        costs=costs,
        bars_per_year=prepared.bars_per_year,
        first_utc=_utc(prepared.ts_us[0]),
        last_utc=_utc(prepared.ts_us[-1]),
        skipped=plan.skipped,
        seconds=seconds,
        record=Unrecorded("it is not finished"),
    )


def _keep_out_of_holdout(strategy: type[Rule], bars: pl.DataFrame) -> None:
    from research.records import keep_out_of_holdout

    keep_out_of_holdout(strategy, bars)


def _known_actions(bars: pl.DataFrame) -> pl.DataFrame | None:
    from research.records import known_actions

    return known_actions(bars)


def _recorded(found: Sweep, bars: pl.DataFrame, terms: dict[str, Any], search: Search, record: bool) -> Sweep:
    from research.records import record_sweep

    return replace(
        found, record=record_sweep(found, bars, terms=terms, search=in_words(search), record=record)
    )


def _utc(ts_us: np.int64) -> datetime:
    return _EPOCH + timedelta(microseconds=int(ts_us))
