"""Drafts of runs and entries of the ledger as tests need them: small, valid, and different where asked."""

from datetime import date
from typing import Any

import numpy as np

from data import holdouts, runs, trials
from data.postgres import connect
from data.runs import Draft, Run
from data.storage import lake_storage
from data.trials import Entry, Moments

FIRST, LAST = date(2026, 9, 1), date(2026, 9, 30)


def draft(family: str = "crossover", **changes: Any) -> Draft:
    """A backtest's draft; `number` makes another run of it, everything else is a field of Draft."""
    inputs = {"class": family, "fast": changes.pop("number", 10)}
    given: dict[str, Any] = {
        "kind": "backtest",
        "family": family,
        "inputs": inputs,
        "bars": {"symbols": ["AAA"]},
        "snapshot": 1,
        "first": FIRST,
        "last": LAST,
        "statistics": {"sharpe": 1.5},
        "files": {"orders.parquet": b"orders", "statistics.json": b"{}"},
        "unrepeatable": None,
        "code": {"commit": "abc"},
        "created_by": "quant",
        "where_from": "a desk: slipway backtest",
    }
    return Draft(**given | changes)


def recorded(made: Draft | None = None) -> Run:
    """The draft's run, on record."""
    made = made or draft()
    with connect() as connection:
        outputs = runs.store(lake_storage(), made, runs.by_id(connection, made.id))
        runs.lock_family(connection, made.family)
        runs.enter(connection, made, outputs)
        holdouts.note_first_run(connection, made.family, made.first, made.last, made.id)
        found = runs.by_id(connection, made.id)
    assert found is not None
    return found


def entry(run: Run, sets: list[int], sharpes: list[float | None] | None = None, **changes: Any) -> Entry:
    """What `run` adds to the ledger: these sets, by number."""
    given: dict[str, Any] = {
        "family": run.family,
        "run_id": run.id,
        "bars_hash": "bars",
        "sets": np.array(sets, dtype=np.int64),
        "sharpes": Moments.of(sharpes if sharpes is not None else [1.0] * len(sets)),
        "bars_per_year": 252.0,
        "symbols": ("AAA",),
        "timeframe": "1d",
        "snapshot": 1,
        "first": run.first,
        "last": run.last,
        "who": "quant",
        "where_from": "a desk: slipway sweep",
    }
    return Entry(**given | changes)


def tried(number: int, sets: list[int], sharpes: list[float | None] | None = None, **changes: Any) -> int:
    """Record run `number` of a family with these sets; how many of them were new."""
    run = recorded(draft(changes.get("family", "crossover"), number=number))
    with connect() as connection:
        runs.lock_family(connection, run.family)
        return trials.enter(connection, entry(run, sets, sharpes, **changes))
