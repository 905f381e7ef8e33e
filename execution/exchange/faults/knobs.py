"""The kinds of faults, and knobs that say which request or event one strikes, how often, and how likely.

Knobs live in memory only; a restarted exchange behaves.
"""

from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random

import msgspec

ORDERS = "POST /v2/orders"
EVENTS = "STREAM trade_updates"


class FaultKind(StrEnum):
    # instead of looking at the request
    LOSE_REQUEST = "lose_request"  # the connection breaks before the request is looked at
    HOLD_REQUEST = "hold_request"  # it is carried out `delay_ms` later, even if the client is gone by then
    HTTP_429 = "http_429"  # refused as too many requests, with Retry-After of `delay_ms`
    # after it was carried out and is durable
    LOSE_REPLY = "lose_reply"  # the connection breaks
    DELAY_REPLY = "delay_reply"  # the reply comes `delay_ms` later
    HTTP_504_AFTER_ACCEPT = "http_504_after_accept"  # answered with 504
    HIDE_ORDER = "hide_order"  # the accepted order is not found and not listed for `delay_ms`
    # replies and events that no client expects
    HTML_REPLY = "html_reply"  # the page of a proxy
    EMPTY_REPLY = "empty_reply"
    TRUNCATED_REPLY = "truncated_reply"  # half of the JSON
    FLIPPED_NUMBERS = "flipped_numbers"  # numbers as strings, and strings that are numbers as numbers
    UNKNOWN_FIELDS = "unknown_fields"  # a field that no documentation names, in every object
    UNKNOWN_STATUS = "unknown_status"  # orders are in a status that no documentation names
    # what the books do
    REUSE_IDS = "reuse_ids"  # a client_order_id is taken again, as another order
    FILL_DURING_CANCEL = "fill_during_cancel"  # the cancel is answered with 204, and the order fills
    FILL_DURING_REPLACE = "fill_during_replace"  # the replace is answered with 200, and the order fills first
    # the stream
    MUTE_EVENTS = "mute_events"  # events are not streamed; their sequence numbers are missing
    DUPLICATE_EVENTS = "duplicate_events"  # events come twice
    REORDER_EVENTS = "reorder_events"  # an event comes after the one that follows it
    DROP_SOCKETS = "drop_sockets"  # all sockets of the account are cut, once and now

    @property
    def usual_route(self) -> str:
        """What a knob of this kind strikes unless it names a route."""
        return _USUAL.get(self, ORDERS)


_USUAL = {
    FaultKind.FILL_DURING_CANCEL: "DELETE /v2/orders/*",
    FaultKind.FILL_DURING_REPLACE: "PATCH /v2/orders/*",
    FaultKind.MUTE_EVENTS: EVENTS,
    FaultKind.DUPLICATE_EVENTS: EVENTS,
    FaultKind.REORDER_EVENTS: EVENTS,
}


class Subject(msgspec.Struct, frozen=True):
    """What might be struck: a request by method and path, or an event, and the order that it is about."""

    route: str
    symbol: str | None = None
    coid: str | None = None


class Knob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault as it was asked for."""

    kind: FaultKind
    count: int | None = None  # strikes so often; None: once, or with a probability without end
    probability: float | None = None  # of striking each time that it could; None: always
    seed: int = 0  # of the dice: the same requests meet the same faults
    delay_ms: int = 0
    route: str | None = None  # like `GET /v2/orders*`; None: the usual one of its kind
    symbol: str | None = None
    coid: str | None = None

    @property
    def rule(self) -> tuple[str | None, ...]:
        """What another knob must share to take this one's place."""
        return self.kind, self.route, self.symbol, self.coid

    @property
    def complaint(self) -> str | None:
        if self.count is not None and self.count < 0:
            return "count must be >= 0"
        if self.probability is not None and not 0.0 < self.probability <= 1.0:
            return "probability must be > 0 and <= 1"
        return None if self.delay_ms >= 0 else "delay_ms must be >= 0"

    def fits(self, subject: Subject) -> bool:
        return (
            fnmatchcase(subject.route, self.route or self.kind.usual_route)
            and self.symbol in (None, subject.symbol)
            and self.coid in (None, subject.coid)
        )


class _Armed:
    """A knob at work."""

    def __init__(self, knob: Knob) -> None:
        self.knob = knob
        self.left = 1 if knob.count is None and knob.probability is None else knob.count
        self.struck = 0
        self._dice = Random(knob.seed)

    def strikes(self) -> bool:
        if self.left == 0 or (
            self.knob.probability is not None and self._dice.random() >= self.knob.probability
        ):
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The knobs of one account, in the order they were set; the first that fits and strikes is used."""

    def __init__(self) -> None:
        self._armed: dict[tuple[str | None, ...], _Armed] = {}

    def __bool__(self) -> bool:
        return bool(self._armed)

    def arm(self, knob: Knob) -> None:
        """Sets a knob, in place of one with the same rule; a count of 0 takes that away."""
        self._armed.pop(knob.rule, None)
        if knob.count != 0:
            self._armed[knob.rule] = _Armed(knob)

    def clear(self, kind: FaultKind | None = None) -> None:
        self._armed = {
            rule: armed for rule, armed in self._armed.items() if kind not in (None, armed.knob.kind)
        }

    def strikes(self, kind: FaultKind, subject: Subject) -> Knob | None:
        """Does it happen this time?  Uses one up if so."""
        for armed in list(self._armed.values()):
            if armed.knob.kind is kind and armed.knob.fits(subject) and armed.strikes():
                if armed.left == 0:
                    del self._armed[armed.knob.rule]
                return armed.knob
        return None

    def listed(self) -> list[dict[str, object]]:
        """The knobs that may still strike, with how often they did and will."""
        return [
            {
                **msgspec.structs.asdict(armed.knob),
                "route": armed.knob.route or armed.knob.kind.usual_route,
                "count": armed.left,
                "struck": armed.struck,
            }
            for armed in self._armed.values()
        ]
