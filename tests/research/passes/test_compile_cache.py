"""Machine code that was kept on disk is that of the strategy that asks for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STRATEGY = """
from execution.strategy import Strategy, sma


class {name}(Strategy):
    def features(self):
        return {{"fast": sma("close", 5), "slow": sma("close", 20)}}

    @staticmethod
    def decide(x):
        return {target} if x.fast > x.slow else 0.0
"""

PROGRAM = """
import sys
from execution.strategy import load_strategy
from research import backtest
from research.benchmarks.market import random_market

made = {}
for line in sys.stdin.read().split("---"):
    strategy = made.setdefault(line, load_strategy(line))
    print(backtest(strategy(), random_market(300), record=False).orders["target"].max())
"""


def targets(cache: Path, *wanted: float) -> list[float]:
    """What strategies that want so much give, one after the other in a process of its own."""
    sources = [STRATEGY.format(name=f"Wants{target * 4:.0f}", target=target) for target in wanted]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="---".join(sources),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
    )
    return [float(each) for each in done.stdout.split()]


@pytest.mark.full
def test_rules_that_two_processes_compiled_do_not_stand_in_for_each_other(tmp_path: Path) -> None:
    # The first one compiles what all share; the next two do the same work, so that numba numbers it alike.
    for target in (1.0, 0.25, 0.5):
        assert targets(tmp_path, target) == [target]
    assert targets(tmp_path, 0.25, 0.5, 0.25, 0.5) == [0.25, 0.5, 0.25, 0.5]
