"""An engine that was frozen holds up nobody, and does no harm when it wakes."""

import threading
from pathlib import Path

import pytest
from desk import Desk
from steps import TIMEOUT_S, asked_at_every_step

STEPS = ("after_claim", "in_transaction")


@pytest.mark.full
@pytest.mark.parametrize("frozen_at", STEPS)
def test_a_frozen_engine_is_taken_over_and_wakes_to_find_itself_fenced(
    desk: Desk, frozen_at: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the middle of a transaction it holds a lock on the lease that the one who takes over must have."""
    path = tmp_path / "steps.sock"
    is_frozen, wakes = threading.Event(), threading.Event()

    def answer(step: str) -> str:
        if step == frozen_at and "after_bar" in steps:  # it trades by now
            is_frozen.set()
            wakes.wait(TIMEOUT_S)
        return "go"

    with asked_at_every_step(path, answer) as steps:
        monkeypatch.setenv("SLIPWAY_FAILPOINT_SOCKET", str(path))
        with desk.engine() as zombie:
            monkeypatch.delenv("SLIPWAY_FAILPOINT_SOCKET")
            assert is_frozen.wait(TIMEOUT_S)
            with desk.engine("--exit-when-done", "--take-over") as heir:
                _, said = heir.communicate(timeout=TIMEOUT_S)
            assert heir.returncode == 0, said.decode()
            wakes.set()
            _, said = zombie.communicate(timeout=TIMEOUT_S)
            assert zombie.returncode in (1, 3), said.decode()
            assert b"Traceback" not in said
    desk.assert_nothing_lost_and_nothing_doubled()
