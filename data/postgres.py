"""Connections to Postgres: the one place that opens them and says what is wrong when it cannot."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow, dict_row

from data.errors import Unavailable, UsageError
from data.idle_connections import IdleConnections
from data.settings import get_settings

CONNECT_TIMEOUT_S = 5

_idle = IdleConnections()


def _unavailable(error: psycopg.OperationalError) -> Unavailable:
    reason = (str(error).strip().splitlines() or ["no reason given"])[0]
    return Unavailable(
        f"Postgres does not answer: {reason}", "See `./slipway status`, start with `./slipway up`."
    )


def _unreadable() -> UsageError:
    # psycopg's own words quote the URL, in which there is a password
    return UsageError(
        "SLIPWAY_DATABASE_URL is not the address of a database",
        "Write it as postgresql://user:password@host:port/name.",
    )


def _open(url: str) -> psycopg.Connection[DictRow]:
    try:
        return psycopg.connect(url, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise _unavailable(error) from error
    except psycopg.ProgrammingError:
        raise _unreadable() from None


@contextmanager
def connect(
    database_url: str | None = None, *, autocommit: bool = False
) -> Iterator[psycopg.Connection[DictRow]]:
    """A connection for one piece of work; commits when the block ends, rolls back when it raises.

    It is lent: opening one takes 5 to 10 ms, most of it for the password.  What the block sets on it ends with the
    block: settings, session locks, listening, temporary tables.
    """
    url = database_url or get_settings().postgres()
    connection = _idle.take(url) or _open(url)
    try:
        connection.autocommit = autocommit
        yield connection
        if not connection.closed:
            connection.commit()
    except psycopg.OperationalError as error:
        if not connection.broken:
            raise
        raise _unavailable(error) from error
    finally:
        _idle.put(url, connection)


@asynccontextmanager
async def connect_async(
    database_url: str | None = None,
) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
    """An autocommit connection for an event loop; `async with connection.transaction()` for more."""
    url = database_url or get_settings().postgres()
    try:
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S
        )
    except psycopg.OperationalError as error:
        raise _unavailable(error) from error
    except psycopg.ProgrammingError:
        raise _unreadable() from None
    async with connection:
        yield connection


class Connections:
    """A few autocommit connections for an event loop, each lent to one task at a time.

    Unlike psycopg_pool it opens nothing again: who loses Postgres must stop and start anew.  And it does not
    wait with asyncio.wait_for, which on Python 3.11 can swallow the cancellation of the waiting task.
    """

    def __init__(
        self, size: int, database_url: str | None = None, *, idle_in_transaction_s: float = 0.0
    ) -> None:
        """`idle_in_transaction_s`: whoever is silent in a transaction for longer is cut off, and its locks are free."""
        self._size = size
        self._url = database_url
        self._idle_in_transaction_ms = round(1000 * idle_in_transaction_s)  # to Postgres, too, 0 is for ever
        self._free: asyncio.LifoQueue[psycopg.AsyncConnection[DictRow]] = asyncio.LifoQueue()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
            connection = await self._open.enter_async_context(connect_async(self._url))
            await connection.execute(
                f"set idle_in_transaction_session_timeout = {self._idle_in_transaction_ms}"
            )
            self._free.put_nowait(connection)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._open.aclose()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        """A connection on which every statement commits by itself."""
        connection = await self._free.get()
        try:
            yield connection
        finally:
            self._free.put_nowait(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        """A connection inside a transaction that ends with the block."""
        async with self.lend() as connection, connection.transaction():
            yield connection


def one(cursor: psycopg.Cursor[DictRow]) -> dict[str, Any]:
    """The single row that the statement must have returned."""
    row = cursor.fetchone()
    assert row is not None, "the statement returns exactly one row"
    return row
