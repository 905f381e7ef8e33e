"""The dice of a world, and which faults it has: each seed has a mixture of its own."""

import random
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class Faults:
    """How likely each thing goes wrong where it can; zero where this world does not know it."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    late_request: float = 0.0
    error_after_accept: float = 0.0
    too_many_requests: float = 0.0
    gibberish: float = 0.0
    refused: float = 0.0
    lost_event: float = 0.0
    doubled_event: float = 0.0
    late_event: float = 0.0
    strange_status: float = 0.0
    dropped_stream: float = 0.0
    invisible: float = 0.0  # an accepted order that questions do not find for a while
    fill_during_cancel: float = 0.0
    lost_hint: float = 0.0
    doubled_hint: float = 0.0
    late_hint: float = 0.0
    database_error: float = 0.0  # half of them after the commit
    kill_at_a_step: float = 0.0
    freeze_at_a_step: float = 0.0
    kill: float = 0.0  # a second
    split_brain: float = 0.0
    bus_outage: float = 0.0
    broker_outage: float = 0.0
    clock_jump: float = 0.0
    foreign_order: float = 0.0  # somebody else trades on the account
    command: float = 0.0  # an operator says something
    new_limit: float = 0.0
    market_move: float = 0.0

    def cease(self) -> None:
        """From now on all is well."""
        for each in fields(self):
            setattr(self, each.name, 0.0)


_AT_MOST = Faults(
    lost_request=0.2, lost_reply=0.2, late_request=0.2, error_after_accept=0.2, too_many_requests=0.2,
    gibberish=0.1, refused=0.1, lost_event=0.3, doubled_event=0.3, late_event=0.3, strange_status=0.1,
    dropped_stream=0.1, invisible=0.3, fill_during_cancel=0.5, lost_hint=0.5, doubled_hint=0.5, late_hint=0.5,
    database_error=0.01, kill_at_a_step=0.003, freeze_at_a_step=0.005, kill=0.1, split_brain=0.05,
    bus_outage=0.1, broker_outage=0.05, clock_jump=0.1, foreign_order=0.02, command=0.5, new_limit=0.5,
    market_move=0.6,
)  # fmt: skip


class Chance:
    """Everything random in a world comes from here."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.between = self._random.uniform
        self.choice = self._random.choice
        self.integer = self._random.randint

    def up_to(self, longest: float) -> float:
        return self._random.random() * longest

    def happens(self, likely: float) -> bool:
        return likely > 0.0 and self._random.random() < likely

    def faults(self) -> Faults:
        """Some kinds not at all, others often: two faults that need each other meet sooner so."""
        worst: Any = {each.name: getattr(_AT_MOST, each.name) for each in fields(Faults)}
        return Faults(**{name: self.up_to(worst[name]) if self.happens(0.5) else 0.0 for name in worst})
