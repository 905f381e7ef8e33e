"""A connection to Redis that is kept alive: it comes back by itself, and never sends anything twice.

What was sent and not answered when a connection ends is lost, and its callbacks are told so. Errors that Redis answers
are read when they come, counted, and logged ever more rarely: nobody waits for them, and none is overlooked.
"""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import structlog
from hiredis import ReplyError
from redis.asyncio.connection import parse_url

from data.backoff import Backoff
from data.bus import TIMEOUT_S, Lost
from data.errors import Unavailable
from data.settings import get_settings
from data.swift.resp import Word, command
from data.swift.wire import Handler, Reply, Wire

BEAT_S: Final = 0.25  # how often the wire is looked at
PATIENCE_S: Final = TIMEOUT_S  # without a sign of life while an answer is due
LATER_S: Final = 0.005  # when answers are read that nobody waits for
GOODBYE_S: Final = 0.5
RECONNECT_S: Final = (0.05, 2.0)  # first and longest wait
NOT_OURS_TO_MEND: Final = ("WRONGPASS", "NOAUTH", "NOPERM")
PING: Final = command("PING")

_log = structlog.get_logger()


class Link:
    """Whoever makes one gives its `run` to a TaskGroup, and sends from the same event loop."""

    def __init__(self, url: str | None = None, *, name: str, answers_after_s: float = 0.0) -> None:
        """Where nobody waits for answers they may be read together, so much later; errors among them, too."""
        self._answers_after_s = answers_after_s
        self._where: dict[str, Any] = dict(parse_url(url or get_settings().redis()))
        self._name = name
        self._wire: Wire | None = None
        self._is_up = asyncio.Event()
        self._backoff = Backoff(*RECONNECT_S, random.random)
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[str], None] = lambda why: None
        self.refused: Counter[str] = Counter()
        """Errors that Redis answered, by their first word."""
        self.connections = 0

    # -- for everybody

    @property
    def is_up(self) -> bool:
        return self._wire is not None

    async def up(self, patience_s: float = TIMEOUT_S) -> None:
        """Wait until there is a connection; Lost if there is none for so long."""
        try:
            async with asyncio.timeout(patience_s):
                await self._is_up.wait()
        except TimeoutError:
            raise Lost(f"redis was away for {patience_s:g} s") from None

    def send(self, commands: bytes, answers: Iterable[Handler]) -> None:
        """Send commands, with a callback for each answer; Lost at once while Redis is away or takes nothing."""
        if self._wire is None:
            raise Lost("redis is away")
        self._wire.send(commands, answers)

    async def ask(self, *words: Word) -> Reply:
        """The answer to one command that is not hot; Lost where there is none, or an error."""
        if self._wire is None:
            raise Lost("redis is away")
        try:
            return await self._wire.ask(*words)
        except ReplyError as error:
            raise Lost(str(error)) from error

    def note(self, reply: Reply) -> None:
        """The callback of commands whose answer matters to nobody unless it is an error."""
        if isinstance(reply, ReplyError):
            kind = str(reply).partition(" ")[0]
            self.refused[kind] += 1
            times = self.refused[kind]
            if times & (times - 1) == 0:  # the 1st, 2nd, 4th, 8th …
                _log.warning("redis refused a command", link=self._name, error=str(reply), times=times)

    def drop(self, why: str) -> None:
        """Begin anew with another connection."""
        if self._wire is not None:
            self._wire.drop(why)

    async def run(self) -> None:
        """Keep a connection until cancelled; raises what a callback raises."""
        while True:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    wire = await self._connect()
            except (Lost, OSError, TimeoutError) as error:
                wait_s = self._backoff.wait_s()
                _log.warning("redis is away", link=self._name, error=str(error) or type(error).__name__)
                await asyncio.sleep(wait_s)
                continue
            try:
                why = await self._live(wire)
            finally:
                wire.close()
                await asyncio.wait({wire.ended}, timeout=GOODBYE_S)  # what was written goes out
                wire.drop("it took too long to say goodbye")
            _log.warning("the connection to redis ended", link=self._name, why=why)
            # At once when it worked for a while; a server that drops everybody is not asked in a tight loop.
            await asyncio.sleep(self._backoff.wait_s())

    # -- one connection

    async def _connect(self) -> Wire:
        loop, where = asyncio.get_running_loop(), self._where
        make = partial(Wire, self._answers_after_s)
        if path := where.get("path"):
            _, wire = await loop.create_unix_connection(make, path)
        else:
            secured = ssl.create_default_context() if "connection_class" in where else None
            _, wire = await loop.create_connection(
                make, where.get("host", "localhost"), where.get("port", 6379), ssl=secured
            )
        try:
            for greeting in self._greetings():
                await self._greet(wire, greeting)
        except BaseException:
            wire.drop("the greeting failed")
            raise
        return wire

    def _greetings(self) -> Iterable[tuple[Word, ...]]:
        where = self._where
        if password := where.get("password"):
            yield ("AUTH", where.get("username") or "default", password)
        if database := where.get("db"):
            yield ("SELECT", database)
        yield ("CLIENT", "SETNAME", self._name)

    async def _greet(self, wire: Wire, greeting: tuple[Word, ...]) -> None:
        try:
            await wire.ask(*greeting)
        except ReplyError as error:
            if str(error).startswith(NOT_OURS_TO_MEND) and not self.connections:
                raise Unavailable(
                    f"Redis refuses us: {error}", "Correct the password in SLIPWAY_REDIS_URL."
                ) from error
            raise Lost(str(error)) from error

    async def _live(self, wire: Wire) -> str:
        """Serve until the wire ends, and end it when nothing is heard; returns why."""
        self._wire = wire
        self.connections += 1
        self._is_up.set()
        try:
            self.on_up()
            silent_s = 0.0
            while not wire.ended.done():
                await asyncio.wait({wire.ended}, timeout=BEAT_S)
                silent_s = 0.0 if wire.heard or not wire.waits else silent_s + BEAT_S
                if wire.heard and not wire.ended.done():
                    self._backoff.reset()
                wire.heard = False
                if silent_s >= PATIENCE_S:
                    wire.drop(f"redis did not answer for {PATIENCE_S:g} s")
                elif not wire.waits and not wire.ended.done():
                    wire.send(
                        PING, [self.note]
                    )  # a connection whose other end is gone says nothing by itself
            return wire.ended.result()
        finally:
            self._wire = None
            self._is_up.clear()
            if wire.ended.done() and not wire.ended.exception():
                self.on_down(wire.ended.result())
