"""What a check of a strategy says: one row for each thing looked at, and a verdict over all of them."""

from dataclasses import dataclass, field
from html import escape
from typing import Any, Final, Literal

from execution.strategy import Portfolio, Strategy
from research.detectors.warm_up import FeatureWarmUp

Severity = Literal["pass", "note", "fail"]

SYMBOLS_NAMED: Final = 6

_TONES: Final = {"pass": "#0f8a5f", "note": "#b7791f", "fail": "#c8384a"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at and what was seen."""

    what: str
    severity: Severity
    evidence: str
    """one sentence"""
    feature: str | None = None
    """the name under which the strategy reads it, where one feature is meant"""
    fix: str = ""
    """what to do"""

    def row(self) -> dict[str, str]:
        """For tables: what, severity, feature, evidence, what to do."""
        return {
            "what": self.what,
            "severity": self.severity,
            "feature": self.feature or "",
            "evidence": self.evidence,
            "what to do": self.fix,
        }


@dataclass(frozen=True, slots=True, eq=False)
class StrategyCheck:
    """What look-ahead, live forms, warm-up and structure of a strategy showed; in order if nothing failed."""

    strategy: Strategy | Portfolio
    symbols: tuple[str, ...]
    bars: int
    """of all symbols together"""
    findings: tuple[Finding, ...]
    warm_up_bars: int | None
    """the bars of history after which neither decisions nor features depend on where it began, but those features that
    never forget; None where decisions depend on it, or were not looked at"""
    warm_up: tuple[FeatureWarmUp, ...] = field(repr=False)
    """the same for each feature by itself"""

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What has to be put right."""
        return tuple(each for each in self.findings if each.severity == "fail")

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.ok:
            after = "" if self.warm_up_bars is None else f", warm after {self.warm_up_bars:,} bars"
            return f"In order{after}."
        named = dict.fromkeys(
            f"{each.what}{f' ({each.feature})' if each.feature else ''}" for each in self.failed
        )
        return f"Not in order: {', '.join(named)}."

    def rows(self) -> list[dict[str, str]]:
        """A row for every finding: what, severity, feature, evidence, what to do."""
        return [each.row() for each in self.findings]

    def _on(self) -> str:
        few = len(self.symbols) <= SYMBOLS_NAMED
        return f"{self.bars:,} bars of {', '.join(self.symbols) if few else f'{len(self.symbols)} symbols'}"

    def __str__(self) -> str:
        lines = [f"{self.strategy!r} on {self._on()}", self.verdict]
        for each in self.findings:
            about = f"{each.what}, {each.feature}" if each.feature else each.what
            lines.append(
                f"  {each.severity:<4}  {about}: {'. '.join(filter(None, (each.evidence, each.fix)))}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        tone = _TONES["pass" if self.ok else "fail"]
        return (
            f"<div><b>{escape(repr(self.strategy))}</b> · {escape(self._on())}"
            f" · <b style='color:{tone}'>{escape(self.verdict)}</b></div>{_table(self.rows())}"
        )


def _table(rows: list[dict[str, Any]]) -> str:
    left = "text-align:left"
    head = "".join(f"<th style='{left}'>{name}</th>" for name in (rows[0] if rows else ()))
    body = "".join(
        "<tr>" + "".join(_cell(name, str(value)) for name, value in row.items()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(name: str, value: str) -> str:
    tone = f";color:{_TONES[value]}" if name == "severity" else ""
    return f"<td style='text-align:left{tone}'>{escape(value)}</td>"
