"""A run from its record alone: its source and its bars as they were, and whether the same bytes come of them."""

import json
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from data import runs
from data.errors import Refused
from data.postgres import connect
from data.runs import Run
from data.storage import Storage, lake_storage
from execution.strategy import CostModel, load_strategy
from research.records.drafts import (
    INPUTS_FILE,
    SETS_FILE,
    SOURCE_FILE,
    UNKNOWN_BARS,
    backtest_draft,
    parameter_names,
    parameter_rows,
    sweep_draft,
)
from research.records.inputs import terms_of
from research.records.provenance import Provenance, content_hash, read_again


@dataclass(frozen=True, slots=True)
class Repeated:
    """What came of running a record again."""

    run: Run
    result: Any
    """as the first time: a Backtest or a Sweep"""
    differing: tuple[str, ...]
    """the files that came out otherwise"""

    @property
    def identical(self) -> bool:
        return not self.differing

    def __str__(self) -> str:
        told = (
            "gave identical bytes"
            if self.identical
            else f"gave other bytes than before: {', '.join(self.differing)}"
        )
        return f"run {self.run.id} {told}"


def again(run_id: str, *, bars: pl.DataFrame | None = None) -> Repeated:
    """Run a record once more; `bars` gives those of a run whose bars did not come from the lake."""
    with connect() as connection:
        run = runs.find(connection, run_id)
    storage = lake_storage()
    inputs = json.loads(
        runs.content(storage, run, INPUTS_FILE)
    )  # Postgres would write some numbers otherwise
    strategy = _strategy(storage, run)
    seen = _bars(run, bars)
    terms, costs = terms_of(inputs), CostModel(**inputs["costs"])
    if run.kind == "backtest":
        from research.backtest import run_backtest

        made = strategy(**inputs["params"])
        done = run_backtest(made, seen, capital=inputs["capital"], costs=costs, **terms)
        draft, _ = backtest_draft(done, terms)
        return Repeated(run, done, runs.differing(run, draft.files))
    from research.sweep import sweep

    before = pl.read_parquet(runs.content(storage, run, SETS_FILE))
    names = parameter_names(strategy, before)
    sets = [strategy(**dict(zip(names, row, strict=True))) for row in parameter_rows(before, names)]
    found = sweep(strategy, seen, sets, capital=inputs["capital"], costs=costs, record=False, **terms)
    swept = replace(found, skipped=run.statistics["skipped"])
    draft, _ = sweep_draft(swept, seen, terms)
    return Repeated(run, swept, runs.differing(run, draft.files))


def _strategy(storage: Storage, run: Run) -> type[Any]:
    if run.kind == "validation" or SOURCE_FILE not in run.outputs or not _is_on_its_own(run):
        raise Refused(
            f"the run {run.id} cannot be run again: {run.unrepeatable}",
            "Its outputs are in the lake as they were: see `./slipway runs show`.",
        )
    return load_strategy(runs.content(storage, run, SOURCE_FILE).decode(), run.inputs["strategy"]["class"])


def _is_on_its_own(run: Run) -> bool:
    """Whether nothing but its bars keeps the run from being run again."""
    return run.unrepeatable is None or run.unrepeatable == UNKNOWN_BARS


def _bars(run: Run, given: pl.DataFrame | None) -> pl.DataFrame:
    content = run.inputs["bars"]["content"]
    if given is not None:
        if content_hash(given) != content:
            raise Refused(
                f"these are not the bars that the run {run.id} saw",
                "Give the very same, every value of them.",
            )
        return given
    if run.bars is None:
        raise Refused(
            f"the run {run.id} cannot be run again: {UNKNOWN_BARS}",
            f"Give them: again({run.id!r}, bars=…).",
        )
    return read_again(Provenance.from_json(run.bars), content)
