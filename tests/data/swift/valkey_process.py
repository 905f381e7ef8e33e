"""A Valkey that may be killed and started again at the same address, and links that live as long as a block."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from data import bus
from data.swift import Link
from infra.local.addresses import free_port, make_private, socket_folder
from infra.local.processes import wait_for
from infra.local.valkey import Valkey


class ValkeyProcess:
    def __init__(self, folder: Path) -> None:
        sockets = socket_folder(folder)
        make_private(sockets)
        self._server = Valkey(folder, sockets, free_port())
        self._server.prepare()
        self.start()
        self.url = self._server.url()
        self.nearest = bus.nearest(self.url)

    def start(self) -> None:
        self._process = subprocess.Popen(self._server.command(), stdout=subprocess.DEVNULL)
        assert wait_for(self._server.is_ready, 10)

    def send(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)

    def wait(self) -> None:
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@asynccontextmanager
async def kept(*links: Link) -> AsyncIterator[None]:
    """The links are up, and what their callbacks raise comes out here."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(link.run()) for link in links]
        for link in links:
            await link.up()
        yield
        for task in running:
            task.cancel()
