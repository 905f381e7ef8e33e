"""The supervisor: keeps the site's services running, and does what it is told on its control channel.

There is one per state folder: it holds a lock for as long as it lives. A killed one leaves its services
running; the next one, or `slipway down`, finds and ends them first.
"""

import asyncio
import json
import signal
from collections.abc import Iterable
from typing import Any

from data.errors import SlipwayError, UsageError
from infra.local.control import Control
from infra.local.orphans import end_orphans
from infra.local.services import Service, known, migrate, services
from infra.local.site import Site
from infra.local.watched import Watched


class Supervisor:
    """The services of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.table = services(site)
        self.watched: dict[str, Watched] = {}
        for name, service in self.table.items():
            self.watched[name] = Watched(service, site, self.watched)
        self._asked_to_stop = asyncio.Event()

    async def run(self) -> None:
        """Until told to stop."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._asked_to_stop.set)
        await asyncio.to_thread(end_orphans, self.site)
        if self.site.data.database_url:
            await asyncio.to_thread(migrate, self.site)
        path = Control(self.site).path
        path.unlink(missing_ok=True)  # whoever listened there is gone: we hold the lock
        async with await asyncio.start_unix_server(self._converse, path):
            path.chmod(0o600)
            await self._asked_to_stop.wait()
            for wave in reversed(waves(self.table.values())):
                await asyncio.gather(*(self.watched[name].stop() for name in wave))
        path.unlink(missing_ok=True)
        await asyncio.to_thread(end_orphans, self.site)  # what services started and left

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                answer = await self._do(json.loads(line))
            except SlipwayError as error:
                answer = {"error": error.what, "fix": error.fix}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "status"}:
                return {"services": [each.describe() for each in self.watched.values()]}
            case {"do": "up", "only": list(only)}:
                wanted = only or [name for name, service in self.table.items() if service.by_default]
                return {"names": self._start_with_needs(wanted)}
            case {"do": "start", "name": str(name), "args": list(arguments), "env": dict(environment)}:
                service = self._known(name)
                if arguments and service.is_wanted:
                    raise UsageError(
                        f"{name} is running already", "Stop it first: it was given other arguments."
                    )
                names = self._start_with_needs(need for need in service.service.after if need in self.table)
                service.start(arguments, environment)
                return {"names": [*names, name]}
            case {"do": "stop", "name": str(name)}:
                await self._known(name).stop()
            case {"do": "restart", "name": str(name)}:
                await self._known(name).restart()
            case {"do": "shutdown"}:
                self._asked_to_stop.set()
            case _:
                raise UsageError(
                    f"the supervisor does not understand {request}", "Run `./slipway down` and `up`."
                )
        return {}

    def _start_with_needs(self, names: Iterable[str]) -> list[str]:
        """Start these and all they wait for; the names in order of start."""
        wanted: set[str] = set()
        pending = [self._known(name).service for name in names]
        while pending:
            service = pending.pop()
            if service.name not in wanted:
                wanted.add(service.name)
                pending += [self.table[name] for name in service.after if name in self.table]
        in_order = [name for name in self.table if name in wanted]
        for name in in_order:
            self.watched[name].start()
        return in_order

    def _known(self, name: str) -> Watched:
        known(name, self.table)
        return self.watched[name]


def waves(table: Iterable[Service]) -> list[list[str]]:
    """Services that can start, and in reverse stop, together: each wave needs only earlier ones.

    Two waves are enough, servers and the rest: `slipway down` promises to end in ten seconds.
    """
    servers = [service.name for service in table if not service.after]
    return [servers, [service.name for service in table if service.after]]
