"""How far a result is to be believed: what validation said, and where the result is on record."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from data.errors import UsageError
from data.runs import Run
from research.records import Record
from research.reports.provenance import code_of, facts_of, files_of, run_of
from research.reports.words import params_in_words, plain

if TYPE_CHECKING:
    from research.backtest import Backtest
    from research.validation import Validation

CheckRows = Sequence[Mapping[str, Any]]
"""A row for every check, with name, value, threshold, passed and explanation."""

Rows = tuple[tuple[str, str], ...]

NOT_VALIDATED: Final = "Not validated"
UNSAID: Final = "not recorded: nothing was said about a run when this report was made"


@dataclass(frozen=True, slots=True)
class Check:
    """One row of a validation."""

    name: str
    value: str
    threshold: str
    verdict: str
    """passed, failed, or no evidence, which passes nothing"""
    explanation: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A validation in words; without checks nothing was validated."""

    says: str
    tone: str
    """good, bad or open"""
    checks: tuple[Check, ...] = ()
    chosen: Rows = ()
    """the verdict in its own words, what the set was chosen from, how many trials count, where that is on record"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a result came from."""

    recorded: bool
    ledger: str
    rows: Rows


def checked(validation: "Validation | CheckRows | None", backtest: "Backtest | None" = None) -> Checked:
    """What a validation, or its rows alone, amount to; that of another set than the backtest's is refused."""
    if validation is None or isinstance(validation, Sequence):
        return amounts_to(validation or ())
    _refuse_another_set(validation, backtest)
    found = validation.evidence
    chosen = chosen_from(
        found.sets,
        found.earlier_trials,
        independent=found.independent_trials,
        judged_on=_range(found.result),
        record=str(validation.record or "not recorded"),
    )
    return amounts_to(validation.rows(), (("verdict", validation.verdict), *chosen))


def validated_by(run: Run, rows: CheckRows) -> Checked:
    """The same, from a validation's record and the rows in its file."""
    settings = run.inputs["settings"]
    on = f"{', '.join(run.inputs['symbols'])}, {run.first:%-d %b %Y} to {run.last:%-d %b %Y}"
    chosen = chosen_from(
        settings["sets"],
        settings["earlier_trials"],
        judged_on=on,
        record=f"run {run.id}, of {settings['sweep']}",
    )
    return amounts_to(rows, (("verdict", str(run.statistics["verdict"])), *chosen))


def amounts_to(rows: CheckRows, chosen: Rows = ()) -> Checked:
    """The verdict of rows: passed only if every check is."""
    if not rows:
        return Checked(NOT_VALIDATED, "open")
    checks = tuple(_check(row) for row in rows)
    failed = sum(check.verdict != "passed" for check in checks)
    if failed:
        says = f"Validation not passed: {failed} of {len(checks)} checks"
        return Checked(says, "bad", checks, chosen)
    return Checked(f"Validation passed: all {len(checks)} checks", "good", checks, chosen)


def chosen_from(
    sets: int, earlier: int | None, *, independent: float | None = None, judged_on: str, record: str
) -> Rows:
    """What a judged set was chosen from, and how many trials count against it."""
    trials = f"{sets:,} of this sweep"
    if independent is not None:
        trials += f", which amount to {independent:,.0f} independent ones"
    trials += (
        "; nobody counted earlier ones"
        if earlier is None
        else f"; {earlier:,} earlier ones on record count in full"
    )
    choice = (
        "one parameter set: there was no choice" if sets == 1 else f"{sets:,} parameter sets, by Sharpe ratio"
    )
    return (("chosen from", choice), ("trials", trials), ("judged on", judged_on), ("on record", record))


def origin_of(
    backtest: "Backtest", provenance: Mapping[str, object] | None = None, *, record: object = None
) -> Origin:
    """The record of a run with its inputs, code and files, and whatever else the caller knows by name."""
    told = dict(provenance or {})
    record = told.pop("recorded", record)
    strategy = backtest.strategy
    rows = [
        ("strategy", type(strategy).__name__),
        ("source sha256", _source_hash(type(strategy))),
        ("parameters", params_in_words(strategy.params())),
    ]
    if isinstance(record, Record):
        rows += of_record(run_of(record.run))
    rows += [(name.replace("_", " "), plain(value)) for name, value in told.items()]
    return Origin(*in_ledger(record), tuple(rows))


def origin_of_sweep(strategy: type[Any], record: object) -> Origin:
    """The same of a sweep; what its record says of the strategy stands in for the class."""
    run = run_of(record.run) if isinstance(record, Record) else None
    if isinstance(run, Run):
        told, searched = run.inputs["strategy"], str(run.statistics["search"])
        rows = [
            ("strategy", str(told["class"])),
            ("source sha256", str(told["sha256"])),
            ("search", searched or "not described"),
            *of_record(run),
        ]
    else:
        rows = [("strategy", strategy.__name__), ("source sha256", _source_hash(strategy)), *of_record(run)]
    return Origin(*in_ledger(record), tuple(rows))


def in_ledger(record: object) -> tuple[bool, str]:
    """(whether it is on record, that in words)."""
    ledger = str(record or UNSAID)
    if ledger.startswith("not recorded"):
        return False, ledger[:1].upper() + ledger[1:]
    return True, f"Recorded: {ledger}"


def of_record(run: Run | str | None) -> Rows:
    """What a record says beside the strategy: bars, code, files; or why it cannot be read."""
    if isinstance(run, Run):
        return (*facts_of(run), *code_of(run), *files_of(run))
    return () if run is None else (("record", run),)


def _refuse_another_set(validation: "Validation", backtest: "Backtest | None") -> None:
    if backtest is None:
        return
    judged, made = validation.strategy, backtest.strategy
    if type(judged).__name__ != type(made).__name__ or judged.params() != made.params():
        raise UsageError(
            f"the validation is of {judged!r}, the backtest of {made!r}",
            "Give the backtest of the set that was judged: it is validation.evidence.result.",
        )


def _range(backtest: "Backtest") -> str:
    first, last = backtest.equity["ts_utc"][0], backtest.equity["ts_utc"][-1]
    return f"{', '.join(backtest.symbols)}, {first:%-d %b %Y} to {last:%-d %b %Y}"


def _check(row: Mapping[str, Any]) -> Check:
    passed = row["passed"]
    return Check(
        str(row["name"]),
        plain(row["value"]),
        plain(row["threshold"]),
        "no evidence" if passed is None else "passed" if passed else "failed",
        str(row["explanation"]),
    )


def _source_hash(strategy: type[Any]) -> str:
    from execution.strategy import strategy_source

    try:
        return hashlib.sha256(strategy_source(strategy).encode()).hexdigest()
    except (UsageError, OSError) as error:
        return f"none: {error.what if isinstance(error, UsageError) else error}"
