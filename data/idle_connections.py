"""The open Postgres connections of this process that nobody uses at the moment.

A stack, and not psycopg_pool: that one starts threads, which a command line tool and a forking parent do not want,
and it turns "password authentication failed" into "couldn't get a connection after 30 s".  Nothing here waits and
nothing here opens: who finds nothing opens a connection himself and hears the reason himself.
"""

import atexit
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

IDLE_MAX: Final = 8  # of the whole process, over all URLs
IDLE_S_MAX: Final = 300  # load balancers forget a silent connection after 350 s, and say nothing

# What `discard all` does, but prepared statements stay: they are half of what is gained by not opening anew.
_FORGET: Final = (
    "close all; set session authorization default; reset all; unlisten *; "
    "select pg_advisory_unlock_all(); discard temp"
)
_BETWEEN_STATEMENTS: Final = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)

Connection = psycopg.Connection[DictRow]


class _Resting(NamedTuple):
    url: str
    since_s: float
    connection: Connection


class IdleConnections:
    """Takes them back as good as new, and gives out only what is alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resting: list[_Resting] = []  # the newest last
        self._of_the_parent: list[_Resting] = []
        os.register_at_fork(after_in_child=self._after_fork)
        atexit.register(self.close)

    def take(self, url: str) -> Connection | None:
        """The newest one to this URL that is alive as far as can be seen without asking the server."""
        now_s = time.monotonic()
        with self._lock:
            dead = self._remove(lambda one: now_s - one.since_s > IDLE_S_MAX or not _is_quiet(one.connection))
            found = next((one for one in reversed(self._resting) if one.url == url), None)
            if found:
                self._resting.remove(found)
        _close(dead)
        return found.connection if found else None

    def put(self, url: str, connection: Connection) -> None:
        """Keep it, rolled back and without what its last user set; one that is in no state for that is closed."""
        if connection.broken:
            self.close(url)  # what ended this one has ended the others, even if they have not heard of it
        if not _clean(connection):
            return
        with self._lock:
            self._resting.append(_Resting(url, time.monotonic(), connection))
            surplus, self._resting = self._resting[:-IDLE_MAX], self._resting[-IDLE_MAX:]
        _close(surplus)

    def close(self, url: str | None = None) -> None:
        """Close those to one URL, or all."""
        with self._lock:
            meant = self._remove(lambda one: url in (None, one.url))
        _close(meant)

    def _remove(self, unwanted: Callable[[_Resting], bool]) -> list[_Resting]:
        removed = [one for one in self._resting if unwanted(one)]
        self._resting = [one for one in self._resting if one not in removed]
        return removed

    def _after_fork(self) -> None:
        # The sockets are the parent's, and closing one here would end its session: hold them, and never touch them.
        self._of_the_parent += self._resting
        self._lock, self._resting = threading.Lock(), []


def _is_quiet(connection: Connection) -> bool:
    """Whether nothing waits to be read: an idle server speaks only to say farewell, and a dead one's socket ends."""
    if connection.closed:
        return False
    sight = select.poll()
    sight.register(connection.fileno(), select.POLLIN)
    return not sight.poll(0)


def _clean(connection: Connection) -> bool:
    """One round trip, 0.1 ms.  Done when it comes back, so that no lock outlives the block that took it."""
    clean = False
    try:
        if connection.info.transaction_status in _BETWEEN_STATEMENTS:
            connection.rollback()
            connection.autocommit = True
            connection.isolation_level = connection.read_only = connection.deferrable = None
            connection.row_factory = dict_row
            connection.execute(_FORGET, prepare=False)
            clean = True
    except psycopg.Error:
        pass  # it is closed, and the next user opens another
    finally:
        if not clean:
            connection.close()
    return clean


def _close(connections: Iterable[_Resting]) -> None:
    for one in connections:
        one.connection.close()
