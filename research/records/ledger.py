"""The trial ledger as research reads it: how often a family was tried, and how its Sharpe ratios scatter."""

from dataclasses import dataclass
from html import escape
from typing import Final

import polars as pl

from data import trials as ledger
from data.postgres import connect
from data.trials import Moments

_INSTANT: Final = pl.Datetime("us", "UTC")
SCHEMA: Final = pl.Schema(
    {
        "family": pl.String(),
        "run_id": pl.String(),
        "kind": pl.String(),
        "at": _INSTANT,
        "sets": pl.Int64(),
        "new_sets": pl.Int64(),
        "sharpes": pl.Int64(),
        "best_sharpe": pl.Float64(),
        "mean_sharpe": pl.Float64(),
        "sharpe_variance": pl.Float64(),
        "best_sharpe_bar": pl.Float64(),
        "mean_sharpe_bar": pl.Float64(),
        "sharpe_variance_bar": pl.Float64(),
        "bars_per_year": pl.Float64(),
        "symbols": pl.List(pl.String()),
        "timeframe": pl.String(),
        "first": pl.Date(),
        "last": pl.Date(),
        "snapshot": pl.Int64(),
        "who": pl.String(),
        "where_from": pl.String(),
    }
)
SHOWN: Final = (
    "at", "family", "kind", "run_id", "sets", "new_sets", "best_sharpe", "first", "last", "who",
)  # fmt: skip
"""What a person sees of an entry."""

SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Trials:
    """All that was tried of a family, or of all."""

    family: str | None
    frame: pl.DataFrame
    """an entry per recorded run, in the order in which they were recorded; Sharpe ratios a year, and per bar"""
    sets: int
    """parameter sets, each once for each content of bars: what the best must be deflated by"""
    parameter_sets: int
    """the same, each once whatever it was tried on"""
    sharpes: Moments
    """of all annualised Sharpe ratios together, see data.trials.pooled"""

    def variance_per_bar(self, bars_per_year: float) -> float | None:
        """The variance of the Sharpe ratios per bar of a market with so many bars a year."""
        return None if self.sharpes.variance is None else self.sharpes.variance / bars_per_year

    def __str__(self) -> str:
        of = f" of {self.family}" if self.family else ""
        if not self.frame.height:
            return f"nothing{of} was tried on record"
        best = "none" if self.sharpes.best is None else f"{self.sharpes.best:.2f}"
        return (
            f"{_counted(self.sets, 'set')}{of} tried in {_counted(self.frame.height, 'run')}, "
            f"the best Sharpe ratio {best}"
        )

    def _repr_html_(self) -> str:
        shown = self.frame.tail(SHOWN_MAX).reverse()
        head = "".join(f"<th style='text-align:left'>{name.replace('_', ' ')}</th>" for name in SHOWN)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
            for row in shown.select(SHOWN).iter_rows()
        )
        return f"<p>{escape(str(self))}.</p><table><tr>{head}</tr>{body}</table>"


def trials(family: str | None = None) -> Trials:
    """The trial ledger of a family (the strategy's class name in lower case), or of all."""
    with connect() as connection:
        connection.execute("set transaction isolation level repeatable read")  # both answers of one moment
        rows = ledger.entries(connection, family)
        count = ledger.count(connection, family)
    parts = [
        Moments(row["sharpes"], row["best_sharpe"], row["mean_sharpe"], row["sharpe_variance"])
        for row in rows
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA)
    return Trials(family, frame, count.sets, count.parameter_sets, ledger.pooled(parts))


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _cell(value: object) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.2f}"
        case int():
            return f"{value:,}"
    return str(value)[:16]
