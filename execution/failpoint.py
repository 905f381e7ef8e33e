"""Named places at which a chaos test may kill this process, as a power cut would."""

import os
import signal
from typing import Final

_KILL_AT: Final = os.environ.get("SLIPWAY_FAILPOINT", "")  # step, or step:N for its Nth passing
_passed = 0


def reach(step: str) -> None:
    """Die here if a test asked for it; otherwise nothing."""
    global _passed
    if not _KILL_AT:
        return
    name, _, count = _KILL_AT.partition(":")
    if name == step:
        _passed += 1
        if _passed >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)
