"""Finished bars, on their way from Redis to the engine: what is there at once, and none behind its back."""

import asyncio
import contextlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from data import bus
from data.bar import Bar, decode_bar
from data.market_data import BAR, FEED, OF, SEQ
from data.swift import GroupReader, Link
from data.swift.resp import command

ACKS_KEPT: Final = 1_000
_BAR, _FEED, _OF, _SEQ = (name.encode() for name in (BAR, FEED, OF, SEQ))

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heard:
    """A bar as its feed told it."""

    bar: Bar
    of: int  # so many bars of the instant; 0 where nobody knows
    seq: int  # the exchange's last event that it includes
    taken_ms: int  # when Redis took it, on its own clock: good for an age, not for an order


class Bars:
    """One engine's reader of `md.*`, as the group `engine.{account}.{epoch}`: two engines never share their bars."""

    def __init__(
        self,
        feeds: Container[str],
        symbols: Sequence[str],
        account: str,
        epoch: int,
        hearing: Link,
        telling: Link,
        acks: str | None,
    ) -> None:
        """`hearing` waits for bars and does nothing else.

        `acks` is the stream on which a feed that goes in step with us wants to hear, through `telling`, that we are
        done.
        """
        self._feeds = feeds
        self._telling = telling
        self._acks = acks
        self._heard: list[Heard] = []
        self._news = asyncio.Event()
        streams = [bus.md(symbol) for symbol in symbols]
        self._reader = GroupReader(hearing, streams, f"engine.{account}", str(epoch), self._hear)

    def _hear(self, _stream: bytes, entry_id: bytes, fields: list[bytes]) -> None:
        told = dict(zip(fields[::2], fields[1::2], strict=True))
        if _BAR not in told or told[_FEED].decode() not in self._feeds:
            return
        taken_ms = int(entry_id.partition(b"-")[0])
        self._heard.append(Heard(decode_bar(told[_BAR]), int(told[_OF]), int(told[_SEQ]), taken_ms))
        self._reader.hold()
        self._news.set()

    async def ready(self) -> None:
        """Wait until what is told from now on is heard."""
        await self._reader.begun.wait()

    async def next(self, wait_s: float | None) -> list[Heard]:
        """The bars behind those that are done with, none if none came for so long; more are read after `done`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        self._news.clear()
        heard, self._heard = self._heard, []
        return heard

    def done(self, decided: Iterable[Bar]) -> None:
        """What was heard is dealt with, and these are decided on: tell the feed, and read on."""
        if self._acks is not None:
            adding = ("XADD", self._acks, "MAXLEN", "~", ACKS_KEPT, "*")
            commands = [command(*adding, "symbol", bar.symbol, "ts_us", bar.ts_us) for bar in decided]
            try:
                self._telling.send(b"".join(commands), [self._telling.note] * len(commands))
            except bus.Lost as error:
                _log.warning("an acknowledgement was lost; the feed asks again", error=str(error))
        self._reader.done()
