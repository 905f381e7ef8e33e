"""The market that does not exist, live: its ticks come as they happen, or faster, or as fast as they can be made."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

from data.sources.synthetic import SyntheticMarket
from execution.feeds.contract import Subscribed, Told
from execution.feeds.grid import micros, moment


class SyntheticStream:
    """Ticks from `start` on; `speed` seconds of the market a second, and 0 is as fast as possible.

    The market's clock is that of its ticks: hours in which no session is open take no time.
    """

    name = "synthetic"
    tells_bars = False

    def __init__(
        self,
        market: SyntheticMarket,
        symbols: tuple[str, ...],
        start: datetime,
        speed: float,
        *,
        until: datetime | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.symbols = symbols
        self._market = market
        self._pace = 1 / speed if speed else 0.0
        self._sleep = sleep
        self._until_us = micros(until) if until else None
        self._now_us = micros(start)

    def now_us(self) -> int:
        return self._now_us

    async def told(self) -> AsyncGenerator[Told, None]:
        yield Subscribed()
        start = moment(self._now_us)  # where an interrupted connection left off
        async for tick in self._market.stream(self.symbols, start, self._pace, self._sleep):
            if self._until_us is not None and tick.ts_us >= self._until_us:
                return
            self._now_us = tick.ts_us
            yield tick
