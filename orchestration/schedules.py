"""What happens by the clock."""

from datetime import date, timedelta

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    ResourceParam,
    RunRequest,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
    schedule,
)

from data import catalog
from data.calendars import sessions
from data.ingest import dataset_of
from data.postgres import connect
from orchestration.assets.bars import bars
from orchestration.partitions import session_at, trading_sessions
from orchestration.study import Study

nightly_ingest = define_asset_job(
    "nightly_ingest", AssetSelection.assets(bars), description="The sessions that the lake does not have yet."
)


@schedule(
    job=nightly_ingest,
    cron_schedule="5 0 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
)
def nightly_bars(context: ScheduleEvaluationContext, study: ResourceParam[Study]) -> RunRequest | SkipReason:
    """Five past midnight UTC: the session that closed that evening, and any the lake missed before it."""
    today = session_at(context.scheduled_execution_time)
    if not trading_sessions.has_partition_key(today.isoformat()):
        return SkipReason(f"The exchange was closed on {today:%A, %Y-%m-%d}.")
    since = first_due(newest_everywhere(study), today)
    return RunRequest(run_key=today.isoformat(), tags=partition_range(since, today))


def first_due(newest: date | None, today: date) -> date:
    """The first session that is still to be ingested; `today` itself when nothing is behind."""
    if newest is None or newest >= today:
        return today
    return sessions(newest + timedelta(days=1), today)[0].day


def newest_everywhere(study: Study) -> date | None:
    """The newest session that the catalog has for every symbol."""
    with connect() as connection:
        rows = catalog.summary(connection)
    dataset = dataset_of(study.source, study.timeframe)
    newest = {row["symbol"]: row["last"] for row in rows if row["dataset"] == dataset}
    known = [newest.get(symbol) for symbol in study.symbols]
    return min((day for day in known if day), default=None) if all(known) else None


def partition_range(first: date, last: date) -> dict[str, str]:
    """The tags that make one run of all sessions from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
