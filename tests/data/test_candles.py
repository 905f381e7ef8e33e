"""Candles: partitions by month, merged, never lost, dropped when old."""

import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

from data import candles
from data.bar import BAR_SCHEMA
from data.candles import Upserted, oldest_kept, prune, query, upsert
from data.errors import Unavailable, UsageError
from data.migrations import upgrade
from infra.local.postgres import Cluster

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVER = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC))

Ledger = Connection[DictRow]
Open = Callable[[], Ledger]


@pytest.fixture
def open_ledger(database_url: str) -> Iterator[Open]:
    opened: list[Ledger] = []

    def open_one() -> Ledger:
        opened.append(psycopg.connect(database_url, row_factory=dict_row))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    return open_ledger()


def bar(symbol: str, at: datetime, close: float = 10.0, volume: float = 100.0) -> tuple[Any, ...]:
    return (symbol, at, 10.0, 11.0, 9.0, close, volume, None, None)


def frame(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), BAR_SCHEMA, orient="row")


def put(ledger: Ledger, *rows: tuple[Any, ...], source: str = "test") -> Upserted:
    return upsert(ledger, source, "1m", frame(*rows))


def held(ledger: Ledger) -> dict[tuple[str, datetime], float]:
    rows = ledger.execute("select symbol, ts_utc, close from candles_by_symbol").fetchall()
    return {(row["symbol"], row["ts_utc"]): row["close"] for row in rows}


def partitions(ledger: Ledger) -> list[str]:
    rows = ledger.execute(
        "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid "
        "where inhparent = 'candles'::regclass order by 1"
    )
    return [row["relname"] for row in rows]


def test_an_upsert_says_what_became_of_every_bar(ledger: Ledger) -> None:
    first, second, third = (bar("AAA", NEW_YEAR + n * MINUTE) for n in range(3))
    assert put(ledger, first, second) == Upserted(inserted=2)
    assert put(ledger, first, second) == Upserted(unchanged=2)
    corrected = bar("AAA", NEW_YEAR, close=10.5)
    assert put(ledger, corrected, second, third) == Upserted(inserted=1, changed=1, unchanged=1)
    assert [row["close"] for row in query(ledger, "test", "1m", "AAA", *EVER)] == [10.5, 10.0, 10.0]
    assert upsert(ledger, "test", "1m", frame()) == Upserted()


def test_an_equal_candle_is_not_touched(ledger: Ledger) -> None:
    put(ledger, bar("AAA", NEW_YEAR), bar("AAA", NEW_YEAR + MINUTE))
    ledger.commit()
    versions = "select ctid, xmin, xmax from candles order by ts_utc"
    before = ledger.execute(versions).fetchall()
    put(ledger, bar("AAA", NEW_YEAR), bar("AAA", NEW_YEAR + MINUTE, close=9.5))
    ledger.commit()
    after = ledger.execute(versions).fetchall()
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_sources_timeframes_and_symbols_are_series_of_their_own(ledger: Ledger) -> None:
    put(ledger, bar("AAA", NEW_YEAR, close=10.1), bar("BBB", NEW_YEAR, close=10.2))
    put(ledger, bar("AAA", NEW_YEAR, close=10.3), source="other")
    upsert(ledger, "test", "5m", frame(bar("AAA", NEW_YEAR, close=10.4)))
    read = ledger.execute("select close from candles_by_symbol order by close").fetchall()
    assert [row["close"] for row in read] == [10.1, 10.2, 10.3, 10.4]
    assert [row["close"] for row in query(ledger, "other", "1m", "AAA", *EVER)] == [10.3]
    assert query(ledger, "test", "1m", "ZZZ", *EVER) == []


def test_a_query_with_a_limit_gives_the_newest_oldest_first(ledger: Ledger) -> None:
    put(ledger, *(bar("AAA", NEW_YEAR + n * MINUTE) for n in range(-5, 5)))
    until = NEW_YEAR + 2 * MINUTE
    rows = query(ledger, "test", "1m", "AAA", EVER[0], until, limit=3)
    assert [row["ts_utc"] for row in rows] == [NEW_YEAR - MINUTE, NEW_YEAR, NEW_YEAR + MINUTE]
    assert list(rows[0]) == ["ts_utc", "open", "high", "low", "close", "volume"]


def test_a_span_of_one_symbol_can_be_taken_out(ledger: Ledger) -> None:
    put(ledger, *(bar(symbol, NEW_YEAR + n * MINUTE) for symbol in ("AAA", "BBB") for n in range(-2, 2)))
    candles.remove(ledger, "test", "1m", "AAA", NEW_YEAR - MINUTE, NEW_YEAR + MINUTE)
    left = [row["ts_utc"] for row in query(ledger, "test", "1m", "AAA", *EVER)]
    assert left == [NEW_YEAR - 2 * MINUTE, NEW_YEAR + MINUTE]
    assert len(query(ledger, "test", "1m", "BBB", *EVER)) == 4


