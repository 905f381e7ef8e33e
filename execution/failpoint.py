"""Named places at which a chaos test may kill or freeze this process, or anything around it, as a power cut would."""

import os
import signal
import socket
from typing import Final

from execution import clock

_KILL_AT: Final = os.environ.get("SLIPWAY_FAILPOINT", "")  # step, or step:N for its Nth passing
_ASK_AT: Final = os.environ.get(
    "SLIPWAY_FAILPOINT_SOCKET", ""
)  # who may strike at any step, and is asked at each
_passed = 0
_judge: socket.socket | None = None


def reach(step: str) -> None:
    """Die here if a test asked for it, or wait for what it does here; otherwise nothing."""
    global _passed
    if _ASK_AT:
        _ask(step)
    if not _KILL_AT:
        return
    name, _, count = _KILL_AT.partition(":")
    if name == step:
        _passed += 1
        if _passed >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)


def _ask(step: str) -> None:
    """Say where we are, and go on when we are told to.

    It blocks the event loop on purpose: nothing else of this process happens between here and the strike.
    """
    global _judge
    if _judge is None:
        _judge = socket.socket(socket.AF_UNIX)
        _judge.connect(_ASK_AT)
    _judge.sendall(f"{os.getpid()} {step}\n".encode())
    told = _judge.recv(100).decode().split()
    match told:
        case ["go"]:
            pass
        case ["jump", seconds]:
            clock.jump(float(seconds))
        case _:  # the test is over, or was killed: nobody wants this process any more
            os.kill(os.getpid(), signal.SIGKILL)
