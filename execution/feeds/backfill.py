"""What nobody heard, asked of history: at once, and again when the last of it is over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import polars as pl
import structlog

from data.backoff import Backoff
from data.bar import Bar, bars_of
from data.errors import SlipwayError
from data.sources import Source
from execution.feeds.checking import fault_of_bar
from execution.feeds.clock import Now
from execution.feeds.continuity import Gap
from execution.feeds.grid import moment

LOOK_EVERY_S: Final = 0.1

History = Callable[[Gap], pl.DataFrame]
Tell = Callable[[list[Bar]], Awaitable[None]]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Backfill:
    """How a gap is filled: `settle_us` after the end of its last bar history is expected to have it."""

    history: History
    timeframe: str
    now_us: Now  # the market's clock
    sleep: Callable[[float], Awaitable[None]]
    settle_us: int
    patience_us: int
    backoff: Backoff

    async def fill(self, gap: Gap, tell: Tell) -> bool:
        """Tell what history has; False when it could not be asked for so long that the gap stays."""
        self.backoff.reset()
        if gap.complete_us > self.now_us():  # the last bar is forming: what came before it need not wait
            await self._ask(gap, tell)
        while self.now_us() < gap.complete_us + self.settle_us:
            await self.sleep(LOOK_EVERY_S)
        while not await self._ask(gap, tell):
            if self.now_us() > gap.complete_us + self.settle_us + self.patience_us:
                return False
            await self.sleep(self.backoff.wait_s())
        return True

    async def _ask(self, gap: Gap, tell: Tell) -> bool:
        try:
            found = await asyncio.to_thread(self.history, gap)
        except SlipwayError as error:
            _log.warning("history does not tell what was missed", symbols=gap.symbols, error=str(error))
            return False
        now_us = self.now_us()
        await tell(
            [
                bar
                for bar in bars_of(found, self.timeframe)
                if gap.start_us <= bar.ts_us < gap.end_us and fault_of_bar(bar, now_us) is None
            ]
        )
        return True


def history_of(source: Source, timeframe: str) -> History:
    """A source of the data room, asked for a gap."""
    return lambda gap: source.history(gap.symbols, moment(gap.start_us), moment(gap.end_us), timeframe)
