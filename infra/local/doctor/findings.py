"""One check's outcome: what was looked at, what was found, how bad it is, and the one fix."""

from dataclasses import dataclass
from enum import StrEnum

from data.errors import SlipwayError


class Severity(StrEnum):
    OK = "ok"
    NOTE = "note"  # worth knowing; nothing fails because of it today
    PROBLEM = "problem"  # something does not work, or is not safe


@dataclass(frozen=True)
class Finding:
    what: str
    found: str
    severity: Severity = Severity.OK
    fix: str = ""

    def __post_init__(self) -> None:
        assert self.fix or self.severity is not Severity.PROBLEM, "a problem without a fix helps nobody"


def note(what: str, found: str, fix: str = "") -> Finding:
    return Finding(what, found, Severity.NOTE, fix)


def problem(what: str, found: str, fix: str) -> Finding:
    return Finding(what, found, Severity.PROBLEM, fix)


def of_error(what: str, error: Exception) -> Finding:
    """A check that failed; an unforeseen failure is told, too, and never ends the examination."""
    if isinstance(error, SlipwayError):
        return problem(what, error.what, error.fix)
    if isinstance(error, OSError) and error.filename:
        return problem(
            what, f"{error.filename}: {error.strerror}", "Run as the owner of that file, or correct its mode."
        )
    return problem(
        what, f"{type(error).__name__}: {error}", "This is a defect of the check; please report it."
    )
