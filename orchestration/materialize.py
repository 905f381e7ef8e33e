"""Run the study's assets through Dagster from here: one run, recorded where Dagster's pages look for it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.errors import Refused, Unavailable
from data.progress import Progress, silent
from infra.local.site import Site
from orchestration.study import STUDY, Study

if TYPE_CHECKING:  # Dagster takes half a second to load: only who materializes pays
    from dagster import DagsterInstance, EventLogEntry


@dataclass(frozen=True, slots=True)
class Materialized:
    """What one run made."""

    run_id: str
    sessions: int
    version: str
    artifact_hash: str
    checks_passed: bool


def materialize_study(
    study: Study = STUDY,
    told: Progress = silent,
    *,
    instance: "DagsterInstance | None" = None,
) -> Materialized:
    """Bars, backtest and artifact of `study` in one run of the job `study`.

    Sessions that the lake has already are compared byte for byte and not written again.  In this process,
    because a run that Dagster's daemon launches spends its first five seconds on imports.
    """
    from dagster import PartitionKeyRange
    from dagster._core.errors import (  # not exported
        DagsterAssetCheckFailedError,
        DagsterExecutionInterruptedError,
    )

    from orchestration.assets.research import artifacts
    from orchestration.definitions import defs, study_job
    from orchestration.partitions import trading_sessions
    from orchestration.schedules import partition_range

    run_id = str(uuid.uuid4())
    first, last = study.first.isoformat(), study.data_until.isoformat()
    keys = trading_sessions.get_partition_keys_in_range(PartitionKeyRange(first, last))
    with _recorded(instance) as recorded:
        recorded.add_event_listener(run_id, _counting(told, len(keys) + 2))
        try:
            result = defs.resolve_job_def(study_job.name).execute_in_process(
                instance=recorded,
                run_id=run_id,
                tags=partition_range(study.first, study.data_until),
                resources={"study": study},
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},  # `told` speaks
            )
        except DagsterAssetCheckFailedError as error:
            raise Refused(
                "research did not run, for the bars it needs are not whole",
                f"See the check of the asset bars in Dagster: {error}",
            ) from error
        except DagsterExecutionInterruptedError:  # what Dagster makes of a Ctrl-C
            raise KeyboardInterrupt from None
    made = result.asset_materializations_for_node(artifacts.node_def.name)[0].metadata
    return Materialized(
        run_id=run_id,
        sessions=len(keys),
        version=str(made["version"].value),
        artifact_hash=str(made["artifact"].value),
        checks_passed=all(each.passed for each in result.get_asset_check_evaluations()),
    )


def _counting(told: Progress, total: int) -> "Callable[[EventLogEntry], None]":
    """Tells of each thing as Dagster records it: a partition of bars, the backtest, the artifact."""
    done = 0

    def heard(entry: "EventLogEntry") -> None:
        nonlocal done
        event = entry.dagster_event
        if event is None:
            return
        if event.is_step_materialization:
            done += 1
            made = event.step_materialization_data.materialization
            told(done, total, " ".join(filter(None, (made.label, made.partition))))
        elif event.is_step_start:
            told(done, total, str(event.step_key))

    return heard


@contextmanager
def _recorded(instance: "DagsterInstance | None") -> "Iterator[DagsterInstance]":
    """The instance whose pages people look at, unless another one is given."""
    from dagster import DagsterInstance

    if instance is not None:
        yield instance
        return
    home = Site().dagster_home
    if not (home / "dagster.yaml").exists():
        raise Unavailable(
            f"Dagster has no instance in {home}", "Start it with `./slipway dagster`, then try again."
        )
    with DagsterInstance.from_config(str(home)) as ours:
        yield ours
