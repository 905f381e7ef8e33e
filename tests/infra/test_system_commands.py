"""`slipway up · down · status · logs · reset · doctor` as scripts use them: JSON, exit codes, never a password."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.settings import ROOT
from orchestration.cli import main

Typed = Callable[..., tuple[int, str, str]]
ROW = {
    "name", "kind", "state", "pid", "port", "where", "for_s", "restarts", "exit_code", "failed", "by_default",
    "note", "fix",
}  # fmt: skip
HELP_RATIO_MAX = 2.5


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = capfd.readouterr()
        return code, out, err

    return run


def parsed(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0
    return json.loads(answer[1])


def test_where_nothing_runs_every_command_says_so(typed: Typed, state_dir: Path) -> None:
    assert typed("status") == (0, "The local system is not running. Start it with `./slipway up`.\n", "")
    assert parsed(typed("status", "--json")) == []
    assert parsed(typed("down", "--json"))["stopped"] == []
    assert typed("down") == (0, "Slipway was not running.\n", "")
    assert parsed(typed("reset", "--yes", "--json")) == {"deleted": []}
    assert typed("reset", "--yes") == (0, "There is no local state.\n", "")
    assert typed("logs") == (0, "", "")


def test_external_servers_are_listed_though_nothing_runs(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", "postgresql://me:s3cret@127.0.0.1:1/ledger")
    monkeypatch.setenv("SLIPWAY_EXCHANGE_URL", "http://127.0.0.1:1")
    code, out, err = typed("status", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert set(rows) == {"postgres", "exchange"}
    assert {(row["kind"], row["state"], row["where"]) for row in rows.values()} == {
        ("external", "unreachable", "127.0.0.1:1")
    }
    assert all(set(row) == ROW for row in rows.values())
    assert "s3cret" not in out + err
    code, out, err = typed("up", "--only", "postgres")
    assert (code, out) == (1, "")
    assert err.startswith("error: the database at 127.0.0.1:1 refuses connections")
    assert "s3cret" not in err


def test_doctor_fails_for_problems_only_and_says_how_bad_each_finding_is(typed: Typed) -> None:
    code, out, _ = typed("doctor", "--json")
    findings = json.loads(out)
    assert code == 1  # the system is down
    assert {each["severity"] for each in findings} <= {"ok", "note", "problem"}
    assert all(each["fix"] for each in findings if each["severity"] == "problem")
    assert set(findings[0]) == {"severity", "what", "found", "fix"}


def test_reset_in_a_script_asks_nothing_and_deletes_nothing_without_yes(
    typed: Typed, state_dir: Path
) -> None:
    state_dir.mkdir()
    code, out, err = typed("reset", "--json")
    assert (code, out) == (2, "")
    assert "Say so with `./slipway reset --yes`." in err
    assert state_dir.exists()


def test_logs_are_json_lines_for_who_wants_them(typed: Typed, state_dir: Path) -> None:
    (state_dir / "logs").mkdir(parents=True)
    (state_dir / "logs" / "api.log").write_text("one\ntwo ü\n")
    _, out, _ = typed("logs", "--json", "-n", "1")
    assert [json.loads(line) for line in out.splitlines()] == [{"service": "api", "line": "two ü"}]
    assert typed("logs", "api")[1] == "one\ntwo ü\n"


@pytest.mark.full
def test_the_whole_life_in_json(typed: Typed, state_dir: Path) -> None:
    try:
        rows = parsed(typed("up", "--only", "valkey", "--json"))
        assert all(set(row) == ROW for row in rows)
        assert rows == [
            row | {"for_s": old["for_s"]}
            for row, old in zip(parsed(typed("status", "--json")), rows, strict=True)
        ]
        kinds = {row["name"]: row["kind"] for row in rows}
        assert (kinds["postgres"], kinds["valkey"], kinds["api"]) == ("embedded", "embedded", "process")
    finally:
        stopped = parsed(typed("down", "--json"))
    assert stopped["stopped"] == ["valkey"]
    assert stopped["took_s"] < 10
    deleted = parsed(typed("reset", "--yes", "--json"))["deleted"]
    assert str(state_dir / "valkey") in deleted


@pytest.mark.full
def test_help_costs_little_more_than_the_library_that_prints_it() -> None:
    """0.24 s of processor time on an idle machine, 0.15 s of them typer and rich; a busy one asks for a ratio."""
    help_ = ["-m", "orchestration.cli", "--help"]
    peer = ["-c", "import typer.main, typer.rich_utils"]
    ours, theirs = (min(cpu_s(words) for _ in range(3)) for words in (help_, peer))
    assert ours < HELP_RATIO_MAX * theirs
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", *help_], cwd=ROOT, capture_output=True, text=True, check=True
    ).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in loaded.splitlines()}
    slow = {"alembic", "numpy", "obstore", "polars", "psycopg", "pydantic", "redis", "sqlalchemy"}
    assert modules.isdisjoint(slow)


def cpu_s(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.full
def test_no_color_is_honoured(state_dir: Path) -> None:
    environment = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": ""}
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "doctor"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert "\x1b[" not in done.stdout + done.stderr
