"""What an engine says to itself: at a loss, before the close, and when the next session opens."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from execution.core.intents import Intent
from execution.core.risk import Conditions
from execution.flow.guard import Guard
from execution.settings import ExecutionSettings
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database
from execution.simulation.process import Process, Wall
from execution.simulation.store import SimulatedStore

EVENING, NIGHT, MORNING = "2026-11-25T20:50", "2026-11-26T15:00", "2026-11-27T14:31"


class Place:
    """A market that stands where a test puts it."""

    def __init__(self) -> None:
        self.price = 100.0
        self.at(EVENING)

    def at(self, moment: str) -> None:
        self._now_us = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1e6)

    def now_us(self) -> int:
        return self._now_us

    def conditions(self, intent: Intent) -> Conditions:
        raise AssertionError("nobody orders here")

    def prices(self) -> Mapping[str, float]:
        return {"AAA": self.price}

    def calendars(self) -> Collection[str]:
        return ("XNYS",)


class Watched:
    """A guard over an account that holds a hundred shares."""

    def __init__(self, **settings: float) -> None:
        self.place = Place()
        chance, calm = Chance(0), Faults()
        self.database = Database("a", Wall(), lambda *_: None, lambda: None)
        self.database.positions["AAA"].move(Decimal(100), Decimal(100), Decimal(0))
        self._store = SimulatedStore(
            self.database, Process("test", chance, calm), chance, calm, ExecutionSettings().rate
        )
        self._settings = ExecutionSettings(**settings)  # type: ignore[arg-type]
        asyncio.run(self._store.take_lease())
        self.restart()

    def restart(self) -> None:
        self.guard = Guard(self._store, self.place, self._settings)

    def look(self, moment: str, price: float = 100.0) -> str:
        """What the account is told to do, once the guard has looked."""
        self.place.at(moment)
        self.place.price = price
        asyncio.run(self.guard.look())
        mode: str = self.database.control["mode"]
        return mode

    def flat(self) -> None:
        """The carrier has closed everything."""
        self.database.positions.clear()
        revision = self.database.control["revision"]
        asyncio.run(self._store.verified_flat(revision))


def test_a_loss_beyond_the_limit_flattens_once_and_a_new_limit_arms_it_again() -> None:
    watched = Watched(daily_loss_max=500.0)
    assert watched.look(EVENING) == "running"
    assert watched.look(EVENING, 95.0) == "running"
    assert watched.look(EVENING, 94.9) == "flattening"
    assert watched.guard.loss == pytest.approx(510.0)
    watched.database.command("resume")
    assert watched.look(EVENING, 90.0) == "running", "a person has decided otherwise"
    watched.database.limits["", "", "daily_loss_max"] = 800.0
    assert watched.look(EVENING, 90.0) == "flattening"


def test_a_restart_does_not_forget_what_the_day_began_with() -> None:
    watched = Watched(daily_loss_max=500.0)
    watched.look(EVENING)
    watched.restart()
    assert watched.look(EVENING, 94.0) == "flattening"


def test_a_gap_overnight_is_the_next_days_loss() -> None:
    watched = Watched(daily_loss_max=500.0)
    watched.look(EVENING, 99.0)
    assert watched.look(MORNING, 93.0) == "flattening"
    assert watched.guard.loss == pytest.approx(600.0)


def test_flat_before_the_close_and_trading_again_when_the_next_session_opens() -> None:
    watched = Watched(flatten_before_close_minutes=15.0)
    assert watched.look("2026-11-25T20:44") == "running"
    assert watched.look(EVENING) == "flattening"
    watched.flat()
    assert watched.look("2026-11-25T20:59") == "paused"
    watched.restart()
    assert watched.look(NIGHT) == "paused", "thanksgiving"
    assert watched.look(MORNING) == "running"
    assert watched.look("2026-11-27T17:50") == "flattening", "a half day"


def test_who_pauses_overnight_is_not_resumed_in_the_morning() -> None:
    watched = Watched(flatten_before_close_minutes=15.0)
    watched.look(EVENING)
    watched.flat()
    watched.database.command("pause")
    assert watched.look(MORNING) == "paused"


def test_without_the_option_nothing_is_closed_before_the_close() -> None:
    assert Watched().look("2026-11-25T20:59") == "running"