def test_months_begin_in_utc_whatever_the_session_thinks(ledger: Ledger) -> None:
    ledger.execute("set timezone to 'Asia/Tokyo'")
    put(ledger, bar("AAA", NEW_YEAR - timedelta(microseconds=1)), bar("AAA", NEW_YEAR))
    assert partitions(ledger) == ["candles_2025_12", "candles_2026_01"]
    for name in partitions(ledger):
        assert ledger.execute(SQL("select from {}").format(Identifier(name))).rowcount == 1


def test_any_month_from_1990_to_2100_can_be_held(ledger: Ledger) -> None:
    edges = [datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 12, 31, 23, 59, tzinfo=UTC)]
    assert put(ledger, *(bar("AAA", at) for at in edges)) == Upserted(inserted=2)
    assert [at for _, at in sorted(held(ledger))] == edges
    for at in (edges[0] - MINUTE, edges[1] + MINUTE):
        with pytest.raises(UsageError, match="cannot be candles"):
            put(ledger, bar("AAA", at))


@pytest.mark.parametrize(
    "price", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), float("-inf"), -0.0]
)
def test_every_float_comes_back_with_the_same_bits(ledger: Ledger, price: float) -> None:
    put(ledger, bar("AAA", NEW_YEAR, close=price))
    (row,) = query(ledger, "test", "1m", "AAA", *EVER)
    assert struct.pack("d", row["close"]) == struct.pack("d", price)
    assert put(ledger, bar("AAA", NEW_YEAR, close=price)) == Upserted(unchanged=1)


def test_a_bar_that_lacks_a_value_is_refused_by_name(ledger: Ledger) -> None:
    incomplete = frame(bar("AAA", NEW_YEAR)).with_columns(pl.lit(None, pl.Float64).alias("close"))
    with pytest.raises(UsageError, match="lack values: 1 × close"):
        upsert(ledger, "test", "1m", incomplete)


def test_rows_in_any_order_and_twice_are_what_the_last_of_them_says(ledger: Ledger) -> None:
    rows = [bar("BBB", NEW_YEAR, 9.1), bar("AAA", NEW_YEAR, 9.2), bar("BBB", NEW_YEAR, 9.3)]
    assert put(ledger, *rows) == Upserted(inserted=2)
    assert held(ledger) == {("BBB", NEW_YEAR): 9.3, ("AAA", NEW_YEAR): 9.2}


def test_more_rows_than_are_encoded_at_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.binary_copy.CHUNK_ROWS", 7)
    rows = [bar("AAA", NEW_YEAR + n * MINUTE, close=9 + n / 100) for n in range(50)]
    assert put(ledger, *rows) == Upserted(inserted=50)
    assert held(ledger) == {(row[0], row[1]): row[5] for row in rows}


@pytest.mark.parametrize("autocommit", [True, False])
def test_the_caller_commits_unless_he_asked_for_that_to_happen(open_ledger: Open, autocommit: bool) -> None:
    ledger, other = open_ledger(), open_ledger()
    ledger.autocommit = autocommit
    put(ledger, bar("AAA", NEW_YEAR))
    put(ledger, bar("AAA", NEW_YEAR, close=9.5))
    assert len(held(other)) == (1 if autocommit else 0)
    ledger.rollback()
    assert len(held(ledger)) == (1 if autocommit else 0)


moments = st.integers(-4, 4).map(lambda n: NEW_YEAR + n * timedelta(days=12))  # four months
bars_of_any_kind = st.tuples(st.sampled_from(["AAA", "BBB", "CCC"]), moments, st.floats(9, 11))


@pytest.mark.full
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(st.lists(st.lists(bars_of_any_kind, max_size=12), max_size=5))
def test_any_upserts_in_any_order_leave_what_a_dict_would_hold(
    ledger: Ledger, batches: list[list[tuple[str, datetime, float]]]
) -> None:
    expected: dict[tuple[str, datetime], float] = {}
    for batch in batches:
        new = {(symbol, at): close for symbol, at, close in batch}
        assert put(ledger, *(bar(*each) for each in batch)) == Upserted(
            inserted=len(new.keys() - expected.keys()),
            changed=sum(expected.get(key, close) != close for key, close in new.items()),
            unchanged=sum(expected.get(key) == close for key, close in new.items()),
        )
        expected |= new
    assert held(ledger) == expected
    ledger.rollback()


def at_once(*deeds: Callable[[], object]) -> None:
    """All of them from a standing start; the first error of any is raised."""
    ready = threading.Barrier(len(deeds))

    def start(deed: Callable[[], object]) -> None:
        ready.wait(10)
        deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        for running in [pool.submit(start, deed) for deed in deeds]:
            running.result(60)


