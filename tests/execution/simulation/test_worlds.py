"""The production code of order flow in thousands of worlds where everything goes wrong: every invariant holds."""

import asyncio
import subprocess
import sys

import pytest

from execution.simulation.many import live_through, run_seeds
from execution.simulation.virtual_time import NothingLeft, VirtualLoop

SEEDS = 2_000
ALIKE = 100


def test_no_seed_violates_an_invariant_and_the_same_seed_is_the_same_world() -> None:
    first, again = live_through(range(20)), live_through(range(20))
    assert [lived for lived in first if lived.violation] == []
    assert first == again
    assert len({lived.trace_hash for lived in first}) == len(first)


@pytest.mark.full
@pytest.mark.timeout(900)  # a minute and a half of two cores, which the other tests want, too
def test_no_seed_of_two_thousand_violates_an_invariant() -> None:
    lived = [each for part in run_seeds(0, SEEDS) for each in part]
    assert [each.seed for each in lived] == list(range(SEEDS))
    replays = {
        f"slipway chaos simulate --seed {each.seed}": each.violation for each in lived if each.violation
    }
    assert replays == {}
    assert sum(each.orders for each in lived) > 10 * SEEDS, "worlds in which nobody trades prove nothing"
    assert sum(each.fills for each in lived) > 10 * SEEDS
    assert sum(each.starts for each in lived) > 2 * SEEDS, "worlds in which nobody dies prove little"


@pytest.mark.full
def test_another_process_with_other_hashes_sees_the_same_worlds() -> None:
    ask = (
        "import sys; from execution.simulation.world import run_seed, silence\n"
        "with silence(): print([run_seed(seed).trace_hash for seed in range(int(sys.argv[1]))])"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", ask, str(ALIKE)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0].count(",") == ALIKE - 1


def test_time_passes_only_where_somebody_waits() -> None:
    loop = VirtualLoop()

    async def an_hour() -> float:
        await asyncio.sleep(3600.0)
        return loop.time()

    assert loop.run_until_complete(an_hour()) == 3600.0
    loop.close()


def test_a_deadlock_is_an_error_and_not_a_hang() -> None:
    loop = VirtualLoop()
    with pytest.raises(NothingLeft):
        loop.run_until_complete(asyncio.Event().wait())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.close()
