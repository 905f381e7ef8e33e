"""The books on disk are the truth: what is in them survives, what cannot be written does not happen."""

import sqlite3
from copy import deepcopy
from pathlib import Path

import pytest
from exchange_process import bar

from data.errors import Corrupt, Refused, Unavailable
from execution.exchange.books import _SCHEMA, Books
from execution.exchange.host import Exchange, Hosted
from execution.exchange.matching import Account
from execution.exchange.orders import Order, OrderRequest, OrderType, Reject, Side
from execution.exchange.terms import Terms


def opened(books: Books) -> tuple[Exchange, Hosted]:
    exchange = Exchange(books)
    exchange.open_account(Terms(name="test", participation=0.01), frozenset())
    return exchange, exchange.hosted[0]


def submit(exchange: Exchange, hosted: Hosted, n: int, limit_price: float | None = None) -> Order | Reject:
    request = OrderRequest(
        client_order_id=f"order-{n}",
        symbol="AAA",
        side=Side.SELL if n % 3 else Side.BUY,
        qty=25.5,
        type=OrderType.LIMIT if limit_price else OrderType.MARKET,
        limit_price=limit_price,
    )
    return exchange.apply(hosted, lambda account, now_us: account.submit(request, now_us))


def move(exchange: Exchange, hosted: Hosted, minute: int) -> None:
    exchange.apply(hosted, lambda account, now_us: account.on_bar([bar(minute, 100.1 + minute)], now_us))


def picture(account: Account) -> dict[str, object]:
    """Everything an account knows, except what it has yet to write."""
    known = dict(vars(account), holdings=vars(account.holdings))
    known.pop("_changes")
    return deepcopy(known)


def test_an_account_read_back_is_the_account_that_was_written(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.db")
    exchange, hosted = opened(books)
    for n in range(10):
        submit(exchange, hosted, n)
        submit(exchange, hosted, 100 + n, limit_price=100.0 + n)
        move(exchange, hosted, n)
    before = picture(hosted.account)
    assert before["fills"]
    books.close()

    books = Books(tmp_path / "books.db")
    (again,) = Exchange(books).hosted
    assert picture(again.account) == before
    assert again.keys == hosted.keys
    assert again.created_at_us == hosted.created_at_us
    books.close()


def test_a_write_that_fails_changes_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.db")
    exchange, hosted = opened(books)
    submit(exchange, hosted, 0)
    move(exchange, hosted, 0)
    before = picture(hosted.account)
    (pages,) = books._db.execute("PRAGMA page_count").fetchone()
    books._db.execute(f"PRAGMA max_page_count = {pages}")  # a full disk, as SQLite sees it
    for n in range(1, 100):
        before = picture(hosted.account)
        try:
            submit(exchange, hosted, n)
        except Unavailable as error:
            reason = str(error)
            break
    else:
        pytest.fail("the disk never filled up")
    assert "cannot be written (database or disk is full)" in reason
    assert picture(hosted.account) == before
    books._db.execute("PRAGMA max_page_count = 1000000")
    assert isinstance(submit(exchange, hosted, 500), Order)
    books.close()


def test_a_command_that_breaks_half_way_is_forgotten(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.db")
    exchange, hosted = opened(books)

    def breaks(account: Account, now_us: int) -> None:
        account.submit(OrderRequest(client_order_id="x", symbol="AAA", side=Side.BUY, qty=1.0), now_us)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        exchange.apply(hosted, breaks)
    assert (hosted.account.orders, hosted.account.seq) == ({}, 0)
    books.close()


def test_two_exchanges_never_share_books(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.db")
    with pytest.raises(Refused, match="another exchange keeps its books"):
        Books(tmp_path / "books.db")
    books.close()
    Books(tmp_path / "books.db").close()


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to look at" * 100, b"SQLite format 3\0" * 9]
)
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "books.db").write_bytes(content)
    with pytest.raises(Corrupt, match="books"):
        Books(tmp_path / "books.db")


def test_books_of_another_version_are_refused(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.db")
    books._db.execute("PRAGMA user_version = 99")
    books.close()
    with pytest.raises(Corrupt, match="version 99"):
        Books(tmp_path / "books.db")


def test_books_of_the_first_version_are_read_and_extended(tmp_path: Path) -> None:
    first = sqlite3.connect(tmp_path / "books.db")
    first.executescript(_SCHEMA + "PRAGMA user_version = 1;")
    terms = '{"name":"old","cash":500.0}'
    first.execute(
        "INSERT INTO accounts VALUES (?, 'key', 'secret', 1, ?, 500.0, 0, NULL, 0, '{}')",
        (Terms(name="old").account_id, terms),
    )
    first.commit()
    first.close()
    for _ in range(2):  # the second time it is a file of this version
        books = Books(tmp_path / "books.db")
        (hosted,) = Exchange(books).hosted
        assert (hosted.account.holdings.cash, hosted.account.days) == (500.0, [])
        books.close()


def test_only_the_owner_may_read_the_keys(tmp_path: Path) -> None:
    books = Books(tmp_path / "state" / "books.db")
    opened(books)
    for path in (tmp_path / "state").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    books.close()


def test_floats_come_back_to_the_last_bit(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.db")
    _, hosted = opened(books)
    hosted.account.holdings.cash = 0.1 + 0.2
    hosted.account.holdings.marks = {"AAA": 1e-17, "BBB": 123456789.123456789}
    books.write(hosted.account, hosted.account.take_changes())
    again = books.account(hosted.account.id)[0].holdings
    assert (again.cash, again.marks) == (hosted.account.holdings.cash, hosted.account.holdings.marks)
    books.close()
