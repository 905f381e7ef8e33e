"""Market data: the bars of each session, and the check that none is missing."""

from collections.abc import Iterable, Iterator
from datetime import date

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    BackfillPolicy,
    MaterializeResult,
    ResourceParam,
    asset,
    asset_check,
)

from data import catalog
from data.calendars import sessions
from data.catalog import Partition
from data.ingest import dataset_of, ingest
from data.postgres import connect
from data.sources import source
from orchestration.partitions import trading_sessions
from orchestration.resources import Lake
from orchestration.study import Study

LOG_EVERY_SESSIONS = 20
NAMED_MISSING_MAX = 20


@asset(
    partitions_def=trading_sessions,
    backfill_policy=BackfillPolicy.single_run(),
    group_name="market_data",
    kinds={"parquet", "postgres"},
)
def bars(context: AssetExecutionContext, lake: Lake, study: ResourceParam[Study]) -> MaterializeResult[None]:
    """Minute bars of all symbols, one partition per trading session: checked, in lake, catalog and candles."""
    days = [date.fromisoformat(key) for key in context.partition_keys]

    def told(done: int, total: int, what: str) -> None:
        if done % LOG_EVERY_SESSIONS == 0 or done == total:
            context.log.info(f"{done} of {total} sessions: {what}")

    done = ingest(
        source(study.source),
        list(study.symbols),
        days[0],
        days[-1],
        study.timeframe,
        storage=lake.storage(),
        progress=told,
    )
    for key, rows in _rows_of(study, days):
        context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=key)
    return MaterializeResult(
        metadata={
            "dataset": done.dataset,
            "lake": lake.storage().url,
            "snapshot": done.snapshot,
            "published_partitions": done.published,
            "unchanged_partitions": done.unchanged,
            "new_rows": done.rows,
            "failed": list(done.failed),
        }
    )


@asset_check(asset=bars, blocking=True)
def bars_cover_every_session(study: ResourceParam[Study]) -> AssetCheckResult:
    """Every session from the study's first to the newest in the catalog has healthy bars of every symbol."""
    with connect() as connection:
        found = catalog.partitions(
            connection, dataset_of(study.source, study.timeframe), list(study.symbols), study.first
        )
    newest = max((partition.session for partition in found), default=study.last)
    wanted = [session.day for session in sessions(study.first, max(newest, study.last))]
    missing = list(uncovered(found, study.symbols, wanted))
    # What research reads must be whole, or the next assets do not run. A hole behind it waits for its backfill.
    stops = any(day <= study.last for day, _ in missing)
    return AssetCheckResult(
        passed=not missing,
        severity=AssetCheckSeverity.ERROR if stops else AssetCheckSeverity.WARN,
        description=_in_words(missing, wanted, study),
        metadata={
            "sessions": len(wanted),
            "symbols": list(study.symbols),
            "first": str(wanted[0]),
            "last": str(wanted[-1]),
            "missing": len(missing),
            "missing_partitions": [f"{day} {symbol}" for day, symbol in missing[:NAMED_MISSING_MAX]],
        },
    )


def uncovered(
    found: Iterable[Partition], symbols: Iterable[str], wanted: Iterable[date]
) -> Iterator[tuple[date, str]]:
    """The (session, symbol) of `wanted` that no healthy partition holds."""
    healthy = {(partition.session, partition.symbol) for partition in found if partition.quality != "failed"}
    for day in wanted:
        for symbol in symbols:
            if (day, symbol) not in healthy:
                yield day, symbol


def _in_words(missing: list[tuple[date, str]], wanted: list[date], study: Study) -> str:
    if not missing:
        return f"{len(wanted)} sessions of {len(study.symbols)} symbols, none missing."
    return (
        f"{len(missing)} of {len(wanted) * len(study.symbols)} partitions have no healthy bars, the first is "
        f"{missing[0][1]} on {missing[0][0]}. Materialize bars for the sessions from {missing[0][0]} "
        f"to {missing[-1][0]}."
    )


def _rows_of(study: Study, days: list[date]) -> Iterator[tuple[str, int]]:
    with connect() as connection:
        found = catalog.partitions(
            connection, dataset_of(study.source, study.timeframe), list(study.symbols), days[0], days[-1]
        )
    for day in days:
        yield day.isoformat(), sum(partition.rows for partition in found if partition.session == day)
