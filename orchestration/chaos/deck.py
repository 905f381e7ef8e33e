"""Every fault that there is, as a deck of cards in a fixed order; a seed says where in it one begins."""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from random import Random
from typing import Final

from execution.exchange.faults import FaultKind
from execution.exchange.faults.knobs import EVENTS
from infra.proxy.wire import WireFault

STEPS: Final = (
    "before_intent",
    "after_intent",
    "after_hint",
    "in_transaction",
    "after_claim",
    "after_send",
    "before_question",
    "before_event",
    "after_event",
    "after_books",
    "after_bar",
    "after_takeover",
)
"""Where the engine may be when it happens (execution.failpoint)."""

SHORT: Final = 16  # cards of one run of the test: so far on begins the next seed


class Target(StrEnum):
    ENGINE = "engine"
    REDIS = "redis"
    POSTGRES = "postgres"
    EXCHANGE = "exchange"


SERVERS: Final = (Target.REDIS, Target.POSTGRES, Target.EXCHANGE)


class Kind(StrEnum):
    KILL = "kill"  # kill -9
    FREEZE = "freeze"  # SIGSTOP, and SIGCONT later
    WIRE = "wire"  # its connections misbehave (infra.proxy)
    KNOB = "knob"  # the exchange errs (execution.exchange.faults)
    FLUSH = "flush"  # Redis is emptied
    DISK_FULL = "disk full"  # no file of the process may grow
    CLOCK = "clock"  # the engine's clock on the wall jumps
    TWIN = "twin"  # a second engine is started, and is to be refused
    TAKEOVER = "takeover"  # a second engine is started that takes over
    ZOMBIE = "zombie"  # one takes over while the first is frozen, which then wakes


@dataclass(frozen=True, slots=True)
class Card:
    """One fault; with a step it happens just when the engine is there."""

    kind: Kind
    target: Target
    step: str = ""
    wire: WireFault | None = None
    knob: FaultKind | None = None
    route: str | None = None
    seconds: float = 0.0  # a fault that lasts ends after so long; of a clock: how far it jumps
    count: int = 1  # of a knob: how often it strikes

    def __str__(self) -> str:
        what = self.wire or self.knob or ""
        return " ".join(each for each in (self.kind, what, self.target, self.step, self.route or "") if each)


# Not in the deck: what the exchange does when orders are canceled or replaced, for these sessions do neither, and
# ids that are taken twice: a broker's uniqueness of ids is what saves a request that comes after its quarantine.
_KNOBS: Final = (
    *((kind, None) for kind in FaultKind if kind.usual_route == "POST /v2/orders" and kind is not FaultKind.REUSE_IDS
      and kind is not FaultKind.DROP_SOCKETS),
    (FaultKind.DROP_SOCKETS, None),
    (FaultKind.MUTE_EVENTS, None),
    (FaultKind.DUPLICATE_EVENTS, None),
    (FaultKind.REORDER_EVENTS, None),
    *((kind, EVENTS) for kind in (FaultKind.HTML_REPLY, FaultKind.TRUNCATED_REPLY, FaultKind.UNKNOWN_STATUS,
                                  FaultKind.FLIPPED_NUMBERS, FaultKind.UNKNOWN_FIELDS)),
    *((kind, "GET /v2/*") for kind in (FaultKind.HTML_REPLY, FaultKind.EMPTY_REPLY, FaultKind.TRUNCATED_REPLY,
                                       FaultKind.LOSE_REPLY, FaultKind.DELAY_REPLY, FaultKind.HTTP_429)),
)  # fmt: skip


def every_card() -> list[Card]:
    """Every combination once, shuffled the same way each time."""
    at_steps = [
        Card(kind, target, step) for step, kind, target in product(STEPS, (Kind.KILL, Kind.FREEZE), Target)
    ]
    others = [
        *(Card(Kind.WIRE, target, wire=wire) for target, wire in product(SERVERS, WireFault)),
        *(Card(Kind.KNOB, Target.EXCHANGE, knob=kind, route=route) for kind, route in _KNOBS),
        *(Card(Kind.DISK_FULL, target) for target in (Target.POSTGRES, Target.EXCHANGE)),
        *(Card(Kind.CLOCK, Target.ENGINE, seconds=seconds) for seconds in (-3600.0, 3600.0)),
        *(Card(kind, Target.ENGINE) for kind in (Kind.TWIN, Kind.TAKEOVER)),
        Card(Kind.ZOMBIE, Target.ENGINE, "in_transaction"),
        Card(Kind.FLUSH, Target.REDIS),
    ]
    cards = at_steps + others
    Random(0).shuffle(cards)
    return cards


class Deck:
    """The cards from where this seed begins.

    It goes on where a short run of the seed before ended, so a few seeds in a row see every card.
    """

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._cards = every_card()
        self._place = seed * SHORT
        self._returned: list[Card] = []
        self.played = 0

    def deal(self) -> Card:
        self.played += 1
        if self._returned:
            return self._returned.pop()
        card = self._cards[self._place % len(self._cards)]
        self._place += 1
        return _with_sizes(card, self._chance)

    def put_back(self, card: Card) -> None:
        """It could not be played: it is the next."""
        self.played -= 1
        self._returned.append(card)


def _with_sizes(card: Card, chance: Random) -> Card:
    match card.kind:
        case Kind.FREEZE:
            return replace(card, seconds=round(chance.uniform(2.0, 10.0), 1))
        case Kind.ZOMBIE:
            return replace(card, seconds=round(chance.uniform(2.0, 6.0), 1))
        case Kind.WIRE | Kind.DISK_FULL:
            return replace(card, seconds=round(chance.uniform(0.3, 3.0), 1))
        case Kind.KNOB:
            return replace(card, seconds=round(chance.uniform(0.1, 1.5), 1), count=chance.randint(1, 3))
    return card
