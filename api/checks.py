"""Is everything there that trading needs?  Each check answers within a second, whatever is broken."""

import asyncio
import shutil
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlparse

from api.deps import Services
from api.messages import Health, Part
from data.errors import SlipwayError

CHECK_S: Final = 1.0
HEARTBEAT_LATE_S: Final = 10.0  # engines beat every second
DISK_FREE_LOW, DISK_FREE_GONE = 2 * 1024**3, 200 * 1024**2  # a day of minute bars and logs; one more run
MEMORY_FREE_LOW, MEMORY_FREE_GONE = 0.10, 0.02

State = Literal["ok", "degraded", "down"]

# Without the ledger nothing can be shown or stopped from here.  All else leaves a monitor worth looking at.
CRITICAL: Final = frozenset({"database"})


async def health(house: Services) -> Health:
    """All parts at once; `down` when the monitor itself is of no use."""
    checks: dict[str, Callable[[Services], Awaitable[Part]]] = {
        "database": _database,
        "redis": _redis,
        "exchange": _exchange,
        "lake": _lake,
        "memory": _memory,
        "engine": _engines,
    }
    answers = await asyncio.gather(*(_in_time(check(house)) for check in checks.values()))
    parts = dict(zip(checks, answers, strict=True))
    return Health(state=_overall(parts), at=datetime.now(UTC), parts=parts)


def _overall(parts: dict[str, Part]) -> State:
    if any(parts[name].state == "down" for name in CRITICAL):
        return "down"
    return "ok" if all(part.state == "ok" for part in parts.values()) else "degraded"


async def _in_time(check: Awaitable[Part]) -> Part:
    # Open to anybody, so the reason stays in general terms: no address, no user, no path.
    try:
        async with asyncio.timeout(CHECK_S):
            return await check
    except TimeoutError:
        return Part(state="down", detail=f"no answer within {CHECK_S:.0f} s")
    except Exception as error:
        return Part(state="down", detail=f"does not answer ({type(error).__name__})")


async def _database(house: Services) -> Part:
    async with house.pool.connection(timeout=CHECK_S) as connection:
        await connection.execute("select 1")
    return Part(state="ok", detail="answers")


async def _redis(house: Services) -> Part:
    await house.redis.ping()
    return Part(state="ok", detail="answers")


async def _exchange(house: Services) -> Part:
    try:
        address = house.data.exchange()
    except SlipwayError:
        return Part(state="ok", detail="no simulator is configured; the engine speaks for its broker")
    await asyncio.to_thread(_get, f"{address.rstrip('/')}/health")
    return Part(state="ok", detail="the simulator answers")


def _get(url: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=CHECK_S) as answer:
        answer.read(1024)


async def _lake(house: Services) -> Part:
    url = urlparse(house.data.lake)
    folder = Path(unquote(url.path)) if url.scheme == "file" else house.data.state_dir
    while not folder.exists():  # made on the first ingest
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    state: State = "down" if free < DISK_FREE_GONE else "degraded" if free < DISK_FREE_LOW else "ok"
    return Part(state=state, detail=f"{free / 1024**3:.1f} GiB free on disk")


async def _memory(house: Services) -> Part:
    meminfo = await asyncio.to_thread(Path("/proc/meminfo").read_text)
    kib = dict(line.split(":", 1) for line in meminfo.splitlines())
    free, total = (int(kib[name].split()[0]) for name in ("MemAvailable", "MemTotal"))
    share = free / total
    state: State = "down" if share < MEMORY_FREE_GONE else "degraded" if share < MEMORY_FREE_LOW else "ok"
    return Part(state=state, detail=f"{share:.0%} of memory free")


async def _engines(house: Services) -> Part:
    """An engine is missed only where it should be at work: a run is open and nobody paused it for good."""
    async with house.pool.connection(timeout=CHECK_S) as connection:
        cursor = await connection.execute(
            """
            select extract(epoch from clock_timestamp() - max(l.heartbeat_at))::float8 as youngest_s,
                   extract(epoch from clock_timestamp() - min(l.heartbeat_at) filter (where exists (
                       select from runs r where r.account = l.account and r.finished_at is null)))::float8 as missed_s
            from lease l where l.epoch > 0
            """
        )
        row = await cursor.fetchone()
    assert row is not None, "an aggregate returns one row"
    if row["youngest_s"] is None:
        return Part(state="ok", detail="no engine has run yet")
    missed_s = row["missed_s"]
    if missed_s is None:
        return Part(state="ok", detail=f"idle, last heard {row['youngest_s']:.0f} s ago")
    late = missed_s > HEARTBEAT_LATE_S
    return Part(state="degraded" if late else "ok", detail=f"heartbeat and feed {missed_s:.1f} s old")
