"""The map of everything that is scheduled, watched and materialized.

Loaded by Dagster's processes at every start: nothing here may import vectorbt or a plotting library.
"""

from dagster import AssetSelection, Definitions, define_asset_job, in_process_executor

from orchestration.assets.bars import bars, bars_cover_every_session
from orchestration.assets.live_fills import live_fills
from orchestration.assets.research import artifacts, backtests
from orchestration.resources import Lake
from orchestration.schedules import nightly_bars, nightly_ingest
from orchestration.sensors import watch_fills
from orchestration.study import STUDY

study_job = define_asset_job(
    "study",
    AssetSelection.assets(bars, backtests, artifacts),
    description="Bars to signed artifact, in one run; choose the range of sessions whose bars it brings.",
)

defs = Definitions(
    assets=[bars, backtests, artifacts, live_fills],
    asset_checks=[bars_cover_every_session],
    jobs=[study_job, nightly_ingest],
    schedules=[nightly_bars],
    sensors=[watch_fills],
    resources={"lake": Lake(), "study": STUDY},
    executor=in_process_executor,  # a process per step costs 3–10 s a run here; these steps take about one
)
