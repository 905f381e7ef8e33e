"""What a feed tells, on its way into Redis: in order, in batches, and never at the feed's expense.

While Redis is away ticks are lost and counted.  Bars wait, and go out when it is back: a batch is one transaction
that also notes the newest bar of each symbol, so that after a lost reply nobody has to guess what arrived.  Only a
batch that a frozen network delivers minutes later is told twice, and a book ignores a bar that it has seen.
"""

import asyncio
import contextlib
from collections import Counter, deque
from itertools import islice
from typing import Any, Final

import msgspec
import structlog

from data import bus
from data.bar import Tick
from data.market_data import Fields, bar_entry, correction_entry, price_message, tick_entry
from execution.feeds.continuity import Line

BATCH_MAX: Final = 256
WAITING_MAX: Final = 8_192  # ticks and bars behind Redis; a burst of the whole market in one second
BARS_KEPT_MAX: Final = 50_000  # 500 symbols for 100 minutes without Redis; older ones are lost and counted
RETRY_S: Final = 0.2

_log = structlog.get_logger()


class Publisher:
    """The one writer of a feed's streams."""

    def __init__(self, feed: str, redis: bus.AsyncRedis, *, begins_anew: bool = False) -> None:
        self._feed = feed
        self._begins_anew = begins_anew  # a market that is made up has no earlier life
        self._redis = redis
        self._waiting: deque[Tick | Line] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._down = False
        self._finishing = False
        self.counted: Counter[str] = Counter()

    async def told_before(self) -> dict[str, int]:
        """The open of the newest bar of each symbol, of this feed's earlier life; nothing while Redis is away."""
        if self._begins_anew:
            with contextlib.suppress(bus.Lost):  # then the first batch overwrites it
                async with bus.within():
                    await self._redis.delete(bus.told_bars(self._feed))
            return {}
        told = await self._told()
        if told is None:
            _log.warning("redis is away; nobody knows what was told before", feed=self._feed)
        return told or {}

    async def tell(self, news: Tick | Line) -> None:
        """Queue it; waits for room while Redis takes what it is given, and for nothing while it does not."""
        if self._down and isinstance(news, Tick):
            self.counted["ticks lost"] += 1
            return
        if not self._down:
            await self._room.wait()
        self._waiting.append(news)
        self._news.set()
        if len(self._waiting) >= WAITING_MAX:
            self._room.clear()

    async def run(self) -> None:
        """Publish until `finish` was called and nothing waits any more."""
        while self._waiting or not self._finishing:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            await self._publish(list(islice(self._waiting, BATCH_MAX)))

    def finish(self) -> None:
        """Nothing more will be told."""
        self._finishing = True
        self._news.set()

    async def tell_status(self, status: msgspec.Struct, keep_s: int) -> None:
        """What risk and screens read; it vanishes when nobody renews it."""
        with contextlib.suppress(bus.Lost):  # absent is read as stale, which is what it then is
            async with bus.within():
                await self._redis.set(bus.feed(self._feed), msgspec.json.encode(status), ex=keep_s)

    async def _publish(self, batch: list[Tick | Line]) -> None:
        prices: dict[str, tuple[int, float]] = {}  # the last of each symbol: no eye sees those between
        try:
            async with bus.within(), self._redis.pipeline(transaction=True) as pipe:
                for news in batch:
                    entry = self._entry(news, pipe)
                    symbol = news.symbol if isinstance(news, Tick) else news.told.bar.symbol
                    pipe.xadd(bus.md(symbol), entry, maxlen=bus.MARKET_DATA_LENGTH, approximate=True)  # type: ignore[arg-type]
                    if (price := _price(news)) is not None:
                        prices[symbol] = price
                for symbol, price in prices.items():
                    pipe.publish(bus.ticker(symbol), price_message(symbol, *price))
                await pipe.execute()
        except bus.Lost as error:
            await self._lost(str(error))
            return
        for _ in batch:
            self._waiting.popleft()
        if len(self._waiting) < WAITING_MAX:
            self._room.set()
        self.counted["published"] += len(batch)

    def _entry(self, news: Tick | Line, pipe: Any) -> Fields:
        if isinstance(news, Tick):
            return tick_entry(news, self._feed)
        bar = news.told.bar
        if news.told.corrected:
            return correction_entry(bar, self._feed)
        pipe.hset(bus.told_bars(self._feed), bar.symbol, bar.ts_us)
        return bar_entry(bar, self._feed, backfilled=news.backfilled)

    async def _lost(self, why: str) -> None:
        """Redis is away: wait until it answers, then keep of what waits the bars that it does not have."""
        _log.warning("redis is away; ticks are lost, bars wait", feed=self._feed, error=why)
        self._down = True
        self._room.set()
        self._keep_bars()
        arrived = None
        while arrived is None:
            await asyncio.sleep(RETRY_S)
            self._keep_bars()
            arrived = await self._told()
        self._waiting = deque(
            line
            for line in self._waiting
            if isinstance(line, Line)
            and (line.told.corrected or line.told.bar.ts_us > arrived.get(line.told.bar.symbol, -1))
        )
        self._down = False
        _log.info("redis is back", feed=self._feed, bars=len(self._waiting))

    def _keep_bars(self) -> None:
        bars = [line for line in self._waiting if isinstance(line, Line)]
        self.counted["ticks lost"] += len(self._waiting) - len(bars)
        self.counted["bars lost"] += max(0, len(bars) - BARS_KEPT_MAX)
        self._waiting = deque(bars[-BARS_KEPT_MAX:])

    async def _told(self) -> dict[str, int] | None:
        try:
            async with bus.within():
                found: Any = await self._redis.hgetall(bus.told_bars(self._feed))
        except bus.Lost:
            return None
        return {symbol.decode(): int(ts_us) for symbol, ts_us in found.items()}


def _price(news: Tick | Line) -> tuple[int, float] | None:
    """What screens may show: never a correction, which is of the past."""
    if isinstance(news, Tick):
        return None if news.last is None else (news.ts_us, news.last)
    return None if news.told.corrected else (news.told.bar.ts_us, news.told.bar.close)
