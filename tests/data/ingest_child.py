"""An ingest in a process of its own that meets an accident: `python ingest_child.py STEP:N` or `limit:BYTES`.

Killed at the Nth passing of a step, or kept from writing files larger than so many bytes.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

from data import candles, catalog, ingest, staging, storage
from data.errors import SlipwayError
from data.sources.synthetic import SyntheticMarket

SYMBOLS = ["AAA", "BBB"]
FIRST, LAST = date(2025, 12, 30), date(2026, 1, 5)  # two years: two batches, two transactions

# step -> what is about to be called when it is reached
STEPS: dict[str, tuple[Any, str]] = {
    "before the first file": (staging.lake, "write"),
    "while a file is written": (storage.os, "fsync"),
    "a file has its name": (storage, "_sync_folder"),
    "files are there and nothing is published": (catalog, "publish"),
    "sessions are entered, not committed": (candles, "upsert"),
    "a batch is committed": (ingest._Writer, "_count"),
}


def kill_at(step: str, passing: int) -> None:
    place, name = STEPS[step]
    called = getattr(place, name)
    left = passing

    def reached(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return called(*arguments, **named)

    setattr(place, name, reached)


def main(accident: str) -> int:
    what, _, number = accident.rpartition(":")
    if what == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
    elif what in STEPS:
        kill_at(what, int(number))
    bring: Callable[..., Any] = ingest.ingest
    try:
        bring(SyntheticMarket(), SYMBOLS, FIRST, LAST)
    except SlipwayError as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
