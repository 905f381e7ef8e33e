"""The exchange's books on disk: SQLite, one transaction per command, durable before anybody is told.

The account in memory is what the books say: read from them at start, and again after a write that failed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from data.errors import Corrupt, Refused, Unavailable
from execution.exchange.holdings import Holdings
from execution.exchange.matching import Account
from execution.exchange.orders import Event, Fill, Order, Position
from execution.exchange.register import Changes
from execution.exchange.state import Activity, DayClose, State
from execution.exchange.terms import Terms

Kept = TypeVar("Kept")

_VERSION = 2
_SCHEMA = """
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, key_id TEXT NOT NULL UNIQUE, secret_key TEXT NOT NULL,
    created_at_us INTEGER NOT NULL, terms TEXT NOT NULL, cash REAL NOT NULL, seq INTEGER NOT NULL,
    clock_us INTEGER, stamp_us INTEGER NOT NULL, marks TEXT NOT NULL
) STRICT;
CREATE TABLE orders (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL, client_order_id TEXT NOT NULL,
    submitted_at_us INTEGER NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (account_id, client_order_id)
) STRICT;
CREATE TABLE positions (
    account_id TEXT NOT NULL, symbol TEXT NOT NULL, qty REAL NOT NULL, average_entry REAL NOT NULL,
    PRIMARY KEY (account_id, symbol)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    account_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account_id, seq)
) STRICT;
"""
# What version 1 did not have: money without orders, days, and what an account knows of its market.
_SINCE_1 = """
ALTER TABLE accounts ADD COLUMN state TEXT NOT NULL DEFAULT '{}';
CREATE TABLE activities (account_id TEXT NOT NULL, at_us INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE days (
    account_id TEXT NOT NULL, day TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (account_id, day)
) STRICT;
"""


class Keys(msgspec.Struct, frozen=True):
    """What names an account on the wire, as Alpaca's two headers do."""

    key_id: str
    secret_key: str


class Books:
    """The file `books.db`; whoever opened it holds it alone until it is closed or its process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)  # it holds the secret keys
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
            # One owner: no other process may write, and a second exchange on the same folder is turned away.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # every commit is on the disk before the reply
            with self._transaction():
                self._create()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Refused(
                    f"another exchange keeps its books in {path.parent}",
                    "Stop it, or give this one another --state-dir.",
                ) from error
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError as error:
            raise self._corrupt(error) from error
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        self._db.close()

    def open_account(self, account: Account, keys: Keys, now_us: int) -> None:
        holdings = account.holdings
        with self._writing():
            self._db.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, 0, NULL, 0, '{}', '{}')",
                (account.id, keys.key_id, keys.secret_key, now_us, _text(account.terms), holdings.cash),
            )

    def write(self, account: Account, changes: Changes) -> None:
        """Everything one command changed, in one durable transaction."""
        holdings = account.holdings
        with self._writing():
            self._db.executemany(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body",
                [
                    (o.id, account.id, o.client_order_id, o.submitted_at_us, o.status.value, _text(o))
                    for o in changes.orders.values()
                ],
            )
            self._db.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?)",
                [(account.id, event.seq, event.kind.value, _text(event)) for event in changes.events],
            )
            self._db.executemany(
                "INSERT INTO activities VALUES (?, ?, ?)",
                [(account.id, activity.at_us, _text(activity)) for activity in changes.activities],
            )
            self._db.executemany(
                "INSERT INTO days VALUES (?, ?, ?)",
                [(account.id, day.day, _text(day)) for day in changes.days],
            )
            for symbol in changes.symbols:
                self._write_position(account.id, symbol, holdings.positions.get(symbol))
            self._db.execute(
                "UPDATE accounts SET cash = ?, seq = ?, clock_us = ?, stamp_us = ?, marks = ?, state = ?"
                " WHERE id = ?",
                (
                    holdings.cash,
                    account.seq,
                    account.clock_us,
                    account.stamp_us,
                    _text(holdings.marks),
                    _text(account.state),
                    account.id,
                ),
            )

    def accounts(self) -> list[tuple[Account, Keys, int]]:
        """Every account with its keys and creation time."""
        rows = self._db.execute("SELECT id FROM accounts ORDER BY created_at_us").fetchall()
        return [self.account(account_id) for (account_id,) in rows]

    def account(self, account_id: str) -> tuple[Account, Keys, int]:
        """One account as the books have it."""
        try:
            row = self._db.execute(
                "SELECT terms, cash, marks, state, seq, clock_us, stamp_us, key_id, secret_key, created_at_us"
                " FROM accounts WHERE id = ?",
                (account_id,),
            ).fetchone()
            terms, cash, marks, state, seq, clock_us, stamp_us, key_id, secret_key, created_at_us = row
            holdings = Holdings(msgspec.json.decode(terms, type=Terms))
            holdings.cash = cash
            holdings.marks = msgspec.json.decode(marks, type=dict[str, float])
            holdings.positions = self._positions(account_id)
            account = Account.restored(
                msgspec.json.decode(terms, type=Terms),
                holdings,
                msgspec.json.decode(state, type=State),
                self._orders(account_id),
                self._fills(account_id),
            )
            account.activities = self._bodies("activities", "at_us", account_id, Activity)
            account.days = self._bodies("days", "day", account_id, DayClose)
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise self._corrupt(error) from error
        account.seq, account.clock_us, account.stamp_us = seq, clock_us, stamp_us
        return account, Keys(key_id, secret_key), created_at_us

    def events(self, account_id: str, after: int, limit: int) -> list[Event]:
        """The account's first `limit` events numbered above `after`, in order."""
        rows = self._db.execute(
            "SELECT body FROM events WHERE account_id = ? AND seq > ? ORDER BY seq LIMIT ?",
            (account_id, after, limit),
        )
        decode = msgspec.json.Decoder(Event).decode
        return [decode(body) for (body,) in rows]

    def _orders(self, account_id: str) -> list[Order]:
        return self._bodies("orders", "submitted_at_us", account_id, Order)

    def _bodies(self, table: str, ordered_by: str, account_id: str, kind: type[Kept]) -> list[Kept]:
        rows = self._db.execute(
            f"SELECT body FROM {table} WHERE account_id = ? ORDER BY {ordered_by}", (account_id,)
        )
        decode = msgspec.json.Decoder(kind).decode
        return [decode(body) for (body,) in rows]

    def _fills(self, account_id: str) -> list[Fill]:
        rows = self._db.execute(
            "SELECT body FROM events WHERE account_id = ? AND kind IN ('fill', 'partial_fill') ORDER BY seq",
            (account_id,),
        )
        decode = msgspec.json.Decoder(Event).decode
        return [fill for (body,) in rows if (fill := decode(body).fill) is not None]

    def _positions(self, account_id: str) -> dict[str, Position]:
        rows = self._db.execute(
            "SELECT symbol, qty, average_entry FROM positions WHERE account_id = ?", (account_id,)
        )
        return {symbol: Position(qty, average_entry) for symbol, qty, average_entry in rows}

    def _write_position(self, account_id: str, symbol: str, position: Position | None) -> None:
        if position is None:
            self._db.execute(
                "DELETE FROM positions WHERE account_id = ? AND symbol = ?", (account_id, symbol)
            )
            return
        self._db.execute(
            "INSERT INTO positions VALUES (?, ?, ?, ?) ON CONFLICT (account_id, symbol)"
            " DO UPDATE SET qty = excluded.qty, average_entry = excluded.average_entry",
            (account_id, symbol, position.qty, position.average_entry),
        )

    def _create(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version in (0, 1):
            for statement in ((_SCHEMA if version == 0 else "") + _SINCE_1).split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise Corrupt(
                f"{self._path} has version {version}, this exchange reads version {_VERSION}",
                "Give the exchange an empty --state-dir.",
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._transaction():
                yield
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the exchange's books {self._path} cannot be written ({error})",
            "Free disk space and check the folder's permissions; nothing that was acknowledged is lost.",
        )

    def _corrupt(self, error: Exception) -> Corrupt:
        return Corrupt(
            f"the exchange's books {self._path} cannot be read ({error})",
            "Restore the file from a copy, or give the exchange an empty --state-dir.",
        )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
