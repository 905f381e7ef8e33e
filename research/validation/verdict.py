"""What validation says: every check with its numbers, and one verdict over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from research.validation.evidence import Evidence

if TYPE_CHECKING:
    from research.records import Record, Unrecorded


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer."""

    name: str
    value: float | None
    threshold: str
    passed: bool | None
    """None: there is no evidence, which does not pass"""
    explanation: str
    """one sentence"""

    def row(self) -> dict[str, Any]:
        """For tables: name, value, threshold, passed, explanation."""
        return {
            "name": self.name,
            "value": self.value,
            "threshold": self.threshold,
            "passed": self.passed,
            "explanation": self.explanation,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """The chosen set on trial; it passes if every check does."""

    strategy: Any
    """the set with the highest Sharpe ratio"""
    checks: tuple[Check, ...]
    evidence: Evidence = field(repr=False)
    """everything the checks are drawn from: folds, paths, intervals, regimes"""
    record: "Record | Unrecorded | None" = None
    """where it is on record, or why it is not"""

    @property
    def passed(self) -> bool:
        """Every check passed; one without evidence has not."""
        return bool(self.checks) and all(check.passed is True for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Those that did not pass."""
        return tuple(check for check in self.checks if check.passed is not True)

    @property
    def trials_recorded(self) -> bool:
        """Whether the trial ledger's count went into the deflated Sharpe ratio."""
        return self.evidence.earlier_trials is not None

    @property
    def verdict(self) -> str:
        """One sentence."""
        count = len(self.checks)
        said = (
            f"Passed: all {count} checks"
            if self.passed
            else f"Not passed: {len(self.failed)} of {count} checks ({', '.join(check.name for check in self.failed)})"
        )
        if not self.trials_recorded:
            said += "; trials were not recorded, so that only this sweep's own sets are counted"
        return said + "."

    def rows(self) -> list[dict[str, Any]]:
        """A row for every check: name, value, threshold, passed (None without evidence), explanation."""
        return [check.row() for check in self.checks]

    @property
    def frame(self) -> pl.DataFrame:
        """The same rows as a frame."""
        schema = {
            "name": pl.String,
            "value": pl.Float64,
            "threshold": pl.String,
            "passed": pl.Boolean,
            "explanation": pl.String,
        }
        return pl.DataFrame(self.rows(), schema=schema)

    def __str__(self) -> str:
        lines = [f"{self.strategy!r}", self.verdict]
        lines += [
            f"  {in_words(check.passed):<11}  {check.name}: {number(check.value)} ({check.threshold})"
            for check in self.checks
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        tone = "#0f8a5f" if self.passed else "#c8384a"
        return (
            f"<div><b>{escape(repr(self.strategy))}</b> · "
            f"<b style='color:{tone}'>{escape(self.verdict)}</b></div>{_table(self.checks)}"
        )


def in_words(passed: bool | None) -> str:
    """passed, failed or no evidence."""
    return "no evidence" if passed is None else "passed" if passed else "failed"


def number(value: float | None) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000.0 or float(value).is_integer() else f"{value:,.2f}"


_TONES = {True: "#0f8a5f", False: "#c8384a", None: "#8a96a3"}


def _table(checks: Sequence[Check]) -> str:
    left = "text-align:left"
    head = "".join(
        f"<th style='{left}'>{name}</th>" for name in ("check", "", "value", "threshold", "what it says")
    )
    body = "".join(
        f"<tr><td style='{left}'>{escape(check.name)}</td>"
        f"<td style='{left};color:{_TONES[check.passed]}'>{in_words(check.passed)}</td>"
        f"<td>{number(check.value)}</td><td style='{left}'>{escape(check.threshold)}</td>"
        f"<td style='{left}'>{escape(check.explanation)}</td></tr>"
        for check in checks
    )
    return f"<table><tr>{head}</tr>{body}</table>"
