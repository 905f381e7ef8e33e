"""Questions to the network, asked side by side and never for longer than promised."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


def side_by_side(
    questions: Mapping[str, Callable[[], T]], within_s: float
) -> Iterator[tuple[str, T | Exception]]:
    """Each name with its answer or the exception it raised; `TimeoutError` where none came in time.

    Daemon threads, for resolving a name can take the C library half a minute and nobody can interrupt it: a pool
    of the standard library would wait for them when the program ends.
    """
    answers: queue.SimpleQueue[tuple[str, T | Exception]] = queue.SimpleQueue()

    def ask(name: str, question: Callable[[], T]) -> None:
        try:
            answers.put((name, question()))
        except Exception as error:
            answers.put((name, error))

    for name, question in questions.items():
        threading.Thread(target=ask, args=(name, question), name=name, daemon=True).start()
    deadline = time.monotonic() + within_s
    pending = set(questions)
    while pending:
        try:
            name, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        pending.discard(name)
        yield name, answer
    for name in sorted(pending):
        yield name, TimeoutError(f"no answer within {within_s:.0f} s")
