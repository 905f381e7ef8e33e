"""validate: a sweep's best set on trial."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Protocol, runtime_checkable

import polars as pl

from execution.strategy import CostModel
from research.validation.case import Case
from research.validation.checks import Thresholds, checks_of
from research.validation.evidence import Progress, gather
from research.validation.verdict import Validation


@runtime_checkable
class Swept(Protocol):
    """What is needed of a sweep's result."""

    @property
    def strategy(self) -> type[Any]: ...
    @property
    def frame(self) -> pl.DataFrame: ...
    @property
    def capital(self) -> float: ...
    @property
    def costs(self) -> CostModel: ...


def validate(
    tried: type[Any] | Swept,
    bars: pl.DataFrame,
    grid: Mapping[str, Iterable[Any] | Any] | None = None,
    *,
    capital: float | None = None,
    costs: CostModel | None = None,
    trade_from: date | datetime | None = None,
    earlier_trials: int | None = None,
    thresholds: Thresholds | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **terms: Any,
) -> Validation:
    """Put the best set of a sweep, or of a class and a grid, on trial over the bars it was chosen on.

    `earlier_trials`: other sets of the same family ever tried, from the trial ledger; None says that nobody counted.
    `terms` are the rest of what a backtest takes: lot, leverage, actions.  A sweep's capital and costs are its own.
    """
    if isinstance(tried, type):
        strategy, sets = tried, _sets(tried, grid or {})
        case_capital, case_costs = capital or 100_000.0, costs or CostModel()
    else:
        strategy = tried.strategy
        names = [name for name in strategy.declared_params() if name in tried.frame.columns]
        sets = [
            strategy(**dict(zip(names, row, strict=True))) for row in tried.frame.select(names).iter_rows()
        ]
        case_capital, case_costs = capital or tried.capital, costs or tried.costs
    case = Case(strategy, bars, sets, case_capital, case_costs, terms, trade_from)
    evidence = gather(case, earlier_trials=earlier_trials, seed=seed, progress=progress)
    return Validation(evidence.result.strategy, checks_of(evidence, thresholds), evidence)


def _sets(strategy: type[Any], grid: Mapping[str, Iterable[Any] | Any]) -> list[Any]:
    from research.sweep import parameter_sets

    return parameter_sets(strategy, grid)
