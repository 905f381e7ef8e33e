"""Proxies told what to do over a unix socket, a line each: `redis cut 2.5`, answered with `done` when it is over."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from infra.proxy.wire import Proxy, WireFault

SECONDS_MAX = 60.0


@asynccontextmanager
async def controlled(proxies: Mapping[str, Proxy], path: Path) -> AsyncIterator[None]:
    """Listen at `path`, in a folder that is ours alone, while the block runs."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(f"{await _obey(proxies, line.decode(errors='replace'))}\n".encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(converse, path):
        yield


async def _obey(proxies: Mapping[str, Proxy], line: str) -> str:
    match line.split():
        case [name, kind, seconds] if name in proxies and kind in set(WireFault):
            try:
                length_s = float(seconds)
            except ValueError:
                length_s = -1.0
            if 0.0 <= length_s <= SECONDS_MAX:
                await proxies[name].strike(WireFault(kind), length_s)
                return "done"
            return f"the seconds must be 0 to {SECONDS_MAX:g}, not {seconds}"
    return f"say one of {', '.join(proxies)}, then one of {', '.join(WireFault)}, then how many seconds"
