"""A session's engine under watch: started again when it is killed, not when it says no."""

import sys
from datetime import date
from pathlib import Path

import pytest

from data.errors import SlipwayError
from orchestration import session

DAY = date(2026, 10, 1)

pytestmark = pytest.mark.usefixtures("database_url")


def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_life: str) -> Path:
    """An "engine" that spends its first life as told and then trades to the end; counts its lives in a file."""
    lives = tmp_path / "lives"
    program = tmp_path / "engine"
    program.write_text(
        f'#!/bin/sh\necho life >> "{lives}"\nif [ $(wc -l < "{lives}") -gt 1 ]; then exit 0; fi\n{first_life}\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(session, "PAUSES_S", (0.0, 0.0))
    return lives


@pytest.mark.full
@pytest.mark.parametrize("ends", ["kill -9 $$", "echo 'error: Postgres went away.'; exit 1"])
def test_an_engine_that_falls_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    lives = engine(tmp_path, monkeypatch, ends)
    endings = session.trade("desk", DAY, tmp_path / "log", lambda bars: None)
    assert [ending.partition(":")[0] for ending in endings] in (
        ["the engine ended with -9"],
        ["the engine ended with 1"],
    )
    assert lives.read_text().count("life") == 2


@pytest.mark.full
def test_an_engine_that_refuses_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lives = engine(tmp_path, monkeypatch, "echo 'error: the artifact is refused.'; echo '  +----'; exit 3")
    with pytest.raises(SlipwayError, match="ended with 3: error: the artifact is refused"):
        session.trade("desk", DAY, tmp_path / "log", lambda bars: None)
    assert lives.read_text().count("life") == 1
