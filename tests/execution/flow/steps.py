"""An engine that asks at every step whether it may go on (execution.failpoint), and what it is told."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 60


@contextmanager
def asked_at_every_step(path: Path, answer: Callable[[str], str]) -> Iterator[list[str]]:
    """The first engine that asks is answered; yields the steps it came to."""
    steps: list[str] = []

    def converse(listener: socket.socket) -> None:
        engine, _ = listener.accept()
        with engine, engine.makefile() as lines:
            for line in lines:
                step = line.split()[1]
                steps.append(step)
                engine.sendall(f"{answer(step)}\n".encode())

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=converse, args=(listener,), daemon=True)
        thread.start()
        yield steps
        thread.join(TIMEOUT_S)
        assert not thread.is_alive(), "the engine ended, and so must what it said"
