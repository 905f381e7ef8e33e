"""One connection to Bybit's public stream: subscribe, ping, listen."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from data.errors import UsageError
from data.sources.bybit import BybitSettings
from execution.feeds.bybit.wire import INTERVALS, PING, normal, read, requests, topics
from execution.feeds.clock import SteadyClock
from execution.feeds.contract import Interrupted, Subscribed, Told, Unreadable
from execution.feeds.settings import FeedSettings
from execution.feeds.socket import Socket, connected, frame

PING_EVERY_S: Final = 20.0  # as Bybit asks for; it closes what it has not heard of for longer


class BybitStream:
    """Trades, best quotes and, unless they are built from trades, candles of some symbols."""

    def __init__(
        self,
        symbols: Sequence[str],
        timeframe: str,
        settings: FeedSettings,
        market: BybitSettings,
        clock: SteadyClock | None = None,
        ping_every_s: float = PING_EVERY_S,
    ) -> None:
        if timeframe not in INTERVALS:
            raise UsageError(f"Bybit has no candles of {timeframe}", f"Use one of: {', '.join(INTERVALS)}.")
        self.name = f"bybit-{market.category}"
        self.symbols = tuple(symbols)
        self.tells_bars = settings.bars == "vendor"
        self._timeframe = timeframe
        self._url = f"{settings.bybit_url.rstrip('/')}/{market.category}"
        self._connect_s = settings.connect_s
        self._clock = clock or SteadyClock()
        self._ping_every_s = ping_every_s

    def now_us(self) -> int:
        return self._clock.now_us()

    async def told(self) -> AsyncGenerator[Told, None]:
        self._clock.set()
        asked = requests(topics(self.symbols, self._timeframe if self.tells_bars else None))
        unconfirmed = len(asked)
        async with connected(self._url, self._connect_s) as socket:
            for request in asked:
                await socket.send_str(request)
            pings = _Pings(socket, self._ping_every_s)
            give_up_at = pings.now_s() + self._connect_s
            while True:
                heard = read(await pings.frame())
                if isinstance(heard, Unreadable):
                    yield heard
                elif heard.topic:
                    for told in normal(heard, self._timeframe):
                        yield told
                elif heard.op == "subscribe":
                    if not heard.success:
                        raise UsageError(
                            f"Bybit's stream does not take our subscription: {heard.ret_msg}",
                            "Check the symbols, SLIPWAY_BYBIT_CATEGORY and SLIPWAY_FEED_BYBIT_URL.",
                        )
                    unconfirmed -= 1
                    if unconfirmed == 0:
                        yield Subscribed()
                else:
                    pings.answered()
                if unconfirmed > 0 and pings.now_s() > give_up_at:
                    raise Interrupted(f"Bybit confirmed no subscription within {self._connect_s:g} s")


class _Pings:
    """Reads frames and pings in between: Bybit wants pings of its own, besides those of the protocol."""

    def __init__(self, socket: Socket, every_s: float) -> None:
        self._socket = socket
        self._every_s = every_s
        self._due_s = self.now_s() + every_s
        self._waiting = False

    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def answered(self) -> None:
        self._waiting = False

    async def frame(self) -> str | bytes:
        while True:
            if (left_s := self._due_s - self.now_s()) <= 0:
                if self._waiting:
                    raise Interrupted(f"Bybit did not answer a ping for {self._every_s:g} s")
                await self._socket.send_str(PING)
                self._waiting, self._due_s = True, self.now_s() + self._every_s
                continue
            try:
                async with asyncio.timeout(left_s):
                    return await frame(self._socket)
            except TimeoutError:
                continue
