"""One connection to Redis: bytes go out, replies come back to callbacks in the order of their commands."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import hiredis
from hiredis import ReplyError

from data.bus import Lost
from data.swift.resp import Word, command

Reply = Any
"""bytes, an integer, None, a list of replies, a hiredis.ReplyError, or Lost: nobody knows whether it was done"""

Handler = Callable[[Reply], None]

OUTPUT_BYTES_MAX: Final = 4 * 2**20  # not yet taken by the kernel; two seconds of the busiest feed
ANSWERS_MAX: Final = 65_536  # asked for and not there yet
INCOMPLETE: Final = object()


class Wire(asyncio.Protocol):
    """Speaks RESP2 until the connection ends, and then tells everybody who waits that the answer is lost."""

    def __init__(self, answers_after_s: float = 0.0) -> None:
        """Answers that nobody waits for may be read so much later: then they wake nobody on the way of a tick."""
        self._answers_after_s = answers_after_s
        self._reading = True
        self._parser = hiredis.Reader(notEnoughData=INCOMPLETE)
        self._waiting: deque[Handler] = deque()
        self._transport: asyncio.Transport | None = None
        self._why = ""
        self.heard = False  # anything, since somebody last set it back
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        """Why the connection ended; an exception where a callback raised one."""

    @property
    def waits(self) -> bool:
        """Whether an answer is due."""
        return bool(self._waiting)

    def send(self, commands: bytes, answers: Iterable[Handler]) -> None:
        """Write commands, with a callback for each; Lost when the other side takes nothing any more."""
        transport = self._transport
        if transport is None:
            raise Lost(self._why or "there is no connection")
        if len(self._waiting) > ANSWERS_MAX or transport.get_write_buffer_size() > OUTPUT_BYTES_MAX:
            raise Lost("redis takes nothing: too much is on its way already")
        self._waiting.extend(answers)
        transport.write(commands)
        if not self._reading:
            self._reading = True
            self._loop.call_later(self._answers_after_s, self._read)

    def _read(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def ask(self, *words: Word) -> Reply:
        """The answer to one command that is not hot; raises what is an error."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self.send(command(*words), [lambda reply: None if answer.done() else answer.set_result(reply)])
        reply = await answer
        if isinstance(reply, ReplyError | Lost):
            raise reply
        return reply

    def drop(self, why: str) -> None:
        """End it now; what was not sent yet is not sent."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End it once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # uvloop then writes at once and not at the end of its turn; the rest of the turn would delay a tick.
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        parser, waiting = self._parser, self._waiting
        try:
            parser.feed(data)
            while (reply := parser.gets()) is not INCOMPLETE:
                if not waiting:
                    self.drop("redis answered what nobody asked")
                    return
                waiting.popleft()(reply)
            if self._answers_after_s and not waiting and self._transport is not None:
                self._reading = False
                self._transport.pause_reading()
        except hiredis.ProtocolError as error:
            self.drop(f"redis sent what is not its protocol: {error}")
        except Exception as error:  # whoever keeps the wire raises it; an event loop would only log it
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._why = self._why or (str(error) if error else "redis closed the connection")
        lost = Lost(self._why)
        waiting, self._waiting = self._waiting, deque()
        try:
            for handler in waiting:
                handler(lost)
        except Exception as failure:
            self._fail(failure)
        if not self.ended.done():
            self.ended.set_result(self._why)

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
        self.drop(f"a callback failed: {error!r}")
