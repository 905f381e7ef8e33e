"""What can be made to go wrong, per account: each kind a number of times, counted down as it happens.

Faults live in memory only; a restarted exchange behaves.
"""

from collections import Counter
from enum import StrEnum


class FaultKind(StrEnum):
    """The first four strike POST /v2/orders."""

    LOSE_REQUEST = "lose_request"  # the connection breaks before the order is looked at
    LOSE_REPLY = "lose_reply"  # accepted and durable, then the connection breaks
    DELAY_REPLY = "delay_reply"  # accepted and durable, the reply comes `delay_ms` later
    HTTP_504_AFTER_ACCEPT = "http_504_after_accept"  # accepted and durable, answered with 504
    MUTE_EVENTS = "mute_events"  # the next events are not streamed; their sequence numbers are missing
    DROP_SOCKETS = "drop_sockets"  # all stream sockets are cut, once and now


class Faults:
    def __init__(self) -> None:
        self.left: Counter[FaultKind] = Counter()
        self.delay_ms = 0

    def arm(self, kind: FaultKind, count: int, delay_ms: int = 0) -> None:
        self.left[kind] = count
        if kind is FaultKind.DELAY_REPLY:
            self.delay_ms = delay_ms

    def strikes(self, kind: FaultKind) -> bool:
        """Does it happen this time?  Uses one up if so."""
        if self.left[kind] <= 0:
            return False
        self.left[kind] -= 1
        return True
