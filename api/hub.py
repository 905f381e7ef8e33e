"""Brings changes and prices to viewers: one tail per account that is watched, one Redis subscription for all."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from api.deps import Services
from api.messages import Price, Ticks
from api.tail import Tail
from api.viewer import Viewer
from data import bus

TICKS_S: Final = 0.1  # faster than an eye, slow enough to fold a burst into one frame
SYMBOLS_MAX: Final = 2_000  # prices waiting for the next frame
SILENCE_S: Final = 4.0  # a bus that answers no ping for so long is frozen or cut off
RECONNECT_S: Final = (0.2, 0.5, 1.0, 2.0)

_log = structlog.get_logger()


class Quote(msgspec.Struct, frozen=True):
    """What feeds publish on ticker.{symbol}."""

    symbol: str
    ts_us: int
    last: float


_decode_quote = msgspec.json.Decoder(Quote).decode


class Hub:
    """Starts with the app, and owns every task that serves viewers."""

    def __init__(self, house: Services) -> None:
        self._house = house
        self._tails: dict[str, Tail] = {}
        self._joining = asyncio.Lock()
        self._prices: dict[str, Price] = {}
        self._bus_up = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def viewers(self) -> int:
        return sum(len(tail.viewers) for tail in self._tails.values())

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._listen(), name="bus listener"),
            asyncio.create_task(self._tick(), name="price frames"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for tail in self._tails.values():
            await tail.stop()

    async def join(self, viewer: Viewer) -> None:
        """When this returns, the viewer's queue receives every change after any snapshot taken from now on."""
        async with self._joining:
            tail = self._tails.get(viewer.account)
            if tail is None or not tail.alive:
                tail = Tail(self._house, viewer.account)
                await tail.start()
                tail.bus_up = self._bus_up
                self._tails[viewer.account] = tail
            tail.viewers.add(viewer)

    async def leave(self, viewer: Viewer) -> None:
        async with self._joining:
            tail = self._tails.get(viewer.account)
            if tail is None or viewer not in tail.viewers:
                return
            tail.viewers.discard(viewer)
            if not tail.viewers:
                del self._tails[viewer.account]
                await tail.stop()

    async def _listen(self) -> None:
        """Redis being away makes news slower (the tails look every second), never silent."""
        failures = 0
        while True:
            try:
                async with self._house.redis.pubsub() as pubsub:
                    await pubsub.psubscribe(bus.events("*"), bus.ticker("*"))
                    silent_s = 0.0
                    while silent_s < SILENCE_S:
                        message = await pubsub.get_message(timeout=1.0)
                        if message is None:
                            silent_s += 1.0
                            await pubsub.ping()
                        else:
                            self._hear(message)
                            silent_s, failures = 0.0, 0
                    raise RedisTimeout(f"no answer to pings for {SILENCE_S:.0f} s")
            except (RedisError, OSError) as error:
                self._note_bus(up=False)
                if failures == 0:
                    _log.warning("redis does not answer; looking every second instead", error=str(error))
            except Exception:  # whatever it was, the next subscription starts afresh
                self._note_bus(up=False)
                _log.exception("the bus listener failed")
            await asyncio.sleep(RECONNECT_S[min(failures, len(RECONNECT_S) - 1)])
            failures += 1

    def _hear(self, message: dict[str, Any]) -> None:
        self._note_bus(up=True)
        if message["type"] != "pmessage":
            return
        channel = message["channel"].decode(errors="replace")
        kind, _, name = channel.partition(".")
        if kind == "events":
            if name in self._tails:
                self._tails[name].wake()
        elif len(self._prices) < SYMBOLS_MAX or name in self._prices:
            try:
                told = _decode_quote(message["data"])
            except msgspec.DecodeError as error:
                _log.warning("not a price", channel=channel, error=str(error))
                return
            at = datetime.fromtimestamp(told.ts_us / 1e6, UTC)
            self._prices[name] = Price(symbol=told.symbol, ts_utc=at, last=told.last)

    def _note_bus(self, *, up: bool) -> None:
        if up == self._bus_up:
            return
        self._bus_up = up
        for tail in self._tails.values():
            tail.bus_up = up
            tail.wake()  # what was published while nobody listened

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICKS_S)
            if not self._prices:
                continue
            frame = Ticks(ticks=list(self._prices.values())).model_dump_json()
            self._prices.clear()
            for tail in self._tails.values():
                for viewer in tuple(tail.viewers):
                    viewer.offer_if_idle(frame)
