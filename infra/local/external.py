"""A server of the person's own, under observation: services wait for it as for one of ours; it is never started."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from data.errors import SlipwayError
from infra.local.kept import Kind, State, row

LOOK_EVERY_S = 5.0
LOOK_AGAIN_AFTER_S = 1.0  # while it does not answer: others wait for it


@dataclass(frozen=True)
class ExternalServer:
    """Where it is, how one sees that it answers, and what is done there before anybody uses it."""

    name: str
    where: str  # host:port
    variable: str  # the setting that names it
    look: Callable[[], None]  # raises SlipwayError
    once_ready: Callable[[], None] = lambda: None
    after: tuple[str, ...] = ()
    by_default: bool = True

    def seen(self) -> dict[str, Any]:
        """Its row of `slipway status`, looked at now."""
        try:
            self.look()
        except SlipwayError as error:
            return self.row(State.UNREACHABLE, note=error.what, fix=error.fix)
        return self.row(State.READY)

    def row(self, state: State, **facts: Any) -> dict[str, Any]:
        facts["failed"] = state is State.UNREACHABLE
        return row(self.name, Kind.EXTERNAL, state, where=self.where, **facts)


class External:
    """What the supervisor knows of one such server."""

    def __init__(self, server: ExternalServer) -> None:
        self.server = server
        self.state = State.STARTING
        self.ready = asyncio.Event()  # answers, and is prepared
        self.is_wanted = False
        self.note = self.fix = ""
        self.since = datetime.now(UTC)
        self._is_prepared = False
        self._look_now = asyncio.Event()
        self._observer: asyncio.Task[None] | None = None

    def observe(self) -> None:
        self._observer = asyncio.create_task(self._observe(), name=self.server.name)

    def start(self, arguments: Sequence[str] = (), environment: dict[str, str] | None = None) -> None:
        """Services need it: prepare it as soon as it answers."""
        self.is_wanted = True
        if not self.ready.is_set():
            self._become(State.STARTING)  # until it was looked at: an old trouble may be over
            self._look_now.set()

    async def stop(self, grace_s: float) -> None:
        if observer := self._observer:
            observer.cancel()
            await asyncio.wait([observer])

    async def restart(self) -> None:
        self._is_prepared = False
        self.ready.clear()
        self.start()

    def describe(self) -> dict[str, Any]:
        for_s = int((datetime.now(UTC) - self.since).total_seconds())
        return self.server.row(self.state, for_s=for_s, note=self.note, fix=self.fix)

    async def _observe(self) -> None:
        while True:
            self._look_now.clear()
            try:
                await self._look_once()
            except Exception as error:  # whatever it is: told, and looked at again
                self.ready.clear()
                self.note, self.fix = f"{type(error).__name__}: {error}", "See `./slipway logs supervisor`."
                if isinstance(error, SlipwayError):
                    self.note, self.fix = error.what, error.fix
                else:
                    traceback.print_exc()
                self._become(State.UNREACHABLE)
            pause_s = LOOK_AGAIN_AFTER_S if self.state is State.UNREACHABLE else LOOK_EVERY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._look_now.wait()
            except TimeoutError:
                continue

    async def _look_once(self) -> None:
        await asyncio.to_thread(self.server.look)
        if self.is_wanted and not self._is_prepared:
            await asyncio.to_thread(self.server.once_ready)
            self._is_prepared = True
        if self._is_prepared:
            self.ready.set()
        if self.is_wanted == self._is_prepared:  # else it was asked for meanwhile, and is looked at again
            self._become(State.READY)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state, self.since = state, datetime.now(UTC)
