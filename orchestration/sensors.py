"""What is watched: the ledger, which the execution service writes."""

import json

from dagster import (
    AssetObservation,
    DefaultSensorStatus,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from data.postgres import connect
from orchestration.assets.live_fills import live_fills, metadata_of, news


@sensor(minimum_interval_seconds=30, default_status=DefaultSensorStatus.RUNNING)
def watch_fills(context: SensorEvaluationContext) -> SensorResult:
    """Tells Dagster of new fills in the ledger: how many, in which accounts, when the last."""
    with connect() as connection:
        found, seen = news(connection, json.loads(context.cursor or "{}"))
    if not found:
        return SensorResult(skip_reason=SkipReason("No fills since the last look."), cursor=json.dumps(seen))
    event = AssetObservation(live_fills.key, metadata=metadata_of(found))
    return SensorResult(asset_events=[event], cursor=json.dumps(seen))
