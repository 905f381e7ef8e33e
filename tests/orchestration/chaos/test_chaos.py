"""Some of the deck's faults in every run of the tests, others each day."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import pytest

from data.settings import ROOT
from infra.local.processes import working_in
from orchestration.chaos.deck import SHORT
from orchestration.chaos.run import end_what_was_left, run

pytestmark = pytest.mark.full

LONGEST_S = 150.0  # it takes about 60; a machine that is busy with more gets no faults in its last part


def test_todays_faults_lose_and_double_nothing() -> None:
    seed = date.today().toordinal()
    again = f"repeat it with `./slipway chaos --minutes 2 --seed {seed}`"
    account = run(LONGEST_S, seed, cards=SHORT)
    figures = account.figures()
    print(json.dumps(figures, indent=2))
    assert figures["violations"] == [], again
    assert figures["faults"] >= SHORT, again
    assert figures["engines"] >= figures["sessions"] >= 1
    assert figures["orders"] >= 30 * figures["sessions"], "a session that hardly trades proves little"


@pytest.mark.parametrize(("signal_", "sign"), [(signal.SIGINT, "engines/*.log"), (signal.SIGKILL, "lake")])
def test_nothing_stays_behind_of_a_run_that_was_stopped(
    signal_: signal.Signals, sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was killed could not clean up: the next run does."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "orchestration.cli", "chaos", "--minutes", "2"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as process:
        give_up_at = time.monotonic() + 60
        while not list(tmp_path.glob(f"slipway-chaos-*/{sign}")):
            assert process.poll() is None, "it ended before it was stopped"
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        folder = next(tmp_path.glob("slipway-chaos-*"))
        process.send_signal(signal_)
        assert process.wait(30) != 0
    if signal_ is signal.SIGKILL:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        end_what_was_left()
    assert list(working_in(folder / "postgres" / "data")) == []
    assert not folder.exists()
    assert mentioned(str(folder)) == []


def mentioned(text: str) -> list[int]:
    """The processes in whose environment a text stands."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/environ")
        if text.encode() in _content(path)
    ]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile, or is somebody else's
        return b""
