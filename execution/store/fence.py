"""The only way to write an account's rows: inside a transaction that first proves the account is still ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from data.errors import Refused
from data.postgres import Connections
from execution.failpoint import reach

Row = dict[str, Any]

SHOWN = "to_jsonb(o) - 'body_hash' - 'decision_key'"  # of an order, to screens
_LEASE = "select epoch, holder from lease where account = %s"


class Fenced(Refused):
    """Another engine has taken the account over."""


class Fence:
    """One account under one epoch."""

    def __init__(self, connections: Connections, account: str, epoch: int) -> None:
        self._connections = connections
        self.account = account
        self.epoch = epoch
        self.written = asyncio.Event()  # set after every commit that screens may want to hear of

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Everything in the block commits together, and only while the lease row has our epoch."""
        async with self._connections.transaction() as connection:
            lease = await one_row(connection, f"{_LEASE} for share", [self.account])
            if lease is None or lease["epoch"] != self.epoch:
                raise self._taken(lease)
            reach("in_transaction")
            yield connection
        self.written.set()

    @asynccontextmanager
    async def lease_transaction(self, status: Any) -> AsyncIterator[AsyncConnection[DictRow]]:
        """The same for the heartbeat, which writes the lease row itself: it must not lock it for reading first."""
        async with self._connections.transaction() as connection:
            renewed = await one_row(
                connection,
                "update lease set heartbeat_at = clock_timestamp(), status = %s where account = %s and epoch = %s "
                "returning epoch",
                [status, self.account, self.epoch],
            )
            if renewed is None:
                raise self._taken(await one_row(connection, _LEASE, [self.account]))
            yield connection

    async def read(self, query: str, values: Any) -> list[Row]:
        """Rows as they are now; reading needs no fence."""
        async with self._connections.lend() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def tell(
        self, connection: AsyncConnection[DictRow], kind: str, key: str, execution_id: str = ""
    ) -> None:
        """Put the row as it now stands in the outbox, from which screens are told."""
        source = {
            "order": f"(select {SHOWN} from orders o where coid = %(key)s)",
            "fill": "(select to_jsonb(f) from fills f where account = %(account)s and execution_id = %(execution)s)",
            "position": "(select to_jsonb(p) from positions p where account = %(account)s and symbol = %(key)s)",
        }[kind]
        await connection.execute(
            f"select emit_event(%(account)s, %(kind)s, {source})",
            {"account": self.account, "kind": kind, "key": key, "execution": execution_id},
        )

    def _taken(self, lease: Row | None) -> Fenced:
        holder = lease["holder"] if lease else "nobody"
        return Fenced(
            f"the account {self.account} was taken over by {holder}",
            "This engine stops; only one may trade an account.",
        )


async def one_row(connection: AsyncConnection[DictRow], query: str, values: Any) -> Row | None:
    return await (await connection.execute(query, values)).fetchone()


def instant(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)
