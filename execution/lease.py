"""Who may trade an account: one row in Postgres whose epoch only rises."""

import os
import socket
from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from data.errors import Refused

HEARTBEAT_S: Final = 1.0
DEAD_AFTER_S: Final = 5.0  # of silence; five missed heartbeats


def holder_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


async def holder(connection: AsyncConnection[DictRow], account: str) -> str:
    """Who has the account and has not given it back; empty when nobody."""
    row = await (
        await connection.execute("select holder from lease where account = %s", [account])
    ).fetchone()
    return row["holder"] if row else ""


async def take(connection: AsyncConnection[DictRow], account: str, *, take_over: bool = False) -> int:
    """Raise the epoch and hold the account; refused while another engine shows signs of life."""
    async with connection.transaction():
        row = await (
            await connection.execute(
                "select holder, extract(epoch from clock_timestamp() - heartbeat_at)::float8 as age_s "
                "from lease where account = %s for update",
                [account],
            )
        ).fetchone()
        assert row is not None, "an account is opened with its lease row"
        age_s = row["age_s"]  # by one clock: ours may have jumped
        if row["holder"] and age_s < DEAD_AFTER_S and not _is_gone(row["holder"]) and not take_over:
            raise Refused(
                f"{row['holder']} trades the account {account} and was heard {age_s:.1f} s ago",
                "Stop it first, or take over with --take-over.",
            )
        taken = await (
            await connection.execute(
                "update lease set epoch = epoch + 1, holder = %s, taken_at = clock_timestamp(), "
                "heartbeat_at = clock_timestamp() where account = %s returning epoch",
                [holder_name(), account],
            )
        ).fetchone()
    assert taken is not None, "the row was locked just now"
    return int(taken["epoch"])


async def give_back(connection: AsyncConnection[DictRow], account: str, epoch: int) -> None:
    """A clean stop: the next engine need not wait for our silence."""
    await connection.execute(
        "update lease set holder = '' where account = %s and epoch = %s", [account, epoch]
    )


def _is_gone(holder: str) -> bool:
    """A holder of this very machine whose process no longer exists cannot send late."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