@pytest.mark.full
def test_two_who_bring_the_same_bars_at_once_neither_deadlock_nor_lose_any(open_ledger: Open) -> None:
    rows = [bar(symbol, NEW_YEAR + n * timedelta(days=9)) for symbol in "ABC" for n in range(12)]

    def bring(ledger: Ledger, order: int) -> None:
        for _ in range(3):
            for symbol in "ABC"[::order]:  # in one transaction, by the two in opposite directions
                put(ledger, *(row for row in rows[::order] if row[0] == symbol))
            ledger.commit()

    first, second = open_ledger(), open_ledger()
    at_once(lambda: bring(first, 1), lambda: bring(second, -1))
    assert held(first).keys() == {(row[0], row[1]) for row in rows}
    assert len(partitions(first)) == 4


@pytest.mark.full
def test_the_same_months_made_by_many_at_once_exist_once(open_ledger: Open) -> None:
    symbols = ["AAA", "BBB", "CCC", "DDD"]

    def bring(ledger: Ledger, symbol: str) -> None:
        put(ledger, *(bar(symbol, NEW_YEAR + n * timedelta(days=31)) for n in range(6)))
        ledger.commit()

    at_once(*(lambda ledger=open_ledger(), symbol=symbol: bring(ledger, symbol) for symbol in symbols))  # type: ignore[misc]
    ledger = open_ledger()
    assert len(held(ledger)) == 24
    assert len(partitions(ledger)) == 6


def test_nobody_who_reads_waits_for_a_writer(open_ledger: Open) -> None:
    writer, reader = open_ledger(), open_ledger()
    put(writer, bar("AAA", NEW_YEAR))
    writer.commit()
    put(writer, bar("AAA", NEW_YEAR, close=9.5), bar("AAA", NEW_YEAR + timedelta(days=40)))
    reader.execute("set statement_timeout = '2s'")
    assert list(held(reader).values()) == [10.0]
    assert [row["close"] for row in query(reader, "test", "1m", "AAA", *EVER)] == [10.0]


def test_retention_counts_back_from_the_newest_candle_and_drops_whole_months(ledger: Ledger) -> None:
    for month in range(1, 7):
        put(ledger, bar("AAA", datetime(2015, month, 15, tzinfo=UTC)))
    newest = date(2015, 6, 15)
    assert oldest_kept(newest, 105) == date(2015, 3, 2)
    assert prune(ledger, keep_days=400) == []
    assert prune(ledger, keep_days=106) == ["candles_2015_01", "candles_2015_02"]  # the last day is 1 March
    assert prune(ledger, keep_days=106) == []
    assert min(at for _, at in held(ledger)).month == 3
    ledger.commit()


def test_a_month_with_one_candle_that_is_young_enough_stays(ledger: Ledger) -> None:
    put(
        ledger,
        bar("AAA", datetime(2015, 2, 28, 23, 59, tzinfo=UTC)),
        bar("AAA", datetime(2015, 4, 1, tzinfo=UTC)),
    )
    assert prune(ledger, keep_days=32) == []  # kept from 28 February
    assert prune(ledger, keep_days=31) == ["candles_2015_02"]  # kept from 1 March


def test_nothing_is_dropped_from_an_empty_table(ledger: Ledger) -> None:
    assert prune(ledger, 1) == []


def test_a_reader_who_does_not_end_stops_the_retention_and_not_the_charts(
    open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candles, "DROP_PATIENCE", "50ms")
    reader, pruner = open_ledger(), open_ledger()
    put(reader, bar("AAA", datetime(2015, 1, 1, tzinfo=UTC)), bar("AAA", NEW_YEAR))
    reader.commit()
    assert len(held(reader)) == 2  # and its transaction stays open
    with pytest.raises(Unavailable, match="no month was dropped"):
        prune(pruner, 30)
    pruner.rollback()
    assert len(held(pruner)) == 2


@pytest.mark.full
def test_the_migration_moves_every_candle(postgres: Cluster) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("create database before_series")
        try:
            url = postgres.url("before_series")
            upgrade(url, "0002")
            with psycopg.connect(url, row_factory=dict_row) as ledger:
                for month, following in (("2025-12-01", "2026-01-01"), ("2026-01-01", "2026-02-01")):
                    ledger.execute(
                        f"create table candles_{month[:7].replace('-', '_')} partition of candles "
                        f"for values from ('{month} 00:00+00') to ('{following} 00:00+00')"
                    )
                for symbol in ("BBB", "AAA"):
                    for at in (NEW_YEAR - MINUTE, NEW_YEAR):
                        ledger.execute(
                            "insert into candles values ('test', '1m', %s, %s, 10, 11, 9, 10, 100)",
                            [symbol, at],
                        )
            upgrade(url)
            with psycopg.connect(url, row_factory=dict_row) as ledger:
                assert len(held(ledger)) == 4
                assert put(ledger, bar("AAA", NEW_YEAR), bar("BBB", NEW_YEAR - MINUTE)) == Upserted(
                    unchanged=2
                )
                assert partitions(ledger) == ["candles_2025_12", "candles_2026_01"]
                left = ledger.execute("select from pg_namespace where nspname = 'before_candle_series'")
                assert left.rowcount == 0
        finally:
            admin.execute("drop database before_series with (force)")
