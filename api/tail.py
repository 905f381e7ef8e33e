"""Follows one account's outbox and tells its viewers, however many there are, each change once.

Redis says when to look, and a look every second needs no Redis at all.
"""

import asyncio
import contextlib
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from api import ledger as read
from api.deps import Services
from api.ledger import Connection
from api.messages import Deltas, Event, Pulse, Resync
from api.viewer import DEFECT, Viewer

POLL_S: Final = 1.0
PAUSE_S: Final = 0.05  # between two looks: a burst becomes 20 frames a second, a single change never waits
BATCH: Final = 500
# The field of an event's payload that names the row; control and run are the account's own.
KEYS: Final = {"order": "coid", "fill": "execution_id", "position": "symbol"}

_log = structlog.get_logger()


class Tail:
    """Lives while the account has viewers."""

    def __init__(self, house: Services, account: str) -> None:
        self.account = account
        self.viewers: set[Viewer] = set()
        self.bus_up = False
        self._house = house
        self._seq = -1
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once every later change is certain to be told."""
        async with self._house.pool.connection() as lent:
            _, self._seq = await read.now_and_seq(lent, self.account)
        self._task = asyncio.create_task(self._follow(), name=f"tail of {self.account}")
        self._task.add_done_callback(self._fell)

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    def _fell(self, task: asyncio.Task[None]) -> None:
        """A defect must not look like a quiet market: viewers are sent away and come back to a new tail."""
        if not task.cancelled() and (error := task.exception()):
            _log.error("the tail of an account fell", account=self.account, exc_info=error)
            for viewer in tuple(self.viewers):
                viewer.end(DEFECT, "the monitor failed on a change", "defect")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    def wake(self) -> None:
        self._wake.set()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        pulse_due = loop.time()
        while True:
            now, engine, ledger_up = datetime.now(UTC), None, True
            self._wake.clear()
            try:
                async with self._house.pool.connection(timeout=POLL_S) as lent:
                    now = await self._tell_changes(lent)
                    if loop.time() >= pulse_due:
                        engine = await read.engine(lent, self.account)
            except (psycopg.Error, PoolTimeout) as error:
                ledger_up = False
                _log.warning("the ledger does not answer", account=self.account, error=str(error))
            if loop.time() >= pulse_due:
                pulse = Pulse(now=now, seq=self._seq, ledger=ledger_up, bus=self.bus_up, engine=engine)
                self._broadcast(pulse.model_dump_json())
                pulse_due = loop.time() + POLL_S
            await asyncio.sleep(PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(pulse_due):
                    await self._wake.wait()

    async def _tell_changes(self, lent: Connection) -> datetime:
        while True:
            now, newest = await read.now_and_seq(lent, self.account)
            if newest < self._seq:
                # The ledger was restored from a backup: our numbering means nothing any more.
                self._seq = newest
                self._broadcast(Resync().model_dump_json())
            if newest == self._seq:
                return now
            events = await changes(lent, self.account, self._seq)
            if not events:  # numbered but gone from the outbox: viewers see the gap in the pulse and resync
                self._seq = newest
                return now
            self._seq = events[-1].seq
            self._broadcast(Deltas(events=events).model_dump_json())

    def _broadcast(self, frame: str) -> None:
        for viewer in tuple(self.viewers):
            viewer.offer(frame)


async def changes(lent: Connection, account: str, after: int) -> list[Event]:
    """The next changes in order, each with its row as it is now: newer than the change is fine, older never."""
    cursor = await lent.execute(
        "select seq, kind, payload from outbox where account = %s and seq > %s order by seq limit %s",
        [account, after, BATCH],
    )
    found = await cursor.fetchall()
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for row in found:
        keys[row["kind"]].append(_key(row))
    current = await _rows(lent, account, keys)
    return [
        Event(seq=row["seq"], kind=row["kind"], row=current.get((row["kind"], _key(row)))) for row in found
    ]


def _key(row: dict[str, Any]) -> str:
    payload = row["payload"]
    return str(payload.get(KEYS.get(row["kind"], ""), "")) if isinstance(payload, dict) else ""


async def _rows(lent: Connection, account: str, keys: dict[str, list[str]]) -> dict[tuple[str, str], Any]:
    """The rows that the events speak of, one statement per kind."""
    rows: dict[tuple[str, str], Any] = {}
    if "order" in keys:
        rows |= {("order", order.coid): order for order in await read.orders_by_id(lent, keys["order"])}
    if "fill" in keys:
        fills = await read.fills_by_id(lent, account, keys["fill"])
        rows |= {("fill", fill.execution_id): fill for fill in fills}
    if "position" in keys:
        positions = await read.positions(lent, account, keys["position"])
        rows |= {("position", position.symbol): position for position in positions}
    if "control" in keys:
        rows["control", ""] = await read.control(lent, account)
    if "run" in keys:
        runs = await read.runs(lent, account, 1)
        rows["run", ""] = runs[0] if runs else None
    return rows
