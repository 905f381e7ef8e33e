"""Two or more backtests side by side."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy.arrays import FloatArray
from research.records import Record
from research.reports.account_panels import lines
from research.reports.canvas import Panel, no_picture
from research.reports.page import Report, figure, render
from research.reports.return_panels import sessions
from research.reports.tables import terms
from research.reports.words import NOTHING, in_words, plain, title_of
from research.statistics import drawdowns_of

if TYPE_CHECKING:
    from research.backtest import Backtest

RUNS_MAX: Final = 8
"""More lines than colours cannot be told apart."""

SESSIONS_MIN: Final = 3
"""Fewer common sessions say nothing of correlation."""

SESSIONS_SHOWN_FROM: Final = 20
"""Of fewer sessions every bar is drawn."""

HIGHER_IS_BETTER: Final = frozenset(
    {"total_return", "cagr", "sharpe", "sortino", "max_drawdown", "calmar", "win_rate"}
)
LOWER_IS_BETTER: Final = frozenset({"commission", "slippage", "borrow", "interest"})


def compare(runs: "Mapping[str, Backtest] | Sequence[Backtest]") -> Report:
    """Equity on one chart, drawdowns, statistics with the best of each marked, correlations, differing parameters."""
    named = _named(runs)
    refuse_other_count(len(named))
    title, subtitle = f"{len(named)} runs compared", _subtitle(named)
    panels = [growth(named), fall(named)]
    facts = {
        "title": title,
        "subtitle": subtitle,
        "names": list(named),
        "hero": [figure(panel, wide=True) for panel in panels],
        "statistics": statistics_table(named),
        "differences": differences(named),
        "correlations": correlations(named),
        "footer": "The best of many runs always looks good. Past results say little about the future.",
    }
    return Report(render("comparison.html.j2", **facts), lambda: _picture(title, subtitle, panels, named))


def refuse_other_count(count: int) -> None:
    """One run is no comparison, and too many are no picture."""
    if not 2 <= count <= RUNS_MAX:
        plural = "" if count == 1 else "s"
        raise UsageError(
            f"a comparison of {count} run{plural} cannot be drawn",
            f"Give between 2 and {RUNS_MAX} backtests.",
        )


def growth(named: "Mapping[str, Backtest]") -> Panel:
    """What each run made of its own capital, in per cent."""
    stamps, curves = _on_one_timeline(named, "made")
    if len(stamps) < 2:
        return no_picture("Return", "Not enough history for a curve: there is one bar.")
    return lines(curves, stamps, title="Return", unit=" %")


def fall(named: "Mapping[str, Backtest]") -> Panel:
    """How far each run was below its highest equity."""
    stamps, curves = _on_one_timeline(named, "below")
    if not any(np.nan_to_num(curve).any() for curve in curves.values()):
        return no_picture("Drawdown", "No drawdown to draw: equity never fell below its highest point.")
    return lines(curves, stamps, title="Drawdown", unit=" %")


def statistics_table(named: "Mapping[str, Backtest]") -> list[dict[str, Any]]:
    """A row for every statistic that some run has, the best values marked where one is better than another."""
    names = dict.fromkeys(name for run in named.values() for name in run.statistics)
    rows = []
    for statistic in names:
        values = [run.statistics.get(statistic) for run in named.values()]
        best = _best(statistic, values)
        cells = [
            {"text": in_words(statistic, value), "best": best is not None and value == best}
            for value in values
        ]
        rows.append({"name": title_of(statistic), "cells": cells})
    return rows


def differences(named: "Mapping[str, Backtest]") -> list[list[str]]:
    """Strategy, parameters and terms in which the runs differ."""
    told = [
        {
            "strategy": type(run.strategy).__name__,
            **{name: plain(value) for name, value in run.strategy.params().items()},
            "symbols": ", ".join(run.symbols),
            "first bar": f"{run.equity['ts_utc'][0]:%-d %b %Y %H:%M}",
            "last bar": f"{run.equity['ts_utc'][-1]:%-d %b %Y %H:%M}",
            **{name: value for name, value in terms(run) if name != "Orders"},
            **({"run": run.record.run} if isinstance(run.record, Record) else {}),
        }
        for run in named.values()
    ]
    names = dict.fromkeys(name for facts in told for name in facts)
    rows = ([name, *(facts.get(name, NOTHING) for facts in told)] for name in names)
    return [row for row in rows if len(set(row[1:])) > 1]


def correlations(named: "Mapping[str, Backtest]") -> list[list[str]]:
    """Of session returns, over the sessions both runs have; a dash where that is too little or one never moved."""
    returns = {name: sessions(run).select("period", "return").drop_nulls() for name, run in named.items()}
    found = {
        (one, other): _correlation(returns[one], returns[other])
        for one, other in itertools.combinations(named, 2)
    }
    return [
        [
            row,
            *(
                "1.00" if row == column else found.get((row, column)) or found[column, row]
                for column in named
            ),
        ]
        for row in named
    ]


def _named(runs: "Mapping[str, Backtest] | Sequence[Backtest]") -> "dict[str, Backtest]":
    """By the names given, or by the parameters in which they differ, which keeps legends short; where they differ in
    none, by what they traded and when, and in the end by their number."""
    if isinstance(runs, Mapping):
        return dict(runs)
    names = _differing([{"": type(run.strategy).__name__, **run.strategy.params()} for run in runs])
    for more in (_traded, _when):
        if len(set(names)) < len(names):
            told = _differing([{"": more(run)} for run in runs])
            names = [", ".join(filter(None, pair)) for pair in zip(names, told, strict=True)]
    seen: Counter[str] = Counter()
    named = {}
    for name, run in zip(names, runs, strict=True):
        seen[name] += 1
        named[name if names.count(name) == 1 else f"{name} #{seen[name]}".strip()] = run
    return named


def _differing(told: Sequence[Mapping[str, Any]]) -> list[str]:
    same = {key for key in (told[0] if told else {}) if all(each.get(key) == told[0][key] for each in told)}
    return [
        ", ".join(f"{key} {value}".strip() for key, value in each.items() if key not in same) for each in told
    ]


def _traded(run: "Backtest") -> str:
    return (
        " ".join(run.symbols)
        if len(run.symbols) <= 2
        else f"{run.symbols[0]} and {len(run.symbols) - 1} more"
    )


def _when(run: "Backtest") -> str:
    return f"{run.equity['ts_utc'][0]:%Y-%m-%d} to {run.equity['ts_utc'][-1]:%Y-%m-%d}"


def _subtitle(named: "Mapping[str, Backtest]") -> str:
    first = min(run.equity["ts_utc"][0] for run in named.values())
    last = max(run.equity["ts_utc"][-1] for run in named.values())
    symbols = sorted({symbol for run in named.values() for symbol in run.symbols})
    shown = ", ".join(symbols[:5]) + (f" and {len(symbols) - 5} more" if len(symbols) > 5 else "")
    return f"{first:%-d %b %Y} to {last:%-d %b %Y} · {shown}"


def _on_one_timeline(named: "Mapping[str, Backtest]", column: str) -> tuple[pl.Series, dict[str, FloatArray]]:
    """Each run's curve at the union of their bars, or of their sessions where there are enough; NaN outside its range.

    Sessions, since runs on minutes and runs on days have no bars in common.
    """
    curves = {name: _curve(run) for name, run in named.items()}
    days = pl.concat([curve["ts_utc"].dt.date() for curve in curves.values()]).n_unique()
    if days >= SESSIONS_SHOWN_FROM:
        # The newest return of a session and its deepest drawdown: both are in the table.
        ends = pl.col("made").last(), pl.col("below").min()
        day = pl.col("ts_utc").dt.truncate("1d")
        curves = {name: curve.group_by(day, maintain_order=True).agg(*ends) for name, curve in curves.items()}
    stamps = pl.concat([curve["ts_utc"] for curve in curves.values()]).unique().sort()
    laid = {}
    for name, curve in curves.items():
        at = stamps.to_frame().join_asof(curve.select("ts_utc", column), on="ts_utc")
        ended = pl.col("ts_utc") > curve["ts_utc"][-1]
        found = at.select(pl.when(ended).then(None).otherwise(pl.col(column)).alias(column))[column]
        laid[name] = found.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return stamps, laid


def _curve(run: "Backtest") -> pl.DataFrame:
    equity = run.equity["equity"].to_numpy()
    return run.equity.select("ts_utc").with_columns(
        made=(equity / run.capital - 1.0) * 100.0, below=drawdowns_of(equity, run.capital) * 100.0
    )


def _best(statistic: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(set(known)) < 2 or statistic not in HIGHER_IS_BETTER | LOWER_IS_BETTER:
        return None
    return max(known) if statistic in HIGHER_IS_BETTER else min(known)


def _correlation(one: pl.DataFrame, other: pl.DataFrame) -> str:
    both = one.join(other, on="period", how="inner", suffix="_other")
    left, right = both["return"].to_numpy(), both["return_other"].to_numpy()
    if len(both) < SESSIONS_MIN or np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
        return NOTHING
    return f"{np.corrcoef(left, right)[0, 1]:z.2f}"


def _picture(title: str, subtitle: str, panels: list[Panel], named: "Mapping[str, Backtest]") -> bytes:
    from research.reports.picture import Grid, picture

    statistics = [
        [row["name"], *(("★ " if cell["best"] else "") + cell["text"] for cell in row["cells"])]
        for row in statistics_table(named)
    ]
    head = ["", *named]
    grids = [Grid("Statistics  (★ the best of its row)", head, statistics)]
    if differ := differences(named):
        grids.append(Grid("In what they differ", head, differ))
    grids.append(Grid("Correlation of session returns", head, correlations(named)))
    return picture(title, subtitle, wide=panels, grids=grids)
