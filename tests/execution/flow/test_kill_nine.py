"""kill -9 at every step of an order, one after the other in one session: nothing lost, nothing doubled."""

import pytest
from desk import Desk

STEPS = (
    "before_intent:2",
    "after_intent:2",
    "after_hint:1",
    "after_claim:2",
    "after_send:2",
    "before_event:3",
    "after_event:2",
)
TIMEOUT_S = 60


@pytest.mark.full
def test_an_engine_killed_at_every_step_loses_and_doubles_nothing(desk: Desk) -> None:
    for step in STEPS:
        with desk.engine("--exit-when-done", failpoint=step) as engine:
            engine.communicate(timeout=TIMEOUT_S)
        assert engine.returncode == -9, f"the session ended before {step} was reached"
    with desk.engine("--exit-when-done") as engine:
        _, said = engine.communicate(timeout=TIMEOUT_S)
    assert engine.returncode == 0, said.decode()
    desk.assert_nothing_lost_and_nothing_doubled()
