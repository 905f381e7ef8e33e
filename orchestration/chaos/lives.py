"""The engines of one account: one is started whenever none lives, until the session is over."""

import asyncio
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from data.errors import Unavailable
from data.postgres import connect
from data.settings import ROOT
from infra.local import services
from infra.local.embedded import WITH_PARENT
from infra.local.processes import ProcessId
from orchestration.chaos.world import SESSION, World

PAUSE_S: Final = 0.1
KNOWN_EXITS: Final = (0, 1, 3, -signal.SIGKILL)
"""Done; a server went away; refused or fenced off; killed.  Each says why, or was killed by us."""


@dataclass(eq=False)
class Life:
    """One engine process from start to end."""

    process: asyncio.subprocess.Process
    log: Path
    identity: ProcessId | None

    def send(self, number: signal.Signals) -> None:
        if self.identity is not None:
            self.identity.send(number)


class Lives:
    """All engines of one account."""

    def __init__(self, world: World, account: str, steps_path: Path) -> None:
        self._world = world
        self._account = account
        self._environment = world.engine_environment() | {
            "SLIPWAY_FAILPOINT_SOCKET": str(steps_path),
            "PYTHONFAULTHANDLER": "1",  # one that hangs is ended by SIGABRT, and tells where it hung
        }
        self._folder = world.folder / "engines"
        self._folder.mkdir(exist_ok=True)
        self._alive: set[Life] = set()
        self._ended = asyncio.Event()
        self._watches: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._standby: Life | None = None
        self._loaded = 0
        self.started = 0
        self.complaints: list[str] = []

    async def keep(self) -> None:
        """Until the session is over and every engine has ended."""
        over = False
        while not over:
            if not self._alive:
                await self.start()
            await self._ended.wait()
            self._ended.clear()
            if not self._alive:
                over = await self._is_over()
                await asyncio.sleep(PAUSE_S)

    async def start(self, *more: str) -> None:
        """One more, whatever lives already."""
        async with self._turn:
            life = self._standby or await self._load()
            self._standby = None
            self.started += 1
            self._alive.add(life)
            watch = asyncio.create_task(self._watch(life))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)
            day = SESSION.isoformat()
            arguments = ["--account", self._account, "--first", day, "--last", day, "--exit-when-done", *more]
            assert life.process.stdin is not None, "it was opened as a pipe"
            life.process.stdin.write(json.dumps(arguments).encode() + b"\n")
            life.process.stdin.close()
            self._standby = await self._load()

    async def _load(self) -> Life:
        """An engine that waits to be told what to trade."""
        self._loaded += 1
        log = self._folder / f"{self._account}-{self._loaded}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *WITH_PARENT,
                *services.python("orchestration.chaos.standby"),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
            )
        return Life(process, log, ProcessId.of(process.pid))

    def send(self, number: signal.Signals, pid: int | None = None) -> None:
        """To the engine of this pid, or to all."""
        for life in self._alive:
            if pid in (None, life.process.pid):
                life.send(number)

    async def end(self) -> None:
        """Kill what is left."""
        if self._standby is not None:
            self._standby.send(signal.SIGKILL)
            await self._standby.process.wait()
        self.send(signal.SIGKILL)
        while self._watches:
            await asyncio.wait(self._watches)

    async def _watch(self, life: Life) -> None:
        code = await life.process.wait()
        self._alive.discard(life)
        said = life.log.read_text(errors="replace")
        if code not in KNOWN_EXITS:
            self.complaints.append(f"an engine ended with {code}; its log is {life.log}")
        elif "Traceback" in said:
            self.complaints.append(f"an engine died of what nobody foresaw; its log is {life.log}")
        self._ended.set()

    async def _is_over(self) -> bool:
        try:
            return await asyncio.to_thread(self._finished)
        except (Unavailable, psycopg.Error):  # PostgreSQL is struck at this moment: the next engine finds out
            return False

    def _finished(self) -> bool:
        with connect() as connection:
            row = connection.execute(
                "select 1 from runs where account = %s and finished_at is not null", [self._account]
            ).fetchone()
        return row is not None
