"""What bars must satisfy before anybody may use them: pure functions over frames.

A bad row is set aside with the reason, never mended; the partition's verdict says whether the rest
may be published.
"""

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from data.bar import step
from data.calendars import Session

Verdict = Literal["passed", "warned", "failed"]

GAP_LIMIT: Final = 0.05  # share of a session's bars that may be missing before the partition fails

_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Checked:
    """A partition's rows, sorted into good and bad, and what was found."""

    good: pl.DataFrame
    quarantined: pl.DataFrame  # the bad rows with a column `reason`
    verdict: Verdict
    findings: tuple[str, ...]


def row_faults(session: Session) -> dict[str, pl.Expr]:
    """What can be wrong with a row, by the reason it is set aside with; the first that holds counts."""
    prices = [pl.col(name) for name in _PRICES]
    return {
        "not a number": pl.any_horizontal(
            column.is_null() | column.is_nan() | column.is_infinite()
            for column in (*prices, pl.col("volume"))
        ),
        "price is not positive": pl.any_horizontal(column <= 0 for column in prices),
        "volume is negative": pl.col("volume") < 0,
        "high is below low": pl.col("high") < pl.col("low"),
        "open or close is outside low to high": pl.any_horizontal(
            (pl.col(name) > pl.col("high")) | (pl.col(name) < pl.col("low")) for name in ("open", "close")
        ),
        "outside the session": (pl.col("ts_utc") < session.open_utc)
        | (pl.col("ts_utc") >= session.close_utc),
        "out of order": pl.col("ts_utc") < pl.col("ts_utc").cum_max(),
        "duplicate": pl.col("ts_utc").is_duplicated() & ~pl.col("ts_utc").is_first_distinct(),
    }


def check(rows: pl.DataFrame, session: Session, timeframe: str, gap_limit: float = GAP_LIMIT) -> Checked:
    """Check one symbol's bars of one session."""
    reason = pl.coalesce(
        pl.when(fault.fill_null(True)).then(pl.lit(name)) for name, fault in row_faults(session).items()
    )
    judged = rows.with_columns(reason=reason)
    good = judged.filter(pl.col("reason").is_null()).drop("reason")
    bad = judged.filter(pl.col("reason").is_not_null())

    expected = int((session.close_utc - session.open_utc) / step(timeframe))
    missing = expected - good.height
    findings = [f"{count} rows: {name}" for name, count in bad["reason"].value_counts(sort=True).iter_rows()]
    if missing > 0:
        findings.append(f"{missing} of {expected} bars are missing")
    verdict: Verdict = "passed"
    if findings:
        verdict = "failed" if missing > gap_limit * expected else "warned"
    return Checked(good, bad, verdict, tuple(findings))
