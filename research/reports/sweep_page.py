"""A sweep as one page: the picture of all its sets, the best of them, and where it is from."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from research.reports.believing import Origin, origin_of_sweep
from research.reports.page import Report, figure, render
from research.reports.sweep_map import SweepResult, cell, picture_of, swept_parameters
from research.reports.words import in_words, title_of
from research.statistics import NAMES

TOP: Final = 20

PICTURED: Final = ("total_return", "max_drawdown", "trades")
"""Of the best sets in the PNG, beside their parameters and what they are ranked by; the page shows all."""

FOOTER: Final = "The best of many sets always looks good: validate it before you believe it."


def sweep_report(sweep: SweepResult, by: str = "sharpe") -> Report:
    """The page of a sweep, ranked by a statistic."""
    origin = origin_of_sweep(sweep.strategy, sweep.record)
    frame = sweep.frame
    top = frame.sort(by, descending=True, nulls_last=True, maintain_order=True).head(TOP)
    title = f"Sweep of {sweep.strategy.__name__} on {_some(sweep.symbols)}"
    skipped = f", {sweep.skipped:,} more refused by the strategy" if sweep.skipped else ""
    subtitle = f"{frame.height:,} sets{skipped}, ranked by {title_of(by)}"
    panel = picture_of(frame, by)
    page = render(
        "sweep.html.j2",
        title=title,
        subtitle=subtitle,
        origin=origin,
        hero=figure(panel, wide=True),
        best_title=_best_title(frame),
        head=[title_of(name) if name in NAMES else name for name in _columns(frame)],
        best=[[cell(name, row[name]) for name in _columns(frame)] for row in top.iter_rows(named=True)],
        tried=_tried(frame),
        spread=_spread(frame),
        footer=FOOTER,
    )
    return Report(page, lambda: _picture(title, subtitle, sweep, origin, by))


def _picture(title: str, subtitle: str, sweep: SweepResult, origin: Origin, by: str) -> bytes:
    from research.reports.picture import Grid, picture

    frame = sweep.frame
    top = frame.sort(by, descending=True, nulls_last=True, maintain_order=True).head(TOP)
    shown = [by, *(name for name in PICTURED if name in frame.columns and name != by)]
    varied = swept_parameters(frame)
    best = [[cell(name, row[name]) for name in (*varied, *shown)] for row in top.iter_rows(named=True)]
    return picture(
        title,
        subtitle,
        signs=[(origin.ledger, origin.recorded)],
        wide=[picture_of(frame, by)],
        grids=[Grid(_best_title(frame), [*varied, *(title_of(name) for name in shown)], best)],
        tables=[("What was tried", _tried(frame))],
        notes=[f"{name}: {value}" for name, value in origin.rows],
    )


def _best_title(frame: pl.DataFrame) -> str:
    return f"The best {min(TOP, frame.height)} of {frame.height:,}"


def _columns(frame: pl.DataFrame) -> list[str]:
    parameters = [name for name in frame.columns if name not in NAMES]
    return [*parameters, *(name for name in NAMES if name in frame.columns)]


def _tried(frame: pl.DataFrame) -> list[tuple[str, str]]:
    """Every parameter with the values that were tried."""
    rows = []
    for name in (each for each in frame.columns if each not in NAMES):
        values = [cell(name, value) for value in frame[name].unique().sort()]
        few = (
            ", ".join(values) if len(values) <= 6 else f"{values[0]} to {values[-1]}, {len(values):,} values"
        )
        rows.append((name, few))
    return rows or [("parameters", "none")]


def _spread(frame: pl.DataFrame) -> list[list[str]]:
    """How each statistic is spread over the sets: the lowest, quarters, the highest, and how many have none."""
    rows = []
    for name in (each for each in NAMES if each in frame.columns):
        values = frame[name].drop_nulls()
        cuts = [values.quantile(share, "linear") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        rows.append(
            [title_of(name), *(in_words(name, value) for value in cuts), f"{frame[name].null_count():,}"]
        )
    return rows


def _some(symbols: Sequence[str], most: int = 5) -> str:
    more = len(symbols) - most
    return ", ".join(symbols[:most]) + (f" and {more} more" if more > 0 else "")
