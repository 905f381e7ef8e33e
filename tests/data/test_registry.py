"""What may trade: versions, stages, evidence, and a log that nobody can quietly change."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from test_artifacts import SOURCE, manifest

from data import artifacts, audit, registry
from data.errors import Corrupt, Refused, UsageError
from data.postgres import connect
from data.registry import Version

pytestmark = pytest.mark.usefixtures("database_url")


def a_version(**changes: object) -> Version:
    loaded = artifacts.load(artifacts.publish(manifest(**changes), {"strategy.py": SOURCE}))
    with connect() as connection:
        return registry.register(connection, loaded)


def passed(version: Version, verdict: registry.Verdict = "pass") -> Version:
    with connect() as connection:
        registry.record_evidence(connection, version, "parity", verdict, {"differences": 0})
    return version


def promote(version: Version, to: registry.Stage = "paper") -> Version:
    with connect() as connection:
        return registry.promote(connection, version, to, actor="trader", reason="test")


def test_versions_count_up_within_a_strategy_and_the_same_artifact_counts_once() -> None:
    first, second = a_version(), a_version(capital=2.0)
    assert (str(first), str(second), str(a_version())) == ("crossover@1", "crossover@2", "crossover@1")


def test_a_version_is_found_by_name_number_and_hash() -> None:
    first, second = a_version(), a_version(capital=2.0)
    with connect() as connection:
        assert registry.find(connection, "crossover") == second
        assert registry.find(connection, "crossover@1") == first
        assert registry.find(connection, first.artifact_hash[:10]) == first
        with pytest.raises(UsageError, match="no version 'momentum'"):
            registry.find(connection, "momentum")


def test_a_gate_without_evidence_has_not_passed() -> None:
    with pytest.raises(Refused, match="no evidence for the gate parity"):
        promote(a_version())


def test_a_failed_gate_refuses_and_only_the_newest_evidence_counts() -> None:
    version = passed(a_version(), "fail")
    with pytest.raises(Refused, match="the gate parity failed"):
        promote(version)
    assert promote(passed(version)).stage == "paper"


def test_the_version_before_is_retired_by_the_promotion_of_the_next() -> None:
    first, second = passed(a_version()), passed(a_version(capital=2.0))
    promote(first)
    promote(second)
    with connect() as connection:
        stages = {str(version): version.stage for version in registry.versions(connection)}
    assert stages == {"crossover@1": "retired", "crossover@2": "paper"}


def test_live_needs_gates_that_nothing_measures_yet_so_nothing_gets_there() -> None:
    version = promote(passed(a_version()))
    with pytest.raises(Refused, match="no evidence for the gate paper_record"):
        promote(version, "live")


def test_of_many_promotions_at_once_exactly_one_wins_and_the_others_learn_why() -> None:
    version = passed(a_version())

    def attempt(_: int) -> str:
        try:
            return promote(version).stage
        except Refused as refused:
            return str(refused)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(16)))
    assert outcomes.count("paper") == 1
    assert all("paper already" in text for text in outcomes if text != "paper")


def test_every_step_is_in_the_audit_log_and_the_chain_holds() -> None:
    promote(passed(a_version()))
    with connect() as connection:
        assert audit.verify(connection) == 2
        rows = connection.execute("select action, subject, actor from audit order by id").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("publish", "crossover@1", "quant"),
        ("promote", "crossover@1", "trader"),
    ]


@pytest.mark.parametrize(
    "statement", ["update audit set actor = 'me'", "delete from audit", "truncate audit"]
)
def test_the_audit_log_cannot_be_changed(statement: str) -> None:
    a_version()
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"), connect() as connection:
        connection.execute(statement)


def test_a_row_changed_behind_the_trigger_shows() -> None:
    promote(passed(a_version()))
    with connect() as connection:
        connection.execute("alter table audit disable trigger audit_append_only")
        connection.execute("update audit set actor = 'somebody else' where id = 1")
    with connect() as connection, pytest.raises(Corrupt, match="changed at row 1"):
        audit.verify(connection)
