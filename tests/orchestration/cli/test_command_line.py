"""What every command has in common: help, mistakes of use, failures in a sentence, exit codes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import Refused
from data.settings import ROOT
from orchestration.cli import main

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command line: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize("words", [(), ("data",), ("strategy",), ("trade",), ("bench",)])
def test_a_group_without_a_command_shows_its_help_and_no_error(typed: Typed, words: tuple[str, ...]) -> None:
    code, out, err = typed(*words)
    assert (code, err) == (2, "")
    assert "Usage: slipway" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuch"], "No such command 'nosuch'. See `./slipway --help`."),
        (["data", "nosuch"], "No such command 'nosuch'. See `./slipway data --help`."),
        (["data", "show"], "Missing argument 'symbol'. See `./slipway data show --help`."),
        (
            ["trade", "orders", "--limit", "0"],
            "greater than or equal to 1. See `./slipway trade orders --help`.",
        ),
        (["promote", "x", "--to", "nosuch"], "See `./slipway promote --help`."),
        (["publish", "x", "A", "--start", "2026-09-31"], "See `./slipway publish --help`."),
        (["data", "ingest", "--nosuch"], "See `./slipway data ingest --help`."),
    ],
)
def test_a_mistake_of_use_names_the_help_that_answers_it(typed: Typed, words: list[str], says: str) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.endswith(says + "\n")
    assert err.count("\n") == 1


@pytest.mark.full
@pytest.mark.parametrize(
    "words",
    [
        "data list", "data ingest AAA", "data show AAA", "versions", "audit", "gates x", "promote x",
        "sweep crossover AAA", "backtest crossover AAA", "report crossover AAA",
        "publish crossover AAA --start 2026-09-01 --end 2026-09-02", "trade run --first 2026-09-01",
        "trade orders", "trade fills", "trade positions", "trade latency", "trade pause", "trade resume",
        "trade cancel", "trade flatten", "trade kill", "trade limits", "trade halts", "trade reconcile",
    ],
)  # fmt: skip
def test_without_a_system_every_command_says_how_to_start_it(typed: Typed, words: str) -> None:
    code, out, err = typed(*words.split())
    assert (code, out) == (1, "")
    assert err == (
        "error: no database_url is configured and no embedded service is running. "
        "Start the local system with `./slipway up`, or set SLIPWAY_DATABASE_URL.\n"
    )


def test_a_wrong_setting_is_named_and_its_value_kept_to_itself(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ENV", "s3cret")
    code, _, err = typed("versions")
    assert code == 2
    assert err.startswith("error: SLIPWAY_ENV is set to something that DataSettings does not take")
    assert "s3cret" not in err


def test_an_address_that_is_none_is_said_without_quoting_it(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", "s3cret")
    code, _, err = typed("versions")
    assert code == 2
    assert "SLIPWAY_DATABASE_URL is not the address of a database" in err
    assert "s3cret" not in err


def test_a_defect_is_admitted_and_shows_its_traceback_only_when_asked(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("by zero.")

    monkeypatch.setattr("infra.local.launch.take_down", lambda site: fail())
    code, _, err = typed("down")
    assert (code, err) == (
        1,
        "error: ZeroDivisionError: by zero. This is a defect; run again with --debug and report what it shows.\n",
    )
    code, _, err = typed("down", "--debug")
    assert "Traceback" in err


@pytest.mark.parametrize(
    ("inner", "code", "says"),
    [
        (KeyError("bars"), 1, "KeyError: 'bars'. This is a defect"),
        (
            Refused("the artifact is refused", "Publish it again."),
            3,
            "the artifact is refused. Publish it again.",
        ),
    ],
)
def test_of_a_task_group_its_first_cause_is_told(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, inner: Exception, code: int, says: str
) -> None:
    def fail(site: object) -> bool:
        raise ExceptionGroup("tasks", [ExceptionGroup("more tasks", [inner])])

    monkeypatch.setattr("infra.local.launch.take_down", fail)
    told, _, err = typed("down")
    assert told == code
    assert err.startswith(f"error: {says}")


def test_a_stop_by_hand_is_said_and_has_its_exit_code(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(site: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("infra.local.launch.take_down", interrupted)
    code, _, err = typed("down")
    assert code == 130
    assert err.startswith("error: stopped by Ctrl-C.")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (28, "/lake/x could not be written: No space left on device. Make room and run the same command."),
        (13, "/lake/x cannot be used: Permission denied. Run this as the user who owns it"),
    ],
)
def test_a_full_disk_and_a_foreign_folder_are_no_defects(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def fail(site: object) -> bool:
        raise OSError(number, os.strerror(number), "/lake/x")

    monkeypatch.setattr("infra.local.launch.take_down", fail)
    code, _, err = typed("down")
    assert code == 1
    assert err.startswith(f"error: {says}")


@pytest.mark.full
@pytest.mark.parametrize("words", [["--help"], ["data", "--help"], ["strategy", "list", "--json"]])
def test_a_reader_that_leaves_is_no_failure(words: list[str], state_dir: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *words],
        stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, text=True,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
