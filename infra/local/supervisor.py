"""The supervisor: keeps the site's services running, and does what it is told on its control channel.

There is one per state folder: it holds a lock for as long as it lives. A killed one leaves its services
running; the next one, or `slipway down`, finds and ends them first.
"""

import asyncio
import json
import signal
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from data.errors import SlipwayError, UsageError
from infra.local.control import STOPPING_CODE, Control
from infra.local.external import External, ExternalServer
from infra.local.kept import Kept
from infra.local.orphans import end_orphans
from infra.local.services import Service, known, services, with_needs
from infra.local.site import Site
from infra.local.watched import RESTART_GRACE_S, Watched

# `down` promises ten seconds. PostgreSQL, which stops last, may use what the others left over: it has a checkpoint
# to write.
FIRST_WAVE_WITHIN_S = 3.0
ALL_WAVES_WITHIN_S = 6.5
THREADS = 32  # each service may have a probe under way, and a name that cannot be resolved holds one for half a minute


class Supervisor:
    """The services of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.table = services(site)
        self.watched: dict[str, Kept] = {}
        self._externals = {
            name: External(server)
            for name, server in self.table.items()
            if isinstance(server, ExternalServer)
        }
        for name, service in self.table.items():
            self.watched[name] = (
                Watched(service, site, self.watched)
                if isinstance(service, Service)
                else self._externals[name]
            )
        self._asked_to_stop = asyncio.Event()

    async def run(self) -> None:
        """Until told to stop."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._asked_to_stop.set)
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        await asyncio.to_thread(end_orphans, self.site)
        for server in self._externals.values():
            server.observe()
        path = Control(self.site).path
        path.unlink(missing_ok=True)  # whoever listened there is gone: we hold the lock
        async with await asyncio.start_unix_server(self._converse, path):
            path.chmod(0o600)
            await self._asked_to_stop.wait()
            await self._stop_all()
        path.unlink(missing_ok=True)
        await asyncio.to_thread(end_orphans, self.site)  # what services started and left

    async def _stop_all(self) -> None:
        """What uses the servers first. The channel stays open meanwhile, and says that this is going on."""
        deadline = time.monotonic() + ALL_WAVES_WITHIN_S
        servers, users = waves(self.table.values())
        await asyncio.gather(*(self.watched[name].stop(FIRST_WAVE_WITHIN_S) for name in users))
        grace_s = max(FIRST_WAVE_WITHIN_S, deadline - time.monotonic())
        await asyncio.gather(*(self.watched[name].stop(grace_s) for name in servers))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                answer = await self._do(json.loads(line))
            except SlipwayError as error:
                answer = {"error": error.what, "fix": error.fix, "exit_code": error.exit_code}
            except Exception as error:  # the one who asked must not wait for ever
                traceback.print_exc()
                answer = {
                    "error": f"the supervisor failed: {type(error).__name__}: {error}",
                    "fix": "See `./slipway logs supervisor`.",
                    "exit_code": 1,
                }
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._asked_to_stop.is_set() and request.get("do") in ("up", "start", "restart"):
            return {
                "error": "the local system is being stopped",
                "fix": "Run the same command in a moment.",
                "exit_code": STOPPING_CODE,
            }
        match request:
            case {"do": "status"}:
                return {
                    "services": [each.describe() for each in self.watched.values()],
                    "settings": self.site.settings_digest(),
                }
            case {"do": "up", "only": list(only)}:
                return {"names": self._start(with_needs(only, self.table))}
            case {"do": "start", "name": str(name), "args": list(arguments), "env": dict(environment)}:
                service = self._known(name)
                names = with_needs([name], self.table)
                if arguments and service.is_wanted:
                    raise UsageError(
                        f"{name} is running already", "Stop it first: it was given other arguments."
                    )
                self._start(each for each in names if each != name)
                service.start(arguments, environment)
                return {"names": names}
            case {"do": "stop", "name": str(name)}:
                await self._known(name).stop(RESTART_GRACE_S)
            case {"do": "restart", "name": str(name)}:
                await self._known(name).restart()
            case {"do": "shutdown"}:
                self._asked_to_stop.set()
                return {"running": [name for name, each in self.watched.items() if each.describe()["pid"]]}
            case _:
                raise UsageError(
                    f"the supervisor does not understand {request}", "Run `./slipway down` and `up`."
                )
        return {}

    def _start(self, names: Iterable[str]) -> list[str]:
        started = list(names)
        for name in started:
            self.watched[name].start()
        return started

    def _known(self, name: str) -> Kept:
        known(name, self.table)
        return self.watched[name]


def waves(table: Iterable[Service | ExternalServer]) -> tuple[list[str], list[str]]:
    """Servers, and those that use them: each can stop together.

    Two waves are enough: `slipway down` promises to end in ten seconds.
    """
    servers = [service.name for service in table if not service.after]
    return servers, [service.name for service in table if service.after]
