"""One run through Dagster makes what the command line makes, and its check says when bars are missing."""

from datetime import date

import pytest
from dagster import AssetKey, DagsterInstance, MarkdownMetadataValue

from data.errors import Refused, Unavailable
from data.ingest import ingest
from data.postgres import connect
from data.sources import source
from orchestration.assets.bars import bars_cover_every_session
from orchestration.assets.pictures import DRAWN_IN_PLACE_BELOW
from orchestration.materialize import materialize_study
from orchestration.study import Study
from research.publish import publish

# Dagster 1.13 reads an old attribute of pydantic's; both work, and what it warns of is not ours to change.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.mark.full
def test_dagster_publishes_the_very_artifact_that_the_command_line_publishes(study: Study) -> None:
    told: list[tuple[int, int, str]] = []
    with DagsterInstance.ephemeral() as instance:
        made = materialize_study(study, lambda *what: told.append(what), instance=instance)

        assert instance.get_materialized_partitions(AssetKey("bars")) >= {"2026-08-25", "2026-09-09"}
        newest = instance.get_latest_materialization_event(AssetKey("backtests"))
        assert newest is not None
        assert newest.asset_materialization is not None
        curve = newest.asset_materialization.metadata["equity"]
        assert isinstance(curve, MarkdownMetadataValue)
        assert len(curve.md_str or "") < DRAWN_IN_PLACE_BELOW
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS"]

    ranked = study.ranked(study.bars())
    version, _ = publish(
        study.best(ranked), list(study.symbols), study.first, study.last,
        capital=study.capital, trials=ranked.height,
    )  # fmt: skip
    assert (made.artifact_hash, made.version) == (version.artifact_hash, "crossover@1")
    assert made.checks_passed
    assert made.sessions == 12
    assert told[0] == (0, 14, "bars")
    assert told[-1] == (14, 14, "artifacts")


@pytest.mark.full
def test_research_does_not_run_on_bars_with_a_hole(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_SYNTHETIC_FAULTS", "gap")  # every session fails its checks
    with DagsterInstance.ephemeral() as instance:
        with pytest.raises(Refused, match="bars it needs are not whole"):
            materialize_study(study, instance=instance)

        assert instance.get_latest_materialization_event(AssetKey("backtests")) is None
        assert [run.status.value for run in instance.get_runs()] == ["FAILURE"]


@pytest.mark.full
def test_the_check_passes_on_whole_bars_and_names_the_first_session_that_is_missing(study: Study) -> None:
    def checked() -> tuple[bool, str, str]:
        result = bars_cover_every_session(study=study)
        return result.passed, result.severity.value, result.description or ""

    ingest(source(study.source), list(study.symbols), study.first, study.last)
    assert checked()[0]

    with connect() as connection:
        connection.execute("delete from catalog where symbol = 'AAA' and session = %s", [date(2026, 9, 1)])
    passed, severity, words = checked()
    assert (passed, severity) == (False, "ERROR")
    assert "AAA on 2026-09-01" in words


@pytest.mark.full
def test_a_session_missing_behind_the_research_is_told_but_stops_nothing(study: Study) -> None:
    ingest(source(study.source), list(study.symbols), study.first, study.last)
    ingest(source(study.source), list(study.symbols), date(2026, 9, 11), date(2026, 9, 11))

    result = bars_cover_every_session(study=study)

    assert not result.passed
    assert result.severity.value == "WARN"
    assert result.metadata["missing"].value == 4  # two sessions of two symbols


def test_an_empty_catalog_covers_nothing(study: Study) -> None:
    assert bars_cover_every_session(study=study).metadata["missing"].value == 20


def test_without_dagster_the_error_says_how_to_start_it(study: Study) -> None:
    with pytest.raises(Unavailable, match=r"\./slipway dagster"):
        materialize_study(study)
