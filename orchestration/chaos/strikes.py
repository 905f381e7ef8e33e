"""How each fault is done to the world, and undone.

`begin` returns when it has happened; what it returns is awaited for it to be over.
"""

import asyncio
import resource
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import redis
import redis.asyncio

from data.errors import Unavailable
from execution.exchange.control import ExchangeControl
from infra.local.processes import ProcessId
from orchestration.chaos.deck import Card, Kind, Target
from orchestration.chaos.lives import Lives
from orchestration.chaos.steps import GO
from orchestration.chaos.world import World

Ending = Coroutine[Any, Any, None]

PATIENCE_S: Final = 15.0  # for a command to a server that is frozen at this moment
ASK_AGAIN_S: Final = 0.2


async def nothing_more() -> None:
    """A fault that is over once it has happened."""


class Strikes:
    """Does to one account's engines, and to the servers, what a card says."""

    def __init__(
        self, world: World, lives: Lives, exchange: ExchangeControl, bus: redis.asyncio.Redis
    ) -> None:
        self._world = world
        self._lives = lives
        self._exchange = exchange
        self._bus = bus

    def told(self, card: Card) -> str:
        """What the engine that was held for this card is to do."""
        return f"jump {card.seconds}" if card.kind is Kind.CLOCK else GO

    async def begin(self, card: Card, engine: int | None) -> Ending:
        """`engine`: the pid of the one that is held at the card's step."""
        match card.kind:
            case Kind.KILL:
                return self._kill(card, engine)
            case Kind.FREEZE:
                return self._freeze(card, engine)
            case Kind.ZOMBIE:
                ending = self._freeze(card, engine)
                await self._lives.start("--take-over")
                return ending
            case Kind.TWIN:
                await self._lives.start()
            case Kind.TAKEOVER:
                await self._lives.start("--take-over")
            case Kind.WIRE:
                assert card.wire is not None, "a card of this kind says which"
                return self._world.proxies[card.target].strike(card.wire, card.seconds)
            case Kind.KNOB:
                await self._arm(card)
            case Kind.FLUSH:
                await self._flush()
            case Kind.DISK_FULL:
                return self._fill_disk(card)
            case Kind.CLOCK:  # the engine does it to itself, as told
                pass
        return nothing_more()

    def _kill(self, card: Card, engine: int | None) -> Ending:
        if card.target is Target.ENGINE:
            self._lives.send(signal.SIGKILL, engine)
            return nothing_more()
        server = self._world.servers[card.target]
        if main := server.main:
            main.send(signal.SIGKILL)
        return server.back()

    def _freeze(self, card: Card, engine: int | None) -> Ending:
        if card.target is Target.ENGINE:
            frozen = [ProcessId.of(engine)] if engine else []
        else:
            frozen = list(self._world.servers[card.target].processes())
        found = [process for process in frozen if process is not None]
        for process in found:
            process.send(signal.SIGSTOP)
        return self._thaw(found, card.seconds)

    async def _thaw(self, frozen: list[ProcessId], after_s: float) -> None:
        try:
            await asyncio.sleep(after_s)
        finally:
            for process in frozen:
                process.send(signal.SIGCONT)

    async def _fill_disk(self, card: Card) -> None:
        """No file of it may grow: how a full disk looks to one process, without filling anybody's."""
        server = self._world.servers[card.target]
        for process in server.processes():
            _limit_files(process, 0)
        try:
            await asyncio.sleep(card.seconds)
        finally:
            for process in server.processes():
                _limit_files(process, None)
        await server.back()

    async def _arm(self, card: Card) -> None:
        assert card.knob is not None, "a card of this kind says which"
        more = {} if card.route is None else {"route": card.route}
        delay_ms = round(1000 * card.seconds)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Unavailable):  # the exchange is struck at this moment
                    await self._exchange.arm_fault(card.knob, card.count, delay_ms, **more)
                    return
                await asyncio.sleep(ASK_AGAIN_S)

    async def _flush(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(redis.RedisError):
                    await self._bus.flushall()
                    return
                await asyncio.sleep(ASK_AGAIN_S)


def _limit_files(process: ProcessId, soft: int | None) -> None:
    with suppress(ProcessLookupError):  # a backend that ended meanwhile
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard if soft is None else soft, hard))
