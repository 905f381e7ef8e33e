"""validate: a sweep's best set on trial."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from data.errors import UsageError
from data.notebook_bar import notebook_bar
from execution.strategy import CostModel, Rule
from research.passes.books import instant_us
from research.records import Record, keep_out_of_holdout, known_actions, record_validation, trials
from research.records.inputs import family_of
from research.sweep import Sweep, sweep
from research.validation.case import Case
from research.validation.checks import Thresholds, checks_of
from research.validation.evidence import Progress, gather
from research.validation.verdict import Validation


def validate(
    tried: type[Rule] | Sweep,
    bars: pl.DataFrame,
    grid: Mapping[str, Iterable[Any] | Any] | None = None,
    *,
    capital: float | None = None,
    costs: CostModel | None = None,
    trade_from: date | datetime | None = None,
    thresholds: Thresholds | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    record: bool = True,
    **terms: Any,
) -> Validation:
    """Put the best set of a sweep, or of a class and a grid, on trial over the bars it was chosen on.

    A class is swept first, which goes on record like any sweep.  What else was ever tried of the family is taken from
    the trial ledger; without a record nobody counted, and the verdict says so.  `terms` are the rest of what a
    backtest takes (lot, leverage, actions): those of the sweep, whose capital and costs are known.  `progress`
    hears of every stage; notebooks show it by themselves.
    """
    if isinstance(tried, Sweep):
        if grid is not None:
            raise UsageError(
                "a sweep has its sets already", "Give a strategy class with a grid, or the sweep alone."
            )
        swept = tried
    else:
        swept = sweep(
            tried, bars, grid or {}, capital=capital or 100_000.0, costs=costs, trade_from=trade_from,
            record=record, **terms,
        )  # fmt: skip
    _refuse_other_bars(swept, bars, trade_from)
    keep_out_of_holdout(swept.strategy, bars)
    if terms.get("actions") is None:
        terms["actions"] = known_actions(bars)
    case = Case(
        strategy=swept.strategy,
        bars=bars,
        sets=_sets(swept),
        capital=capital or swept.capital,
        costs=costs or swept.costs,
        terms=terms,
        trade_from=trade_from,
    )
    evidence = gather(
        case,
        earlier_trials=_earlier_trials(swept, case.sets),
        seed=seed,
        progress=progress or _in_the_notebook(),
    )
    asked = thresholds or Thresholds()
    judged = Validation(evidence.result.strategy, checks_of(evidence, asked), evidence)
    kept = record_validation(
        judged.strategy,
        bars,
        judged.frame,
        {"passed": judged.passed, "verdict": judged.verdict},
        capital=case.capital,
        costs=case.costs,
        terms=terms | ({} if trade_from is None else {"trade_from": trade_from}),
        settings={
            "sweep": str(swept.record), "sets": len(case.sets), "seed": seed, "thresholds": asdict(asked),
            "earlier_trials": evidence.earlier_trials,
        },
        record=record,
    )  # fmt: skip
    return replace(judged, record=kept)


def _in_the_notebook() -> Progress | None:
    bar = notebook_bar(at_once=True)  # the first stage alone may take long
    if bar is None:
        return None
    return lambda stage, done, total: bar(done, total, f"{stage}, step {done + 1} of {total}")


def _sets(swept: Sweep) -> list[Any]:
    names = list(swept.strategy.declared_params())
    if not names:
        return [swept.strategy()]
    return [
        swept.strategy(**dict(zip(names, row, strict=True))) for row in swept.frame.select(names).iter_rows()
    ]


def _earlier_trials(swept: Sweep, sets: Sequence[Any]) -> int | None:
    """Sets of the family on record beside this sweep's own; None if it is on no record."""
    if not isinstance(swept.record, Record):
        return None
    return max(0, trials(family_of(swept.strategy)).sets - len(set(sets)))


def _refuse_other_bars(swept: Sweep, bars: pl.DataFrame, trade_from: date | datetime | None) -> None:
    if not swept.bars.equals(bars):
        raise UsageError(
            "these are not the bars that the sweep ran over",
            "Give validate the very bars that sweep was given.",
        )
    since_us = instant_us(trade_from) or 0
    opened_us = bars["ts_utc"].dt.epoch("us")
    first_us = opened_us.filter(opened_us >= since_us).min()
    if first_us != round(swept.first_utc.timestamp() * 1e6):
        raise UsageError(
            f"the sweep traded from {swept.first_utc:%Y-%m-%d %H:%M} UTC on, which trade_from={trade_from} is not",
            "Give validate the trade_from that sweep was given.",
        )
