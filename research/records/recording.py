"""Putting runs on record: the lake's files first, then the run and its entry in the trial ledger in one transaction.

A result is never lost to its record: where the database or the lake is away, it says that it is not recorded, and why.
Only a sealed holdout stops it, for what was seen of that must not be shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import psycopg

from data import holdouts, runs
from data import trials as ledger
from data.errors import Refused, SlipwayError
from data.postgres import connect
from data.runs import Draft
from data.storage import lake_storage
from data.trials import Entry
from research.records.drafts import (
    BacktestResult,
    ChosenStrategy,
    SweepResult,
    backtest_draft,
    sweep_draft,
    validation_draft,
)
from research.records.inputs import family_of


@dataclass(frozen=True, slots=True)
class Record:
    """Where a result is on record."""

    run: str
    is_new: bool
    """false: the very same run was on record already, with the same bytes"""
    unrepeatable: str | None
    """why it cannot be run again"""

    def __str__(self) -> str:
        limits = f" (cannot be run again: {self.unrepeatable})" if self.unrepeatable else ""
        return f"run {self.run}{limits}"


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A result that is on no record, and does not count in the trial ledger."""

    reason: str

    def __str__(self) -> str:
        return f"not recorded: {self.reason}"


SWITCHED_OFF: Final = Unrecorded("switched off by record=False")


def record_backtest(
    result: BacktestResult, *, terms: Mapping[str, Any] | None = None, record: bool = True
) -> Record | Unrecorded:
    """Record a backtest.  `terms` are its other arguments (lot, leverage, trade_from, …) as `backtest` takes them."""
    return _recorded(lambda: backtest_draft(result, terms or {}), record)


def record_sweep(
    result: SweepResult,
    bars: pl.DataFrame,
    *,
    terms: Mapping[str, Any] | None = None,
    search: str = "",
    record: bool = True,
) -> Record | Unrecorded:
    """Record a sweep over `bars`.  `terms` are what decides its numbers beside capital and costs, as `prepare` takes
    them: not its threads or its engine.  `search` says in words how the sets were found."""
    return _recorded(lambda: sweep_draft(result, bars, terms or {}, search), record)


def record_validation(
    strategy: ChosenStrategy,
    bars: pl.DataFrame,
    rows: pl.DataFrame,
    verdict: Mapping[str, Any],
    *,
    capital: float,
    costs: Any,
    terms: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    record: bool = True,
) -> Record | Unrecorded:
    """Record a validation: a row per check, the verdict, and the settings (grid, thresholds, seed) that it had."""
    return _recorded(
        lambda: (
            validation_draft(
                strategy,
                bars,
                rows,
                verdict,
                capital=capital,
                costs=costs,
                terms=terms or {},
                settings=settings or {},
            ),
            None,
        ),
        record,
    )


def keep_out_of_holdout(strategy: type[Any], bars: pl.DataFrame) -> None:
    """Refuse bars that reach into the sealed holdout of the strategy's family, before anything is computed on them.

    Without a database there is no telling; the result will then say that it is not recorded.
    """
    if bars.is_empty():
        return
    try:
        with connect(autocommit=True) as connection:
            first: Any = bars["ts_utc"].min()
            last: Any = bars["ts_utc"].max()
            holdouts.must_not_touch(connection, family_of(strategy), first.date(), last.date())
    except Refused:
        raise
    except (SlipwayError, psycopg.Error):
        return


def _recorded(make: Callable[[], tuple[Draft, Entry | None]], record: bool) -> Record | Unrecorded:
    if not record:
        return SWITCHED_OFF
    try:
        return _keep(*make())
    except Refused:
        raise
    except SlipwayError as error:
        return Unrecorded(error.what)
    except psycopg.errors.UndefinedTable:
        return Unrecorded("the database was set up by an older Slipway; `./slipway up` brings it up to date")
    except psycopg.Error as error:
        return Unrecorded(f"Postgres failed: {(str(error).strip().splitlines() or ['no reason given'])[0]}")
    except OSError as error:
        return Unrecorded(f"the lake failed: {error}")


def _keep(draft: Draft, entry: Entry | None) -> Record:
    with connect(autocommit=True) as connection:  # before anything is written: without it, nothing is
        known = runs.by_id(connection, draft.id)
    outputs = runs.store(lake_storage(), draft, known)
    with connect() as connection:
        runs.lock_family(connection, draft.family)
        holdouts.must_not_touch(connection, draft.family, draft.first, draft.last)
        is_new = runs.enter(connection, draft, outputs)
        if entry is not None:
            ledger.enter(connection, entry)
        known = runs.by_id(connection, draft.id)
        assert known is not None, "it was just entered, or was there"
        if is_new:
            holdouts.note_first_run(connection, draft.family, draft.first, draft.last, draft.id)
    return Record(draft.id, is_new, known.unrepeatable)
