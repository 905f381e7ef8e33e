"""The demo as a stranger runs it: a state folder that never was, one command, everything traded and proved."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(240)]


@pytest.fixture
def slipway(state_dir: Path) -> Iterator[Run]:
    """The command line on this test's state folder, whose services are stopped at the end."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "SLIPWAY_STATE_DIR": str(state_dir)}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
        )

    yield run
    assert run("down").returncode == 0


def test_the_demo_trades_what_research_computed_and_leaves_the_system_up(
    slipway: Run, state_dir: Path
) -> None:
    told = slipway("demo")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "16 of 16 orders identical" in told.stdout
    assert "0 differences to the exchange" in told.stdout
    assert "the very same artifact" in told.stdout

    services = json.loads((state_dir / "run" / "services.json").read_text())
    with urllib.request.urlopen(services["api_url"] + "/health", timeout=10) as answer:
        assert answer.status == 200
    states = {each["name"]: each["state"] for each in json.loads(slipway("status", "--json").stdout)}
    assert states["engine"] == "ready"

    killed = slipway("trade", "kill", "--reason", "drill")
    assert killed.returncode == 0, killed.stderr
    assert "is flat" in killed.stdout
    assert slipway("trade", "reconcile").returncode == 0

    again = slipway("demo")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 new bars" in again.stdout
    assert "promoted to paper already" in again.stdout
    assert "demo-2" in again.stdout
