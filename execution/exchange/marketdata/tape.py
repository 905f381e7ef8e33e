"""What was posted, on disk: `market.db` beside the books, per account, oldest rows dropped beyond a limit.

It survives a killed process.  It is not the books: no fill depends on it, and a power cut may cost its last seconds.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from data.bar import TIMEFRAMES, Bar
from data.errors import Corrupt, Unavailable
from execution.exchange.marketdata.ticks import Quote, Trade

ROWS_MAX = 5_000_000  # of one kind, over all accounts: half a gigabyte
EVER_US = (-(2**62), 2**62)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS bars (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL,
    ts_us INTEGER NOT NULL, open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL,
    volume REAL NOT NULL, UNIQUE (account, symbol, timeframe, ts_us)
) STRICT;
CREATE TABLE IF NOT EXISTS quotes (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, ts_us INTEGER NOT NULL,
    bid REAL NOT NULL, ask REAL NOT NULL, bid_size REAL NOT NULL, ask_size REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS quotes_by_time ON quotes (account, symbol, ts_us, id);
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, ts_us INTEGER NOT NULL,
    price REAL NOT NULL, size REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trades_by_time ON trades (account, symbol, ts_us, id);
"""
_ENTER_BAR = (
    "INSERT INTO bars (account, symbol, timeframe, ts_us, open, high, low, close, volume)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO "
)
_CORRECTED = (
    "UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,"
    " volume = excluded.volume"
)
_ENTER_QUOTE = (
    "INSERT INTO quotes (account, symbol, ts_us, bid, ask, bid_size, ask_size) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_ENTER_TRADE = "INSERT INTO trades (account, symbol, ts_us, price, size) VALUES (?, ?, ?, ?, ?)"


class Stretch(msgspec.Struct, frozen=True):
    """A closed range of time, which way it is read, and the (ts_us, id) of the row that the page before ended with."""

    between_us: tuple[int, int] = EVER_US
    newest_first: bool = False
    beyond: tuple[int, int] | None = None


EVER = Stretch()
NEWEST = Stretch(newest_first=True)


class Tape:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # no sync per post: see above
            self._db.executescript(_SCHEMA)
            # Rows and their indexes carry a number: an id of 36 characters doubles what a row costs.
            self._numbers: dict[str, int] = dict(self._db.execute("SELECT id, number FROM accounts"))
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError as error:
            raise Corrupt(
                f"the exchange's market data {self._path} cannot be read ({error})",
                "Delete the file: no order and no fill depends on it.",
            ) from error

    def close(self) -> None:
        self._db.close()

    # -- entering

    def enter_bars(self, account: str, bars: Sequence[Bar]) -> tuple[list[Bar], list[Bar]]:
        """Keeps the bars; returns which of them are new, and which say something else than before."""
        number = self._number(account)
        rows = [(number, bar.symbol, bar.timeframe, *_values(bar)) for bar in bars]
        new, corrected = list(bars), list[Bar]()
        try:
            self._db.execute("BEGIN")
            if self._db.executemany(_ENTER_BAR + "NOTHING", rows).rowcount < len(rows):
                # seldom: a feed that asks again, or that corrects itself
                self._db.execute("ROLLBACK")
                new, corrected = self._told_apart(account, bars)
                self._db.execute("BEGIN")
                self._db.executemany(_ENTER_BAR + _CORRECTED, rows)
            self._drop_oldest("bars")
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._not_written(error) from error
        return new, corrected

    def enter_ticks(self, account: str, quotes: Sequence[Quote], trades: Sequence[Trade]) -> int:
        """Keeps quotes and trades; returns the id of the first trade, the others follow it."""
        number = self._number(account)
        try:
            self._db.execute("BEGIN")
            self._db.executemany(
                _ENTER_QUOTE,
                [(number, q.symbol, q.ts_us, q.bid, q.ask, q.bid_size, q.ask_size) for q in quotes],
            )
            self._db.executemany(_ENTER_TRADE, [(number, t.symbol, t.ts_us, t.price, t.size) for t in trades])
            (last_id,) = self._db.execute("SELECT coalesce(max(id), 0) FROM trades").fetchone()
            self._drop_oldest("quotes")
            self._drop_oldest("trades")
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._not_written(error) from error
        return int(last_id) - len(trades) + 1

    # -- asking

    def timeframes(self, account: str, symbol: str) -> list[str]:
        """Of which lengths bars of the symbol were posted, the shortest first."""
        number = self._numbers.get(account)
        one = "SELECT 1 FROM bars WHERE account = ? AND symbol = ? AND timeframe = ? LIMIT 1"
        return [name for name in TIMEFRAMES if self._db.execute(one, (number, symbol, name)).fetchone()]

    def bars(self, account: str, symbol: str, timeframe: str, stretch: Stretch = EVER) -> Iterator[Bar]:
        """The posted bars of one length that open in the stretch; whoever asks has moved it beyond the page before."""
        rows = self._db.execute(
            "SELECT ts_us, open, high, low, close, volume FROM bars WHERE account = ? AND symbol = ?"
            f" AND timeframe = ? AND ts_us BETWEEN ? AND ? ORDER BY ts_us {_way(stretch)}",
            (self._numbers.get(account), symbol, timeframe, *stretch.between_us),
        )
        return (Bar(symbol, timeframe, *row) for row in rows)

    def quotes(self, account: str, symbol: str, stretch: Stretch = EVER) -> Iterator[tuple[int, Quote]]:
        """Quotes with their ids."""
        rows = self._ticks("bid, ask, bid_size, ask_size FROM quotes", account, symbol, stretch)
        return ((id_, Quote(symbol, ts_us, *numbers)) for id_, ts_us, *numbers in rows)

    def trades(self, account: str, symbol: str, stretch: Stretch = EVER) -> Iterator[tuple[int, Trade]]:
        """Trades with their ids."""
        rows = self._ticks("price, size FROM trades", account, symbol, stretch)
        return ((id_, Trade(symbol, ts_us, *numbers)) for id_, ts_us, *numbers in rows)

    def _ticks(self, what: str, account: str, symbol: str, stretch: Stretch) -> sqlite3.Cursor:
        way, beyond = _way(stretch), stretch.beyond or ()
        further = f" AND (ts_us, id) {'<' if stretch.newest_first else '>'} (?, ?)" if beyond else ""
        return self._db.execute(
            f"SELECT id, ts_us, {what} WHERE account = ? AND symbol = ? AND ts_us BETWEEN ? AND ?{further}"
            f" ORDER BY ts_us {way}, id {way}",
            (self._numbers.get(account), symbol, *stretch.between_us, *beyond),
        )

    def _number(self, account: str) -> int:
        """The account's number in the rows; a new account gets the next one."""
        if account not in self._numbers:
            try:
                entered = self._db.execute("INSERT INTO accounts (id) VALUES (?)", (account,))
            except sqlite3.Error as error:
                raise self._not_written(error) from error
            assert entered.lastrowid is not None
            self._numbers[account] = entered.lastrowid
        return self._numbers[account]

    def _told_apart(self, account: str, bars: Sequence[Bar]) -> tuple[list[Bar], list[Bar]]:
        new, corrected = [], []
        for bar in bars:
            instant = Stretch((bar.ts_us, bar.ts_us))
            known = next(self.bars(account, bar.symbol, bar.timeframe, instant), None)
            if known is None:
                new.append(bar)
            elif known != bar:
                corrected.append(bar)
        return new, corrected

    def _drop_oldest(self, table: str) -> None:
        self._db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - {ROWS_MAX}")

    def _not_written(self, error: sqlite3.Error) -> Unavailable:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        return self._unwritable(error)

    def _unwritable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the exchange's market data {self._path} cannot be written ({error})",
            "Free disk space and check the folder's permissions; then post the same again.",
        )


def _values(bar: Bar) -> tuple[float, ...]:
    return bar.ts_us, bar.open, bar.high, bar.low, bar.close, bar.volume


def _way(stretch: Stretch) -> str:
    return "DESC" if stretch.newest_first else "ASC"
