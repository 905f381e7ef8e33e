"""Gives the commands that a person would give who looked once a second: at the day's loss and at the clock.

A loss beyond the limit flattens and pauses the account, once.  Flat before the close is an option; trading goes on by
itself when the next session opens.
"""

import asyncio
from dataclasses import replace
from datetime import date
from typing import Final

import structlog

from execution.core.intents import Intent
from execution.core.risk import Conditions
from execution.core.risk.day import closing, day_of, is_on, profit
from execution.flow.ports import OrderStore, Surroundings
from execution.settings import ExecutionSettings

LOOK_S: Final = 1.0
BREAKER: Final = "breaker"
CLOCK: Final = "clock"
END_OF_DAY: Final = "end of day"

_log = structlog.get_logger()


class Guard:
    """Watches one account; knows what it has lost today."""

    def __init__(self, store: OrderStore, surroundings: Surroundings, settings: ExecutionSettings) -> None:
        self._store = store
        self._surroundings = surroundings
        self._settings = settings
        self._day: date | None = None
        self._opening = 0.0
        self._made = 0.0
        self.loss = 0.0

    def conditions(self, intent: Intent) -> Conditions:
        """What an order is checked against besides the ledger."""
        return replace(self._surroundings.conditions(intent), day_loss=self.loss)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        now_us = self._surroundings.now_us()
        await self._look_at_the_loss(now_us)
        if self._settings.flatten_before_close_minutes is not None:
            await self._look_at_the_clock(now_us, self._settings.flatten_before_close_minutes)

    async def _look_at_the_loss(self, now_us: int) -> None:
        day, standing = day_of(now_us), self._store.standing
        made = profit(await standing.held(), self._surroundings.prices())
        if day != self._day:
            # what a night did belongs to the day that follows it, if somebody was here to see the evening
            self._opening = await standing.open_day(day, made if self._day is None else self._made)
            self._day = day
        self._made = made
        self.loss = self._opening - made
        limit = (await standing.limits(self._settings.limits)).daily_loss_max
        if limit is None or self.loss <= limit:
            return
        why = f"the loss of {day}, {self.loss:,.2f}, is above the daily_loss_max {limit:,.2f}"
        if await standing.command("flatten", BREAKER, why, f"loss of {day} above {limit:g}"):
            _log.error("the breaker tripped", why=why)

    async def _look_at_the_clock(self, now_us: int, minutes: float) -> None:
        standing, calendars = self._store.standing, self._surroundings.calendars()
        control = await standing.control()
        soon = closing(now_us, calendars, minutes)
        if soon is not None:
            calendar, session = soon
            cause = f"{END_OF_DAY} {session.day} {calendar}"
            why = f"{calendar} closes at {session.close_utc:%H:%M} UTC"
            if await standing.command("flatten", CLOCK, why, cause):
                _log.info("flat before the close", why=why)
        elif control["mode"] == "paused" and control["cause"].startswith(END_OF_DAY):
            calendar = control["cause"].rpartition(" ")[2]
            if is_on(now_us, calendar):
                await standing.command("resume", CLOCK, f"{calendar} is open", f"after {control['cause']}")
