"""Each step of the protocol is needed: without it some world goes wrong, or it is said why none can."""

import pytest
from mutants import MUTANTS, Mutant

from execution.simulation.world import run_seed, silence

PATIENCE = 3_000
"""Seeds; most mutants die within ten."""


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", [each for each in MUTANTS if not each.masked], ids=lambda each: each.name)
def test_a_mutant_is_killed(mutant: Mutant) -> None:
    with mutant.alive(), silence():
        lives = (run_seed(seed, faults=mutant.faults) for seed in range(PATIENCE))
        violated = next((lived for lived in lives if lived.violation), None)
    assert violated is not None, f"{PATIENCE} worlds live without noticing: {mutant.name}"
