"""How far a result is to be believed: what validation said, and where the result is on record."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from data.errors import UsageError
from research.reports.words import params_in_words, plain

if TYPE_CHECKING:
    from research.backtest import Backtest

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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a result came from."""

    recorded: bool
    ledger: str
    rows: tuple[tuple[str, str], ...]


def checked(rows: Sequence[Mapping[str, Any]] | None) -> Checked:
    """The verdict that rows of a validation (name, value, threshold, passed, explanation) amount to."""
    if not rows:
        return Checked(NOT_VALIDATED, "open")
    checks = tuple(_check(row) for row in rows)
    failed = sum(check.verdict != "passed" for check in checks)
    if failed:
        return Checked(f"Validation failed: {failed} of {len(checks)} checks not passed", "bad", checks)
    return Checked(f"Validation passed: all {len(checks)} checks", "good", checks)


def origin_of(backtest: "Backtest", provenance: Mapping[str, object] | None) -> Origin:
    """The strategy's source and parameters, and what the caller knows: snapshot, run, ledger, whatever it names."""
    told = dict(provenance or {})
    ledger = str(told.pop("recorded", UNSAID))
    strategy = backtest.strategy
    rows = [
        ("strategy", type(strategy).__name__),
        ("source sha256", _source_hash(type(strategy))),
        ("parameters", params_in_words(strategy.params())),
        *((name.replace("_", " "), plain(value)) for name, value in told.items()),
    ]
    recorded = not ledger.startswith("not recorded")
    says = f"Recorded: {ledger}" if recorded else ledger[:1].upper() + ledger[1:]
    return Origin(recorded, says, tuple(rows))


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
