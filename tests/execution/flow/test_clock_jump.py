"""An engine whose clock on the wall is wrong by an hour trades as if it were right."""

import re
from pathlib import Path

import pytest
from desk import Desk
from steps import TIMEOUT_S, asked_at_every_step

from data.settings import ROOT


def test_what_trades_reads_no_other_clock() -> None:
    """A jump is injected in execution/clock.py: who asks the machine past it is not tested by it."""
    rooms = [ROOT / "execution" / name for name in ("core", "flow", "store", "broker")]
    pages = [*(ROOT / "execution").glob("*.py"), *(page for room in rooms for page in room.rglob("*.py"))]
    assert len(pages) > 20
    asked = re.compile(r"time\.time\b|time_ns|datetime\.now|date\.today")
    assert {page.name for page in pages if asked.search(page.read_text())} == {"clock.py"}


@pytest.mark.full
@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_clock_that_jumps_by_an_hour_changes_nothing(
    desk: Desk, seconds: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "steps.sock"
    monkeypatch.setenv("SLIPWAY_FAILPOINT_SOCKET", str(path))
    jump_once = iter([f"jump {seconds}"])
    with asked_at_every_step(path, lambda _: next(jump_once, "go")) as steps:
        with desk.engine("--exit-when-done") as engine:
            _, said = engine.communicate(timeout=TIMEOUT_S)
        assert engine.returncode == 0, said.decode()
    assert steps[0] == "after_takeover"
    assert "after_send" in steps
    desk.assert_nothing_lost_and_nothing_doubled()


@pytest.mark.full
def test_an_engine_whose_test_is_over_does_not_trade_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "steps.sock"
    monkeypatch.setenv("SLIPWAY_FAILPOINT_SOCKET", str(path))
    with asked_at_every_step(path, lambda _: "over"), desk.engine("--exit-when-done") as engine:
        engine.communicate(timeout=TIMEOUT_S)
    assert engine.returncode == -9
