"""Fills the compile cache, so that nobody's first sweep waits for it: `python -m research.passes`, run by set-up."""

import os
from concurrent.futures import ProcessPoolExecutor

from research.passes.kernel import pass_for
from research.passes.shared_account import portfolio_kernel


def _compile(which: str) -> None:
    if which == "portfolio":
        portfolio_kernel()
    else:
        pass_for(with_position=which == "position")


if __name__ == "__main__":
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as processes:
        list(processes.map(_compile, ["portfolio", "position", "targets"]))
