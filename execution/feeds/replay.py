"""Replay: past sessions from the lake, bar by bar, in lock-step with whoever trades them.

Bar t+1 is shown to nobody before the exchange and every engine are done with bar t, so that speed
never changes a result.
"""

import asyncio
import time
from itertools import groupby
from typing import Final

import polars as pl
import structlog

from data import bus
from data.bar import Bar, bars_of
from data.errors import Unavailable
from data.market_data import bar_entry, price_message
from execution.exchange.control import ExchangeControl, TapePosition

ASK_AGAIN_S: Final = 2.0  # an engine silent for so long may have lost the bar with Redis: tell it again
EXCHANGE_PATIENCE_S: Final = 60.0  # an exchange that is restarted is back well before

_log = structlog.get_logger()


class ReplayFeed:
    """Moves the exchange's tape and tells the engine, one instant at a time."""

    def __init__(
        self,
        name: str,
        bars: pl.DataFrame,
        timeframe: str,
        exchange: ExchangeControl,
        redis: bus.AsyncRedis,
        pace_s: float = 0.0,
    ) -> None:
        self.name = name
        self._exchange = exchange
        self._redis = redis
        self._pace_s = pace_s
        self._instants: list[list[Bar]] = [
            list(group)
            for _, group in groupby(bars_of(bars.sort("ts_utc", "symbol"), timeframe), lambda bar: bar.ts_us)
        ]
        self.told = 0

    async def run(self) -> None:
        """From the instant the exchange's tape stands at (or the first) to the end."""
        acks = bus.acks(self.name)
        last_ack = "0-0"
        for instant in self._instants:
            started = time.monotonic()
            position = await self._move_tape(instant)
            last_ack = await self._tell_until_acknowledged(instant, position.seq, acks, last_ack)
            self.told += 1
            await asyncio.sleep(max(0.0, self._pace_s - (time.monotonic() - started)))

    async def _move_tape(self, instant: list[Bar]) -> TapePosition:
        """Post the bars; the exchange ignores what its tape has passed, so asking again is safe."""
        give_up_at = time.monotonic() + EXCHANGE_PATIENCE_S
        while True:
            try:
                return await self._exchange.post_bars(instant)
            except Unavailable as error:
                if time.monotonic() > give_up_at:
                    raise
                _log.warning("the exchange is away; the market waits for it", error=str(error))
                await asyncio.sleep(0.2)

    async def _tell_until_acknowledged(self, instant: list[Bar], seq: int, acks: str, last: str) -> str:
        missing = {bar.symbol for bar in instant}
        ts = str(instant[0].ts_us).encode()
        while missing:
            try:
                await self._publish(instant, seq)
                ask_again_at = time.monotonic() + ASK_AGAIN_S
                while missing and (left_s := ask_again_at - time.monotonic()) > 0:
                    entries = await bus.read_streams(self._redis, {acks: last}, max(1, int(left_s * 1000)))
                    for _, entry_id, fields in entries:
                        last = entry_id
                        if fields["ts_us"] == ts:
                            missing.discard(fields["symbol"].decode())
            except bus.Lost as error:
                _log.warning("redis is away; the bar is told again", error=str(error))
                await asyncio.sleep(0.2)
        return last

    async def _publish(self, bars: list[Bar], seq: int) -> None:
        async with bus.within(), self._redis.pipeline(transaction=False) as pipe:
            for bar in bars:
                entry = bar_entry(bar, self.name, seq, of=len(bars))
                pipe.xadd(bus.md(bar.symbol), entry, maxlen=bus.MARKET_DATA_LENGTH, approximate=True)  # type: ignore[arg-type]
                pipe.publish(bus.ticker(bar.symbol), price_message(bar.symbol, bar.ts_us, bar.close))
            await pipe.execute()
