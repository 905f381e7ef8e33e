"""Several things at the same moment, in threads."""

import threading
from collections.abc import Callable


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Start all of them together and wait for all; what they raised."""
    barrier = threading.Barrier(len(works))
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
