"""A clock that moves only when somebody sleeps."""

from dataclasses import dataclass, field
from datetime import datetime

from data.sources.budget import Clock


@dataclass
class HandClock:
    at: datetime
    chance: float = 0.0
    slept_s: list[float] = field(default_factory=list)
    passed_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(self._now_s, lambda: self.passed_s, self._sleep, lambda: self.chance)

    def _now_s(self) -> float:
        return self.at.timestamp() + self.passed_s

    def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.passed_s += seconds
