"""Log lines, and Dagster's instance file."""

import json
from itertools import islice
from pathlib import Path

import pytest

from data.errors import UsageError
from infra.local import logs
from infra.local.dagster import instance, write_home
from infra.local.logs import last_lines, last_words, log_files, make_room, new_lines


def test_the_line_that_tells_why_is_found_among_the_others() -> None:
    said = "LOG: starting\nFATAL:  could not create lock file\nHINT: free some space\nLOG: shut down\n"
    assert last_words(said) == "FATAL:  could not create lock file"
    assert last_words("first\nsecond\n\n") == "second"
    assert last_words("\x1b[31mError\x1b[0m: no room") == "Error: no room"


def test_logs_show_the_end_and_then_what_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "api.log"
    log.write_text("one\ntwo\nthree\n")
    assert last_lines(log, 2) == ["two", "three"]

    def meanwhile(_: float) -> None:
        with log.open("a") as file:
            file.write("next\n")

    monkeypatch.setattr("infra.local.logs.time.sleep", meanwhile)
    coming = new_lines([log])
    assert list(islice(coming, 2)) == [("api", "next")] * 2
    log.write_text("")  # it may be emptied under the reader
    assert next(coming) == ("api", "next")


def test_an_unknown_log_is_the_persons_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no log of 'postgres'"):
        log_files(tmp_path, "postgres")


def test_dagsters_file_keeps_its_password_to_its_owner(tmp_path: Path) -> None:
    write_home(tmp_path / "home", "postgresql://slipway:p%40ss@127.0.0.1:8404/dagster")
    file = tmp_path / "home" / "dagster.yaml"
    assert file.stat().st_mode & 0o077 == 0
    database = json.loads(file.read_text())["storage"]["postgres"]["postgres_db"]
    assert (database["password"], database["port"], database["db_name"]) == ("p@ss", 8404, "dagster")
    assert instance("postgresql://u@h/d")["telemetry"] == {"enabled": False}


def test_a_log_that_has_grown_large_is_put_aside_under_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES_MAX", 10)
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        for line in ("a first long line\n", "next\n"):
            writer.write(line)
            writer.flush()
            make_room(log)
    assert log.read_text() == "next\n"
    assert (tmp_path / "api.log.1").read_text() == "a first long line\n"
