"""One service under watch: start it, see that it becomes ready, notice its death or its freeze, start it again."""

import asyncio
import os
import signal
import subprocess
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.errors import SlipwayError
from data.settings import ROOT
from infra.local.addresses import LOOPBACK, listens_on
from infra.local.kept import Kept, State, row
from infra.local.logs import last_words, make_room
from infra.local.orphans import MARK
from infra.local.processes import ProcessId, kill_group, write_pid_file
from infra.local.services import Service
from infra.local.site import Site

POLL_S = 0.05
PROBE_EVERY_S = 5.0
PROBES_MISSED_MAX = 3  # a service that does not answer for so long is frozen: it is killed and started again
PAUSE_FIRST_S = 0.25
PAUSE_MAX_S = 5.0
RESTART_GRACE_S = 5.0
STEADY_AFTER_S = 10.0  # a service that lived so long starts its next life with a clean record
# A mistake of use and a refusal stay what they are however often one tries (data.errors).
FINAL_EXITS = (0, 2, 3)


class Watched:
    """A service and its current process."""

    def __init__(self, service: Service, site: Site, others: Mapping[str, Kept]) -> None:
        self.service = service
        self.site = site
        self.state = State.STOPPED
        self.ready = asyncio.Event()
        self.note = self.fix = ""  # why the last start or life ended
        self.failures = 0  # quick deaths in a row
        self.restarts = 0
        self.exit_code: int | None = None
        self.since = datetime.now(UTC)
        self._others = others
        self._arguments: Sequence[str] = ()
        self._environment: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._identity: ProcessId | None = None
        self._was_ready = False
        self._try_now = asyncio.Event()  # somebody asked for it again: the pause is over

    @property
    def is_wanted(self) -> bool:
        return self._keeper is not None and not self._keeper.done()

    @property
    def has_failed(self) -> bool:
        """Somebody must look at it, though the supervisor may still be trying."""
        if self.state is State.ENDED:
            return self.exit_code != 0
        return self.state is not State.READY and self.failures >= self.service.starts_max

    @property
    def pid_file(self) -> Path:
        return self.site.run_dir / "pids" / f"{self.service.name}.json"

    @property
    def log(self) -> Path:
        return self.site.log_dir / f"{self.service.name}.log"

    def start(self, arguments: Sequence[str] = (), environment: dict[str, str] | None = None) -> None:
        if self.is_wanted:
            if self.state is not State.READY:  # the person may have mended what was in the way
                self.failures = 0
                self._try_now.set()
            return
        self._arguments, self._environment = arguments, environment or {}
        self.failures, self.restarts, self.note, self.fix, self.exit_code = 0, 0, "", "", None
        self._become(State.WAITING)
        self._keeper = asyncio.create_task(self._keep(), name=self.service.name)

    async def restart(self) -> None:
        arguments, environment = self._arguments, self._environment
        await self.stop(RESTART_GRACE_S)
        self.start(arguments, environment)

    async def stop(self, grace_s: float) -> None:
        if keeper := self._keeper:
            keeper.cancel()
            await asyncio.wait([keeper])
            self._keeper = None
        self.ready.clear()
        if process := self._process:
            if process.returncode is None:
                if (
                    identity := self._identity
                ):  # not through asyncio, whose send_signal may reap behind its own back
                    identity.send(self.service.stop_signal)
                    identity.send(signal.SIGCONT)  # a frozen one hears it, too
                try:
                    async with asyncio.timeout(grace_s):
                        await process.wait()
                except TimeoutError:
                    self.note = f"did not stop within {grace_s:.1f} s and was killed"
            await self._bury(process)
        self.site.withdraw(self.service.publishes)
        self._become(State.STOPPED)

    def describe(self) -> dict[str, Any]:
        alive = self._process is not None and self._process.returncode is None
        port = self.site.port(self.service.name) if self.service.listens and alive else None
        ended = self.state is State.READY and not alive  # a moment ago, and not yet buried
        return row(
            self.service.name,
            self.service.kind,
            State.RESTARTING if ended else self.state,
            pid=self._process.pid if alive and self._process else None,
            port=port,
            where=f"{LOOPBACK}:{port}" if port else None,
            for_s=int((datetime.now(UTC) - self.since).total_seconds()),
            restarts=self.restarts,
            exit_code=self.exit_code,
            failed=self.has_failed,
            by_default=self.service.by_default,
            note=self.note,
            fix=self.fix,
        )

    async def _keep(self) -> None:
        while True:
            self._become(State.WAITING)
            for name in self.service.after:
                await self._others[name].ready.wait()
            self._become(State.STARTING)
            started = asyncio.get_running_loop().time()
            try:
                await self._live_once()
            except SlipwayError as error:
                self.note, self.fix = error.what, error.fix
            except Exception as error:  # whatever it is, the service is started again and the person told
                self.note, self.fix = f"{type(error).__name__}: {error}", "See `./slipway logs supervisor`."
                traceback.print_exc()
            finally:
                self.ready.clear()
            if self.service.ends_by_itself and self.exit_code in FINAL_EXITS:
                self._become(State.ENDED)
                return
            lived_s = asyncio.get_running_loop().time() - started
            self.failures = 1 if self._was_ready and lived_s > STEADY_AFTER_S else self.failures + 1
            self.restarts += 1
            self._try_now.clear()
            self._become(State.RESTARTING)
            await self._pause(min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** (self.failures - 1)))

    async def _pause(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._try_now.wait()
        except TimeoutError:
            return

    async def _live_once(self) -> None:
        service, site = self.service, self.site
        try:
            if service.listens:
                await asyncio.to_thread(site.ensure_port_is_free, service.name, may_move=not self._was_ready)
            await asyncio.to_thread(service.prepare)
        except SlipwayError:
            self.failures = service.starts_max  # a person must act: say so now, not after a dozen tries
            raise
        process = await self._spawn()
        try:
            await self._become_ready(process)
            await asyncio.to_thread(service.once_ready)
            if service.publishes:
                site.publish(service.publishes, service.address())
            self._was_ready = True
            self._become(State.READY)
            self.ready.set()
            await self._watch(process)
        except Exception:  # but not when cancelled: stop() ends it gently
            self.ready.clear()
            await self._bury(process)
            raise

    async def _spawn(self) -> asyncio.subprocess.Process:
        service = self.service
        make_room(self.log)
        self.exit_code = None
        state_dir = str(self.site.state_dir)
        environment = os.environ | service.environment() | self._environment
        environment |= {MARK: state_dir, "SLIPWAY_STATE_DIR": state_dir, "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *service.command(self._arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        self._identity = ProcessId.of(self._process.pid)
        if self._identity:
            write_pid_file(self.pid_file, self._identity)
        return self._process

    async def _become_ready(self, process: asyncio.subprocess.Process) -> None:
        """Return when the service answers; raise when its process ends or stays silent too long."""
        try:
            async with asyncio.timeout(self.service.ready_within_s):
                while process.returncode is None:
                    if await asyncio.to_thread(self._answers, process.pid):
                        return
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise self._failure(f"was not ready within {self.service.ready_within_s:.0f} s") from None
        raise self._ended(process)

    def _answers(self, pid: int) -> bool:
        """It, and not another checkout's service that was quicker to take the port."""
        if not self.service.is_ready():
            return False
        return not self.service.listens or listens_on(pid, self.site.port(self.service.name))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Return or raise when the process is no longer of use."""
        missed = 0
        while missed < PROBES_MISSED_MAX:
            try:
                async with asyncio.timeout(PROBE_EVERY_S):
                    await process.wait()
            except TimeoutError:
                make_room(self.log)
                missed = 0 if await asyncio.to_thread(self._is_well) else missed + 1
            else:
                raise self._ended(process)
        raise self._failure(f"did not answer {missed} times in a row")

    def _is_well(self) -> bool:
        """Not every service can be asked something, but what is stopped by a signal does no work."""
        frozen = self._identity is not None and self._identity.is_frozen()
        return not frozen and self.service.is_ready()

    def _ended(self, process: asyncio.subprocess.Process) -> SlipwayError:
        self.exit_code = process.returncode
        code = process.returncode or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return self._failure(how)

    def _failure(self, how: str) -> SlipwayError:
        name = self.service.name
        return SlipwayError(f"{name} {how}{said_last(self.log)}", f"See `./slipway logs {name}`.")

    async def _bury(self, process: asyncio.subprocess.Process) -> None:
        """End what is left of its process group, and forget it."""
        kill_group(process.pid)
        await process.wait()
        await asyncio.to_thread(self.service.clean_up)
        self.pid_file.unlink(missing_ok=True)

    def _become(self, state: State) -> None:
        self.state, self.since = state, datetime.now(UTC)


def said_last(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            words = last_words(file.read().decode(errors="replace"))
    except OSError:
        return ""
    return f" ({words})" if words else ""
