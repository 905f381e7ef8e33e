"""`slipway chaos simulate` as a person types it."""

import json

import pytest

from data.orders import OrderState
from execution.simulation import checks
from orchestration.cli import main

SEED = 11
"""A world in which orders are sent."""


def test_it_says_what_was_lived_through_and_that_nothing_was_violated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["chaos", "simulate", "--seeds", "60", "--processes", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["worlds"] == 60
    assert told["orders"] > 300
    assert told["violated"] == {}


def test_one_world_is_shown_with_all_that_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "simulate", "--seed", str(SEED)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "0.000000000 p0 starts"
    assert told[-1] == "Every invariant held."
    assert any(" sends " in line for line in told)


def test_a_violation_is_an_exit_code_and_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "NEGATIVE", tuple(OrderState))  # whatever an order becomes is wrong then
    assert main(["chaos", "simulate", "--seed", str(SEED)]) == 1
    assert "I7: " in capsys.readouterr().out.splitlines()[-1]
