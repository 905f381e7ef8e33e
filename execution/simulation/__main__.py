"""`python -m execution.simulation`: live through seeds, as many as you like; or one of them with its trace."""

import argparse
import sys
import time

from execution.simulation.world import run_seed, silence


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m execution.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="only this one, with all that happened")
    parser.add_argument("--seeds", type=int, default=2_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="where to begin")
    given = parser.parse_args()
    with silence():
        if given.seed is not None:
            return _one(given.seed)
        return _many(range(given.first, given.first + given.seeds))


def _one(seed: int) -> int:
    lived = run_seed(seed, keep_trace=True)
    print("".join(lived.trace), end="")
    print(f"trace {lived.trace_hash}: {lived.violation or 'every invariant held'}")
    return 1 if lived.violation else 0


def _many(seeds: range) -> int:
    began = time.perf_counter()
    violated = 0
    for seed in seeds:
        lived = run_seed(seed)
        if lived.violation is not None:
            violated += 1
            print(f"seed {seed}: {lived.violation}; see `{replay(seed)}`")
    seconds = time.perf_counter() - began
    print(f"{len(seeds):,} seeds, {violated:,} violated, {3600 * len(seeds) / seconds:,.0f} an hour")
    return 1 if violated else 0


def replay(seed: int) -> str:
    """The command that shows a seed again."""
    return f"python -m execution.simulation --seed {seed}"


if __name__ == "__main__":
    sys.exit(main())
