"""Pages of runs on record, from their records alone."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from data import runs
from data.errors import Refused, SlipwayError, UsageError
from data.postgres import connect
from data.runs import Run
from data.storage import lake_storage
from execution.strategy import CostModel, load_strategy
from research.records import Provenance, Record, again
from research.records.drafts import INPUTS_FILE, SETS_FILE, SOURCE_FILE
from research.records.inputs import terms_of
from research.records.provenance import read_again
from research.reports.believing import (
    Checked,
    checked,
    origin_of,
    validated_by,
)
from research.reports.comparison import compare, refuse_other_count
from research.reports.page import Report
from research.reports.sweep_page import sweep_report
from research.reports.tear_sheet import tear_sheet

if TYPE_CHECKING:
    from research.backtest import Backtest

Progress = Callable[[int, int, str], None]
"""progress(steps done, steps in all, what is done now)"""


@dataclass(frozen=True, slots=True)
class _Sweep:
    """A sweep as its record has it: what its page shows."""

    strategy: type[Any]
    frame: pl.DataFrame
    symbols: Sequence[str]
    skipped: int
    record: object


def report_of_runs(ids: Sequence[str], progress: Progress | None = None) -> Report:
    """The page of one run, or of several backtests side by side.

    A backtest is run again and refused if other bytes come of it; a sweep's page shows the rows that are on record.
    """
    asked = _found(ids)
    told = progress or (lambda _done, _total, _what: None)
    if len(asked) == 1 and asked[0].kind == "sweep":
        told(0, 1, "drawing")
        return _sweep_page(asked[0])
    _refuse_sweeps(asked)
    if len(asked) > 1:
        refuse_other_count(len(asked))
    shown = []
    for number, run in enumerate(asked):
        told(number, len(asked) + 1, f"running {run.id} again")
        shown.append(_made_again(run))
    told(len(asked), len(asked) + 1, "drawing")
    if len(asked) > 1:
        return compare([backtest for backtest, _ in shown])
    backtest, verdict = shown[0]
    return tear_sheet(backtest, verdict, origin_of(backtest, record=backtest.record))


def _found(ids: Sequence[str]) -> list[Run]:
    with connect() as connection:
        asked = [runs.find(connection, each) for each in ids]
    named = [run.id for run in asked]
    for run in named:
        if named.count(run) > 1:
            raise UsageError(f"the run {run} is named twice", "Name each run once.")
    return asked


def _refuse_sweeps(asked: Sequence[Run]) -> None:
    sweeps = [run.id for run in asked if run.kind == "sweep"]
    if sweeps:
        raise UsageError(
            f"the run {sweeps[0]} is a sweep, which stands beside nothing",
            f"Write its own page with `./slipway report {sweeps[0]}`, or backtest its best set and compare that.",
        )


def _sweep_page(run: Run) -> Report:
    frame = pl.read_parquet(runs.content(lake_storage(), run, SETS_FILE))
    named = type(run.inputs["strategy"]["class"], (), {})  # its page asks for no more than its name
    return sweep_report(_Sweep(named, frame, run.inputs["symbols"], run.statistics["skipped"], _record(run)))


def _made_again(run: Run) -> "tuple[Backtest, Checked]":
    if run.kind == "validation":
        return _judged_again(run)
    done = again(run.id)
    if not done.identical:
        raise SlipwayError(
            str(done), f"Compare the code: it was recorded by the commit {run.code['commit'][:12]}."
        )
    return replace(done.result, record=_record(run)), checked(None)


def _judged_again(run: Run) -> "tuple[Backtest, Checked]":
    """The backtest of the set that a validation judged, and what it said: its sweep knows whether that can be."""
    from research.backtest import run_backtest

    _refuse_unless_on_its_own(run)
    storage = lake_storage()
    inputs = json.loads(runs.content(storage, run, INPUTS_FILE))
    rows = pl.read_parquet(runs.content(storage, run, "checks.parquet")).to_dicts()
    source = runs.content(storage, run, SOURCE_FILE).decode()
    strategy = load_strategy(source, inputs["strategy"]["class"])(**inputs["params"])
    assert run.bars is not None, "its sweep can be run again, on the same bars"
    seen = read_again(Provenance.from_json(run.bars), inputs["bars"]["content"])
    done = run_backtest(
        strategy, seen, capital=inputs["capital"], costs=CostModel(**inputs["costs"]), **terms_of(inputs)
    )
    _refuse_other_figures(run, done, rows)
    return replace(done, record=_record(run)), validated_by(run, rows)


def _refuse_unless_on_its_own(run: Run) -> None:
    named = re.fullmatch(r"run ([0-9a-f]+)", str(run.inputs["settings"]["sweep"]))
    if named and run.bars is not None and SOURCE_FILE in run.outputs:
        with connect() as connection:
            swept = runs.by_id(connection, named[1])
        if swept is not None and swept.unrepeatable is None:
            return
    raise Refused(
        f"the backtest that the validation {run.id} judged cannot be made again from its record",
        "Validate again with bars of research.bars and a strategy in a file of its own.",
    )


def _refuse_other_figures(run: Run, done: "Backtest", rows: Sequence[dict[str, Any]]) -> None:
    judged = {row["name"]: row["value"] for row in rows}
    found = {"trades": done.statistics["trades"], "drawdown": -done.statistics["max_drawdown"]}
    other = [name for name, value in found.items() if judged.get(name, value) != value]
    if other:
        raise SlipwayError(
            f"the backtest that the validation {run.id} judged gave other figures than before: {', '.join(other)}",
            f"Compare the code: it was recorded by the commit {run.code['commit'][:12]}.",
        )


def _record(run: Run) -> Record:
    return Record(run.id, False, run.unrepeatable)
