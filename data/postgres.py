"""Connections to Postgres: the one place that opens them and says what is wrong when it cannot."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from data.errors import Unavailable
from data.settings import get_settings

CONNECT_TIMEOUT_S = 5


def _unavailable(error: psycopg.OperationalError) -> Unavailable:
    reason = (str(error).strip().splitlines() or ["no reason given"])[0]
    return Unavailable(
        f"Postgres does not answer: {reason}", "See `./slipway status`, start with `./slipway up`."
    )


@contextmanager
def connect(
    database_url: str | None = None, *, autocommit: bool = False
) -> Iterator[psycopg.Connection[DictRow]]:
    """A connection for one piece of work; commits when the block ends, rolls back when it raises."""
    url = database_url or get_settings().postgres()
    try:
        connection = psycopg.connect(
            url, autocommit=autocommit, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S
        )
    except psycopg.OperationalError as error:
        raise _unavailable(error) from error
    with connection:
        yield connection


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
    async with connection:
        yield connection


def one(cursor: psycopg.Cursor[DictRow]) -> dict[str, Any]:
    """The single row that the statement must have returned."""
    row = cursor.fetchone()
    assert row is not None, "the statement returns exactly one row"
    return row
