"""Bars from files: what comes in is what stands there, and what cannot be read is named with its line."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data.bar import BAR_SCHEMA
from data.calendars import NEW_YORK, ROUND_THE_CLOCK
from data.errors import Corrupt, SlipwayError, UsageError
from data.ingest import ingest
from data.instruments import ACTION_SCHEMA
from data.query import bars
from data.settings import ROOT
from data.sources import Source
from data.sources.files import Columns, FileSource, open_files
from data.sources.files.staging import Staging

EARLY, LATE = datetime(1901, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
HEADER = "time,open,high,low,close,volume"
# 2026-01-02 was a Friday; New York opened at 14:30 UTC.
TWO_MINUTES = f"{HEADER}\n2026-01-02T14:30:00Z,10,12,9,11,100\n2026-01-02T14:31:00Z,11,13,10,12,200\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str | bytes, name: str = "AAA.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def opened(*paths: Path, timeframe: str = "1m", **options: Any) -> FileSource:
    return open_files(paths, name="csv", timeframe=timeframe, **options)


def everything(*paths: Path, timeframe: str = "1m", **options: Any) -> pl.DataFrame:
    with opened(*paths, timeframe=timeframe, **options) as source:
        return source.history(source.symbols(), EARLY, LATE, timeframe)


def times(*paths: Path, **options: Any) -> list[datetime]:
    return everything(*paths, **options)["ts_utc"].to_list()


def refusal(*paths: Path, error: type[SlipwayError] = UsageError, **options: Any) -> str:
    """The message with which an import is refused; nothing stays behind."""
    with pytest.raises(error) as caught:
        opened(*paths, **options).close()
    assert type(caught.value) is error
    return str(caught.value)


def left_behind(state_dir: Path) -> list[Path]:
    return sorted((state_dir / "staging").glob("import-*"))


# --- A source like any other


def test_files_answer_what_every_source_answers(write: Write) -> None:
    with opened(write(TWO_MINUTES)) as files:
        source: Source = files
        assert source.name == "csv"
        assert source.symbols() == ["AAA"]
        assert source.instrument("AAA").calendar == NEW_YORK
        assert source.actions(["AAA"], files.first, files.last).schema == ACTION_SCHEMA
        bars = source.history(["AAA"], EARLY, LATE, "1m")
        assert bars.schema == BAR_SCHEMA
        assert bars.rows()[0] == (
            "AAA",
            datetime(2026, 1, 2, 14, 30, tzinfo=UTC),
            10,
            12,
            9,
            11,
            100,
            None,
            None,
        )
        assert (files.rows, files.first, files.last) == (2, date(2026, 1, 2), date(2026, 1, 2))


def test_history_is_the_half_open_range(write: Write) -> None:
    half_past, next_minute = (datetime(2026, 1, 2, 14, minute, tzinfo=UTC) for minute in (30, 31))
    with opened(write(TWO_MINUTES)) as source:
        assert source.history(["AAA"], half_past, next_minute, "1m")["ts_utc"].to_list() == [half_past]
        assert source.history(["AAA"], next_minute, LATE, "1m")["ts_utc"].to_list() == [next_minute]
        assert source.history(["AAA"], LATE, LATE, "1m").schema == BAR_SCHEMA


def test_another_timeframe_is_not_what_the_files_hold(write: Write) -> None:
    with opened(write(TWO_MINUTES)) as source, pytest.raises(UsageError, match="bars of 1m, not 5m"):
        source.history(["AAA"], EARLY, LATE, "5m")


def test_a_symbol_that_the_files_do_not_have_is_an_error(write: Write) -> None:
    with opened(write(TWO_MINUTES)) as source, pytest.raises(UsageError, match="They have: AAA"):
        source.history(["AAA", "BBB"], EARLY, LATE, "1m")


def test_rows_keep_the_order_of_the_file_and_duplicates_stay(write: Write) -> None:
    rows = ["2026-01-02T14:3{},B,1,1,1,1,{}", "2026-01-02T14:3{},A,1,1,1,1,{}"]
    order = [5, 3, 3, 9, 0]
    lines = [row.format(f"{minute}:00Z", place) for place, minute in enumerate(order) for row in rows]
    path = write("time,symbol,open,high,low,close,volume\n" + "\n".join(lines))
    bars = everything(path)
    assert bars["symbol"].to_list() == ["A"] * 5 + ["B"] * 5
    assert [moment.minute - 30 for moment in bars["ts_utc"].to_list()] == order * 2
    assert bars["volume"].to_list() == [0, 1, 2, 3, 4] * 2


def test_rows_outside_every_session_are_delivered_for_the_checks(write: Write) -> None:
    text = TWO_MINUTES + "2026-01-03T09:00:00Z,1,1,1,1,1\n2026-01-05T14:30:00Z,1,1,1,1,1\n"
    with opened(write(text)) as source:
        assert (source.first, source.last) == (date(2026, 1, 2), date(2026, 1, 5))
        assert source.history(["AAA"], EARLY, LATE, "1m").height == 4


def test_bars_after_hours_do_not_pull_in_the_next_session(write: Write) -> None:
    with opened(write(TWO_MINUTES + "2026-01-06T00:30:00Z,1,1,1,1,1\n")) as source:
        assert source.last == date(2026, 1, 5)


def test_several_files_become_one_source(write: Write) -> None:
    second = write(TWO_MINUTES.replace("2026-01-02", "2026-01-05"), "bbb.csv")
    with opened(write(TWO_MINUTES), second) as source:
        assert source.symbols() == ["AAA", "BBB"]
        assert source.last == date(2026, 1, 5)
        assert source.history(["BBB"], EARLY, LATE, "1m").height == 2


def test_parts_of_one_symbol_are_joined_by_naming_it(write: Write) -> None:
    second = write(TWO_MINUTES.replace("2026-01-02", "2026-01-05"), "part2.csv")
    assert everything(write(TWO_MINUTES, "part1.csv"), second, symbol="AAA").height == 4


@pytest.mark.full
@pytest.mark.parametrize(
    ("asset_class", "symbol", "calendar"),
    [
        ("equity", "AAA", NEW_YORK),
        ("crypto", "BTC/USD", ROUND_THE_CLOCK),
        ("option", "SPY261218C00600000", NEW_YORK),
    ],
)
def test_the_asset_class_decides_the_calendar(
    write: Write, asset_class: Any, symbol: str, calendar: str
) -> None:
    with opened(write(TWO_MINUTES), symbol=symbol, asset_class=asset_class) as source:
        assert source.instrument(symbol).asset_class == asset_class
        assert source.instrument(symbol).calendar == calendar
    with opened(write(TWO_MINUTES), symbol=symbol, asset_class=asset_class, calendar="XLON") as source:
        assert source.instrument(symbol).calendar == "XLON"


def test_progress_ends_where_it_should(write: Write) -> None:
    path, told = write(TWO_MINUTES), []
    opened(path, progress=lambda done, total, what: told.append((done, total, what))).close()
    assert told[-1] == (path.stat().st_size, path.stat().st_size, "done")


@pytest.mark.full
def test_ingest_takes_files_through_the_checks_like_any_source(write: Write, database_url: str) -> None:
    start = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)
    minutes = [(start + timedelta(minutes=minute)).isoformat() for minute in range(390)]
    lines = [HEADER, *(f"{minute},10,12,9,11,100" for minute in minutes)]
    lines[5] = lines[5].replace(",10,12,", ",10,-12,")
    with opened(
        write("\n".join([*lines, f"{minutes[-1]},1,1,1,1,1", "2026-01-02T12:00:00Z,1,1,1,1,1"]))
    ) as source:
        done = ingest(source, source.symbols(), source.first, source.last, source.timeframe)
    assert done.dataset == "bars/csv/1m"
    shown = bars("AAA", "1m", date(2026, 1, 2), date(2026, 1, 2), source="csv")
    assert shown.height == 389


# --- What cannot be asked for


@pytest.mark.parametrize("name", ["synthetic", "alpaca", "Csv", "a/b", "", "1st", "x" * 33])
def test_a_name_that_is_taken_or_no_word_is_refused(write: Write, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        open_files([write(TWO_MINUTES)], name=name, timeframe="1m")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeframe": "2m"}, "no timeframe '2m'"),
        ({"symbol": "a b"}, "'a b' is not a symbol"),
        ({"time_zone": "New York"}, "no time zone 'New York'"),
        ({"epoch": "minutes"}, "no epoch unit 'minutes'"),
        ({"epoch": "s", "time_format": "%Y"}, "Leave out --epoch or --time-format"),
        ({"epoch": "s"}, "which is no number"),
        ({"decimal": ";"}, "no decimal sign"),
        ({"thousands": "x"}, "does not separate thousands"),
        ({"thousands": "."}, "cannot be the decimal sign and separate thousands"),
        ({"delimiter": ";;"}, "cannot separate columns"),
        ({"delimiter": ";"}, "no column for the time"),
        ({"calendar": "MOON"}, "no calendar 'MOON'"),
        ({"asset_class": "option"}, "'AAA' names no option"),
        ({"time_format": "%d.%m.%Y"}, "not in the format"),
        ({"time_format": "%Y-%m-%dT%H"}, "is no time format"),
    ],
)
def test_an_option_that_makes_no_sense_says_so(write: Write, options: dict[str, Any], message: str) -> None:
    assert message in refusal(write(TWO_MINUTES), **options)


def test_no_file_or_one_file_twice_is_refused(write: Write) -> None:
    assert "named twice" in refusal()
    assert "named twice" in refusal(write(TWO_MINUTES), write(TWO_MINUTES))


# --- Which column is what


@pytest.mark.parametrize(
    "header",
    [
        "ts_utc,Open,HIGH,low,Close,Volume",
        "t,o,h,l,c,v",
        "Open time,Open,High,Low,Close,Volume",
        "<DATETIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        ' "Date" , open , high , low , close , volume ',
    ],
)
def test_well_known_names_are_found_in_any_case(write: Write, header: str) -> None:
    assert_frame_equal(everything(write(TWO_MINUTES.replace(HEADER, header))), everything(write(TWO_MINUTES)))


def test_columns_can_be_named(write: Write) -> None:
    text = "When,Date,Open,High,Low,Close,Adj Close,Volume,Code\n2026-01-02T14:30:00Z,x,1,2,1,1,1.5,7,aaa\n"
    columns = Columns.of(["time=When", "close=Adj Close", "symbol=code"])
    assert everything(write(text, "x y.csv"), columns=columns).select("symbol", "close").row(0) == (
        "AAA",
        1.5,
    )


def test_a_date_and_a_time_of_day_can_be_joined(write: Write) -> None:
    text = "Date,Time,Open,High,Low,Close,Vol\n2026-01-02,09:30,1,1,1,1,1\n"
    assert 'Say which, or join them: --column time="Date+Time"' in refusal(write(text))
    joined = times(write(text), columns=Columns(time="Date+Time"), time_zone="America/New_York")
    assert joined == [datetime(2026, 1, 2, 14, 30, tzinfo=UTC)]


def test_a_file_without_a_header_line_is_given_one(write: Write) -> None:
    rows = TWO_MINUTES.partition("\n")[2]
    assert "a file without a header line needs --header" in refusal(write(rows))
    assert_frame_equal(everything(write(rows), header=HEADER.split(",")), everything(write(TWO_MINUTES)))


def test_a_column_can_be_said_to_be_absent(write: Write) -> None:
    text = "time,ticker,open,high,low,close,volume\n2026-01-02T14:30:00Z,Some Company,1,1,1,1,1\n"
    assert "--column symbol=" in refusal(write(text), symbol="AAA")
    assert everything(write(text), symbol="AAA", columns=Columns(symbol=""))["symbol"].to_list() == ["AAA"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "time,open,high,low,price,volume",
            "no column for the close: its columns are 'time', 'open', 'high'",
        ),
        ("time,open,high,low,close,close", "'close' and 'close' of"),
        ("time,o,high,low,open,close", "'o' and 'open' of"),
    ],
)
def test_a_missing_or_ambiguous_column_is_never_guessed(write: Write, header: str, message: str) -> None:
    told = refusal(write(TWO_MINUTES.replace(HEADER, header)))
    assert message in told
    assert "--column" in told


def test_a_named_column_must_be_there_once(write: Write) -> None:
    assert "no column called 'Last'" in refusal(write(TWO_MINUTES), columns=Columns(close="Last"))
    doubled = write("time,open,high,low,close,volume,x,x\n2026-01-02T14:30:00Z,1,1,1,1,1,1,1\n")
    assert "2 columns called 'x'" in refusal(doubled, columns=Columns(close="x"))
    assert everything(doubled).height == 1


@pytest.mark.parametrize("pair", ["close", "price=x", "=x"])
def test_a_mapping_that_says_nothing_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match="does not say which column is which"):
        Columns.of([pair])
    with pytest.raises(UsageError, match="a bar needs its close"):
        Columns.of(["close="]).find(HEADER.split(","), "x.csv")


def test_a_file_whose_name_is_no_symbol_needs_one(write: Write) -> None:
    assert "--symbol" in refusal(write(TWO_MINUTES, "my bars.csv"))
    assert everything(write(TWO_MINUTES, "btc-usd.csv"))["symbol"][0] == "BTC-USD"
    assert everything(write(gzip.compress(TWO_MINUTES.encode()), "BRK.B.csv.gz"))["symbol"][0] == "BRK.B"


def test_a_symbol_in_mixed_case_may_be_another_one_and_is_refused(write: Write) -> None:
    text = "time,symbol,open,high,low,close,volume\n2026-01-02T14:30:00Z,{},1,1,1,1,1\n"
    assert everything(write(text.format("aapl")))["symbol"][0] == "AAPL"
    assert "line 2: 'BACpL' in the column 'symbol' is not a symbol" in refusal(write(text.format("BACpL")))


# --- Times


def one_row(time: str) -> str:
    return f"{HEADER.replace(',', ';')}\n{time};1;1;1;1;1\n"


MOMENT = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("2026-01-02T14:30:00Z", {}),
        ("2026-01-02 09:30:00-05:00", {}),
        ("2026-01-02 14:30:00.000000000+0000", {}),
        (" 2026-01-02T15:30+01 ", {}),
        ("2026-01-02 09:30", {"time_zone": "America/New_York"}),
        ("2026-01-02T14:30:00.000", {"time_zone": "UTC"}),
        ("1767364200", {}),
        ("1767364200000", {}),
        ("1767364200000000", {}),
        ("1767364200000000000", {}),
        ("1767364200.0", {}),
        (" 1767364200 ", {"epoch": "s"}),
        ("02.01.2026 15:30", {"time_format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"}),
        ("01/02/2026 02:30:00.000000 PM", {"time_format": "%m/%d/%Y %I:%M:%S.%f %p", "time_zone": "UTC"}),
        ("20260102 143000 +0000", {"time_format": "%Y%m%d %H%M%S %z"}),
    ],
)
def test_times_are_read_as_they_are_written(write: Write, text: str, options: dict[str, Any]) -> None:
    assert times(write(one_row(text)), **options) == [MOMENT]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-01-02 09:30:00", "a local time that does not say of which zone. Say it: --time-zone"),
        ("2026-01-02", "need a time of day. Use --timeframe 1d"),
        ("20260102", "no time of 1990 to 2100 in any unit since 1970. Say what it is: --epoch"),
        ("02.01.2026 15:30", "no time that can be recognised, it begins with '02.01.2026 15:30'"),
        ("yesterday", "no time that can be recognised"),
        ("", "no time that can be recognised"),
    ],
)
def test_a_time_that_would_have_to_be_guessed_is_refused(write: Write, text: str, message: str) -> None:
    assert message in refusal(write(one_row(text)))


def test_local_times_that_do_not_exist_or_happen_twice_are_named_with_their_line(write: Write) -> None:
    local = "2026-03-06 10:00\n2026-03-08 02:30\n2026-11-01 01:30\n2026-11-02 10:00"
    text = HEADER + "\n" + "\n".join(f"{time},1,1,1,1,1" for time in local.split("\n"))
    with opened(write(text), time_zone="America/New_York", asset_class="crypto", skip_bad=True) as source:
        assert [str(line).partition("AAA.csv, ")[2] for line in source.bad_lines] == [
            "line 3: '2026-03-08 02:30' in the column 'time' does not exist in America/New_York, "
            "where the clocks were put forward",
            "line 4: '2026-11-01 01:30' in the column 'time' happened twice in America/New_York, "
            "where the clocks were put back",
        ]
        assert source.rows == 2


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("2026-01-02T14:30:00Z", "2026-01-02T14:31:00", "has no offset, unlike the first lines"),
        ("1767364200000", "1767364260", "is not a time in milliseconds since 1970"),
        ("1767364200000", "1.76736426E+12", "is not a time in milliseconds since 1970"),
        ("2026-01-02T14:30:00Z", "2026-02-30T14:31:00Z", "is not a time with an offset"),
        ("2026-01-02T14:30:00Z", "1826-01-02T14:31:00Z", "is not a time with an offset"),
        ("2026-01-02T14:30:00Z", "", "the column 'time' is empty"),
    ],
)
def test_one_file_writes_times_in_one_way(write: Write, first: str, second: str, message: str) -> None:
    text = f"{HEADER}\n{first},1,1,1,1,1\n{first},1,1,1,1,1\n{second},1,1,1,1,1\n"
    told = refusal(write(text))
    assert "line 4" in told
    assert message in told


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("2026-01-02", {}),
        ("2026-01-02 00:00:00", {}),
        ("2026-01-02T00:00:00Z", {}),
        ("2026-01-02 00:00:00-05:00", {}),  # yfinance
        ("2026-01-02T05:00:00Z", {"time_zone": "America/New_York"}),
        ("2026-01-02T14:30:00Z", {}),
        ("1767312000", {}),
        ("01/02/2026", {"time_format": "%m/%d/%Y"}),
        ("01/02/2026 00:00", {"time_format": "%m/%d/%Y %H:%M"}),
        ("20260102", {"time_format": "%Y%m%d"}),
    ],
)
def test_a_daily_bar_opens_with_its_session(write: Write, text: str, options: dict[str, Any]) -> None:
    assert times(write(one_row(text)), timeframe="1d", **options) == [MOMENT]


def test_a_daily_bar_of_a_day_without_session_is_left_to_the_checks(write: Write) -> None:
    text = (
        f"{HEADER}\n1962-01-02,1,1,1,1,1\n2026-01-02,1,1,1,1,1\n2026-01-03,1,1,1,1,1\n2026-01-05,1,1,1,1,1\n"
    )
    told = times(write(text), timeframe="1d")
    assert told[0] == datetime(1962, 1, 2, tzinfo=UTC)
    assert told[2] == datetime(2026, 1, 3, tzinfo=UTC)
    assert told[3] == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def test_bars_that_all_lie_outside_the_sessions_hint_at_a_wrong_zone(write: Write) -> None:
    path = write(one_row("2026-01-02T03:00:00Z"))
    assert "no bar lies in a session of XNYS" in refusal(path)
    assert times(path, asset_class="crypto") == [datetime(2026, 1, 2, 3, tzinfo=UTC)]


# --- Numbers


@pytest.mark.parametrize(
    ("text", "options", "number"),
    [
        ("1234.56", {}, 1234.56),
        ("1.23456e3", {}, 1234.56),
        (" 1234.56 ", {}, 1234.56),
        ("1234,56", {"decimal": ","}, 1234.56),
        ("1.234,56", {"decimal": ",", "thousands": "."}, 1234.56),
        ("1,234.56", {"thousands": ","}, 1234.56),
        ("1'234'567", {"thousands": "'"}, 1234567.0),
        ("1\u202f234,56", {"decimal": ",", "thousands": "\u202f"}, 1234.56),
        ("-5", {}, -5.0),
        ("inf", {}, float("inf")),
    ],
)
def test_numbers_are_read_as_they_are_said_to_be_written(
    write: Write, text: str, options: dict[str, Any], number: float
) -> None:
    path = write(f"{HEADER.replace(',', ';')}\n2026-01-02T14:30:00Z;1;1;1;{text};1\n")
    assert everything(path, **options)["close"].to_list() == [number]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "1.234,56",
            {},
            "is not a number with the decimal sign '.' and nothing between thousands (see --decimal",
        ),
        ("1,5", {}, "is not a number with the decimal sign '.'"),
        ("1.5", {"decimal": ","}, "is not a number with the decimal sign ','"),
        ("1,23,4", {"thousands": ","}, "is not a number with the decimal sign"),
        ("1_000", {}, "is not a number"),
        ("n/a", {}, "'n/a' in the column 'close' is not a number"),
        ("", {}, "the column 'close' is empty"),
        ("x" * 500, {}, "…' in the column 'close' is not a number"),
    ],
)
def test_a_text_that_is_no_number_is_named(
    write: Write, text: str, options: dict[str, Any], message: str
) -> None:
    told = refusal(write(f"{HEADER.replace(',', ';')}\n2026-01-02T14:30:00Z;1;1;1;{text};1\n"), **options)
    assert "line 2" in told
    assert message in told
    assert len(told) < 400


@pytest.mark.full
def test_what_may_be_empty_may_not_be_wrong(write: Write) -> None:
    header = HEADER + ",vwap,n\n"
    assert everything(write(header + "2026-01-02T14:30:00Z,1,1,1,1,1,,\n"))["vwap"].to_list() == [None]
    assert everything(write(header + "2026-01-02T14:30:00Z,1,1,1,1,1,,12.0\n"))["trade_count"].to_list() == [
        12
    ]
    for wrong, message in (
        ("x,1", "'x' in the column 'vwap'"),
        (",1.5", "'1.5' in the column 'n' is not a count"),
    ):
        assert message in refusal(write(header + f"2026-01-02T14:30:00Z,1,1,1,1,1,{wrong}\n"))


def test_wrong_values_that_are_numbers_are_for_the_checks(write: Write) -> None:
    path = write(f"{HEADER}\n2026-01-02T14:30:00Z,-1,0,nan,1,-7\n")
    assert everything(path).row(0)[2:4] == (-1.0, 0.0)


# --- Lines


def test_a_bad_line_refuses_the_whole_import_and_all_are_counted(write: Write, state_dir: Path) -> None:
    path = write(TWO_MINUTES + "2026-01-02T14:32:00Z,1,1,1,oops,1\n2026-01-02T14:33:00Z,1,1\n")
    assert refusal(path) == (
        f"{path}, line 4: 'oops' in the column 'close' is not a number (2 of 4 lines cannot be read). "
        "Correct the file, or set such lines aside with --skip-bad-lines."
    )
    assert left_behind(state_dir) == []


@pytest.mark.full
def test_bad_lines_can_be_set_aside_and_are_listed(write: Write) -> None:
    bad = "".join(f"2026-01-02T14:30:00Z,1,1,1,{place}x,1\n" for place in range(250))
    with opened(write(TWO_MINUTES + bad), skip_bad=True) as source:
        assert (source.rows, source.bad_count, len(source.bad_lines)) == (2, 250, 100)
        assert source.bad_lines[99].line == 103
        assert "'99x'" in source.bad_lines[99].what


def test_the_first_bad_line_has_its_reason_however_many_follow(write: Write) -> None:
    text = TWO_MINUTES + "2026-01-02T14:32:00Z,1,1,1,oops,1\n" + "too,short\n" * 200
    assert "line 4: 'oops' in the column 'close' is not a number (201 of 203" in refusal(write(text))


@pytest.mark.full
def test_a_bad_first_line_does_not_decide_how_times_are_written(write: Write) -> None:
    for times in (["1767364200", "1767364260"], ["2026-01-02T14:30:00Z", "2026-01-02T14:31:00Z"]):
        lines = [f"{time},1,1,1,1,1" for time in ["x", *times]]
        with opened(write("\n".join([HEADER, *lines])), skip_bad=True) as source:
            assert (source.rows, source.bad_lines[0].line) == (2, 2)


def test_a_file_of_nothing_but_bad_lines_has_no_bars(write: Write) -> None:
    assert "1 of 1 lines cannot be read). Correct" in refusal(
        write(f"{HEADER}\n2026-01-02T14:30:00Z,1,1,1,x,1\n"), skip_bad=True
    )


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_blank_lines_and_quoted_newlines_do_not_upset_the_count(write: Write, end: str) -> None:
    lines = [
        "# made by hand",
        "",
        HEADER + ",note",
        "2026-01-02T14:30:00Z,1,1,1,1,1,plain",
        "   ",
        "# half time",
        '2026-01-02T14:31:00Z,1,1,1,1,1,"over',
        "two, or three ",
        'lines"',
        "",
        '"2026-01-02T14:32:00Z","1","1","1","1","1","quoted ""well"""',
        "2026-01-02T14:33:00Z,1,1,1,bad,1,",
        "2026-01-02T14:34:00Z,1,1,1,1,1,",
    ]
    with opened(write("\ufeff" + end.join(lines)), skip_bad=True) as source:
        assert [(line.line, line.what.split()[0]) for line in source.bad_lines] == [(12, "'bad'")]
        minutes = source.history(["AAA"], EARLY, LATE, "1m")["ts_utc"].dt.minute().to_list()
        assert minutes == [30, 31, 32, 34]


def test_a_quote_that_is_never_closed_costs_its_own_line_only(write: Write) -> None:
    rows = [f"2026-01-02T{14 + at // 60:02}:{at % 60:02}:00Z,1,1,1,1,1" for at in range(300)]
    rows[7] = '"' + rows[7]
    with opened(write("\n".join([HEADER, *rows])), skip_bad=True, asset_class="crypto") as source:
        assert [(line.line, line.what) for line in source.bad_lines] == [
            (9, "has a quote that is never closed")
        ]
        assert source.rows == 299


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-01-02T14:30:00Z,1,1,1,1", "has 5 fields where the header has 6"),
        ("2026-01-02T14:30:00Z,1,1,1,1,1,1", "has 7 fields where the header has 6"),
        (",,,,,", "the column 'time' is empty"),
    ],
)
def test_a_line_of_another_length_is_bad(write: Write, line: str, message: str) -> None:
    assert message in refusal(write(f"{TWO_MINUTES}{line}\n"))


def test_a_byte_that_is_not_utf_8_matters_only_where_it_is_read(write: Write) -> None:
    text = f"{HEADER},note\n2026-01-02T14:30:00Z,1,1,1,{{}},1,{{}}\n"
    assert everything(write(text.format("1", "Zürich").encode("latin1"))).height == 1
    assert "(the file is not UTF-8 here)" in refusal(write(text.format("1é", "").encode("latin1")))


# --- Files that are not what they seem

PARQUET_BYTES = io.BytesIO()
pl.DataFrame({"time": [MOMENT] * 1000, "open": np.arange(1000.0)}).write_parquet(PARQUET_BYTES)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.csv", b"", UsageError, "is empty. Give a file with a header"),
        ("a.csv", b"\n# nothing\n\n", UsageError, "is empty"),
        ("a.csv", HEADER.encode(), UsageError, "has a header and no lines"),
        ("a.csv", b"\n" + HEADER.encode() + b"\n# no data\n", UsageError, "has a header and no lines"),
        ("a.parquet", b"", Corrupt, "is no parquet file: it is empty"),
        ("a.csv", json.dumps([{"t": 1}]).encode(), UsageError, "is JSON, not a table"),
        ("a.csv", b' {"t": 1}', UsageError, "is JSON, not a table"),
        ("a.parquet", b'{"t": 1, "o": 2}', Corrupt, "is no parquet file: it begins with b'{"),
        ("a.csv", bytes(range(256)) * 9, UsageError, "holds binary data"),
        (
            "a.csv",
            TWO_MINUTES.encode("utf-16"),
            UsageError,
            "is UTF-16, not UTF-8. Convert it: `iconv -f utf-16",
        ),
        ("a.csv", TWO_MINUTES.encode("utf-16-le"), UsageError, "holds binary data"),
        (
            "a.csv",
            ("Größe," + TWO_MINUTES).encode("latin1"),
            UsageError,
            "line 1 is not UTF-8: byte 3 is 0xf6",
        ),
        ("a.csv", TWO_MINUTES.replace("\n", "\r").encode(), UsageError, "with a carriage return only"),
        ("a.csv", b"time,op\ren,high\n1,2,3\n", UsageError, "cannot be split into names"),
        ("a.csv", b"<!DOCTYPE html>\n<html>\n", UsageError, "not plain what separates the columns"),
        ("a.csv", b"time,open|high\n", UsageError, "not plain what separates the columns"),
        ("a.csv", f"{HEADER}\n2026-01-02T14:30:00Z;1;1\n".encode(), UsageError, "line 2 has 1 fields"),
        ("a.csv.gz", gzip.compress(TWO_MINUTES.encode(), mtime=0)[:-9], Corrupt, "is a broken gzip file"),
        ("a.csv.gz", b"\x1f\x8bnonsense", Corrupt, "is a broken gzip file"),
        ("a.xlsx", b"PK\x03\x04....", UsageError, "is a ZIP archive or an Excel workbook. Unpack it"),
        ("a.parquet", PARQUET_BYTES.getvalue()[:-100], Corrupt, "is a broken parquet file"),
        ("a.parquet", b"PAR1PAR1", Corrupt, "is a broken parquet file"),
        ("a.csv", PARQUET_BYTES.getvalue(), UsageError, "no column for the high"),
    ],
)
def test_a_file_that_is_no_table_says_what_it_is(
    write: Write, state_dir: Path, name: str, content: bytes, error: type[SlipwayError], message: str
) -> None:
    assert message in refusal(write(content, name), error=error)
    assert left_behind(state_dir) == []


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    assert "there is no file" in refusal(tmp_path / "none.csv")
    assert "is a folder. Name its files" in refusal(tmp_path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; nobody may not."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_says_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "AAA.csv"
        path.write_text(TWO_MINUTES)
        path.chmod(0)
        with as_nobody():
            assert "cannot be read: Permission denied. Check its permissions" in refusal(path)


def sound_files() -> list[bytes]:
    columns = {"time": [MOMENT] * 20, "symbol": ["AAA"] * 20, "note": ['"quoted", and more'] * 20}
    frame = pl.DataFrame(columns | {name: np.arange(20.0) for name in HEADER.split(",")[1:]})
    parquet, text = io.BytesIO(), frame.write_csv().encode()
    frame.write_parquet(parquet, compression="uncompressed")
    return [text, gzip.compress(text), parquet.getvalue()]


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(
    sound=st.sampled_from(sound_files()),
    place=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 40),
    put=st.binary(max_size=4)
    | st.sampled_from([b"\n", b'"', b"\r", b"#", b"9" * 400, b"2026-02-30T14:30:00Z"]),
    skip_bad=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused_but_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, sound: bytes, place: float, cut: int, put: bytes, skip_bad: bool
) -> None:
    path, at = tmp_path_factory.mktemp("damaged") / "AAA.csv", int(place * len(sound))
    path.write_bytes(sound[:at] + put + sound[at + cut :])
    with suppress(SlipwayError), opened(path, skip_bad=skip_bad, asset_class="crypto") as source:
        assert source.history(source.symbols(), EARLY, LATE, "1m").height == source.rows


def test_a_damaged_page_of_a_parquet_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "AAA.parquet"
    prices = np.random.default_rng(7).random(1000)
    columns = {"time": [MOMENT] * 1000} | dict.fromkeys(HEADER.split(",")[1:], prices)
    pq.write_table(pa.table(columns), path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "is a broken parquet file" in refusal(path, error=Corrupt)


# --- Parquet as others write it


def table(time: pa.Array, prices: pa.Array, **more: pa.Array) -> pa.Table:
    columns = {"timestamp": time, **dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), prices), **more}
    return pa.table(columns)


US = 1_767_364_200_000_000  # MOMENT


@pytest.mark.parametrize(
    ("time", "options"),
    [
        (pa.array([US], pa.timestamp("us", "UTC")), {}),
        (pa.array([US // 1000], pa.timestamp("ms", "America/New_York")), {}),
        (pa.array([US * 1000], pa.timestamp("ns")), {"time_zone": "UTC"}),
        (pa.array([US // 1000]), {}),
        (pa.array([US / 1e6]), {}),
        (pa.array([US // 10**6], pa.int32()), {"epoch": "s"}),
        (pa.array(["2026-01-02T14:30:00Z"], pa.large_string()), {}),
        (pa.array(["2026-01-02T14:30:00Z"]).dictionary_encode(), {}),
    ],
)
@pytest.mark.parametrize(
    "prices",
    [
        pa.array([12.5]),
        pa.array([12.5], pa.float32()),
        pa.array([Decimal("12.50")], pa.decimal128(18, 2)),
        pa.array(["12.5"], pa.large_string()),
    ],
    ids=str,
)
def test_a_parquet_column_of_any_type_is_read(
    tmp_path: Path, time: pa.Array, options: dict[str, Any], prices: pa.Array
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(
        table(time, prices, ticker=pa.array(["aaa"]).dictionary_encode(), extra=pa.array([{"a": 1}])), path
    )
    assert everything(path, **options).rows() == [("AAA", MOMENT, 12.5, 12.5, 12.5, 12.5, 12.5, None, None)]


def test_decimals_become_the_nearest_floats(tmp_path: Path) -> None:
    texts = [f"{whole}.{cents:02}" for whole in (0, 7, 1234) for cents in range(1, 100)]
    prices = pa.array([Decimal(text) for text in texts], pa.decimal128(18, 2))
    pq.write_table(table(pa.array([MOMENT] * len(texts)), prices), tmp_path / "AAA.parquet")
    assert everything(tmp_path / "AAA.parquet")["close"].to_list() == [float(text) for text in texts]


@pytest.mark.parametrize(
    ("time", "options"),
    [
        (pa.array([US], pa.timestamp("us", "-05:00")), {"timeframe": "1m"}),
        (pa.array([b"2026-01-02 09:30:00-05:00"]), {"timeframe": "1m"}),
        (pa.array([20260102]), {"timeframe": "1d", "time_format": "%Y%m%d"}),
        (pa.array([US - 34_200_000_000], pa.timestamp("us", "America/New_York")), {"timeframe": "1d"}),
        (pa.array([US - 34_200_000_000], pa.timestamp("us", "-05:00")), {"timeframe": "1d"}),
        (pa.array(["2026-01-02"]), {"timeframe": "1d"}),
    ],
    ids=str,
)
def test_odd_ways_to_store_a_time_are_understood(
    tmp_path: Path, time: pa.Array, options: dict[str, Any]
) -> None:
    prices = pa.array([Decimal("1.10")], pa.decimal256(50, 2))
    pq.write_table(table(time, prices), tmp_path / "AAA.parquet")
    assert everything(tmp_path / "AAA.parquet", **options).select("ts_utc", "close").row(0) == (MOMENT, 1.1)


def test_whole_prices_dates_and_counts_of_pandas_are_read(tmp_path: Path) -> None:
    counts = pa.array([3.0, float("nan")], from_pandas=False)
    days = pa.array([date(2026, 1, 2), date(2026, 1, 5)])
    pq.write_table(table(days, pa.array([7, 8]), trades=counts), tmp_path / "AAA.parquet")
    bars = everything(tmp_path / "AAA.parquet", timeframe="1d")
    assert bars["trade_count"].to_list() == [3, None]
    assert bars["close"].to_list() == [7.0, 8.0]
    assert bars["ts_utc"].to_list() == [MOMENT, MOMENT + timedelta(days=3)]


@pytest.mark.parametrize(
    ("time", "prices", "message"),
    [
        (pa.array([US], pa.timestamp("us")), pa.array([1.0]), "does not say of which zone"),
        (pa.array([date(2026, 1, 2)]), pa.array([1.0]), "need a time of day"),
        (pa.array([20260102]), pa.array([1.0]), "no time of 1990 to 2100"),
        (pa.array([True]), pa.array([1.0]), "holds Boolean, which is no time"),
        (pa.array([MOMENT]), pa.array([True]), "holds Boolean, not numbers"),
        (pa.array([MOMENT]), pa.array([[1.0]]), "not numbers"),
        (pa.array([MOMENT]), pa.array([None], pa.float64()), "row 1: the column 'Open' is empty"),
        (pa.array([MOMENT]), pa.array(["x"]), "row 1: 'x' in the column 'Open' is not a number"),
        (pa.array([MOMENT, None]), pa.array([1.0, 1.0]), "row 2: the column 'timestamp' is empty"),
        (pa.array([], pa.timestamp("us")), pa.array([], pa.float64()), "has no rows"),
    ],
)
def test_a_parquet_column_that_cannot_be_a_bars_is_named(
    tmp_path: Path, time: pa.Array, prices: pa.Array, message: str
) -> None:
    pq.write_table(table(time, prices), tmp_path / "AAA.parquet")
    assert message in refusal(tmp_path / "AAA.parquet")


def test_a_parquet_file_called_csv_is_read_as_what_it_is(tmp_path: Path) -> None:
    pq.write_table(table(pa.array([MOMENT]), pa.array([1.0])), tmp_path / "AAA.csv")
    assert times(tmp_path / "AAA.csv") == [MOMENT]


# --- Laid aside


def test_what_was_laid_aside_is_removed_at_the_end(write: Write, state_dir: Path) -> None:
    with opened(write(TWO_MINUTES)):
        assert len(left_behind(state_dir)) == 1
    assert left_behind(state_dir) == []


@pytest.mark.full
def test_what_a_killed_import_left_goes_and_a_living_one_stays(write: Write, state_dir: Path) -> None:
    script = "import os\nfrom data.sources.files.staging import Staging\nStaging.open()\nos._exit(1)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    (dead,) = left_behind(state_dir)
    with opened(write(TWO_MINUTES)) as first, opened(write(TWO_MINUTES)):
        assert not dead.exists()
        assert len(left_behind(state_dir)) == 2
        assert first.history(["AAA"], EARLY, LATE, "1m").height == 2


def test_a_slice_takes_only_what_it_needs_of_many_chunks(state_dir: Path) -> None:
    staging = Staging.open()
    for day in range(3):
        moments = [MOMENT + timedelta(days=day, minutes=minute) for minute in (2, 0, 1)]
        rows = {"symbol": ["B", "A", "B"], "ts_utc": moments} | dict.fromkeys(
            ("open", "high", "low"), [1.0] * 3
        )
        staging.add(
            pl.DataFrame(rows | dict.fromkeys(("close", "volume", "vwap"), [1.0] * 3))
            .with_columns(trade_count=pl.lit(1, pl.Int64))
            .cast(BAR_SCHEMA)
        )
    assert staging.symbols() == ["A", "B"]
    assert staging.span("B") == (MOMENT + timedelta(minutes=1), MOMENT + timedelta(days=2, minutes=2))
    told = staging.bars(["B"], MOMENT + timedelta(days=1), MOMENT + timedelta(days=2))
    assert told["ts_utc"].to_list() == [MOMENT + timedelta(days=1, minutes=minute) for minute in (2, 1)]
    staging.close()


# --- Any dialect


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    decimal: str
    thousands: str | None
    time: str
    zone: str
    names: Sequence[str]
    end: str
    bom: bool
    packed: bool
    quoting: Literal[0, 1]
    symbol_column: bool
    broken_line: bool


FORMAT = "%d/%m/%Y %H.%M"
NAMES = [
    ["ts_utc", "open", "high", "low", "close", "volume", "vwap", "trade_count", "symbol"],
    ["T", "O", "H", "L", "C", "V", "VW", "N", "Ticker"],
    ["Open time", "Open Price", "HIGH", "Low", "<CLOSE>", "Vol", "vwap", "Number of trades", "SYMBOL"],
]
dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    thousands=st.sampled_from([None, "'", " ", "\u00a0"]),
    time=st.sampled_from(["offset", "zulu", "local", "s", "ms", "us", "ns", "format"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"]),
    names=st.sampled_from(NAMES),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    packed=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    symbol_column=st.booleans(),
    broken_line=st.booleans(),
)
prices = st.floats(min_value=1e-9, max_value=1e15)
rows = st.tuples(
    st.sampled_from(["AAA", "BTC/USD", "BRK.B"]),
    st.integers(0, 20 * 365 * 1440).map(
        lambda minute: datetime(2010, 1, 4, tzinfo=UTC) + timedelta(minutes=minute)
    ),
    prices,
    prices,
    prices,
    prices,
    st.floats(min_value=0, max_value=1e15),
    st.none() | prices,
    st.none() | st.integers(0, 2**53),
)


def is_plain(row: tuple[Any, ...], zone: str) -> bool:
    local = row[1].astimezone(ZoneInfo(zone))
    return bool(local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset())


def number_text(number: float | None, dialect: Dialect) -> str:
    if number is None:
        return ""
    text = repr(number)
    if dialect.thousands and "e" not in text:
        whole, dot, rest = text.partition(".")
        text = f"{int(whole):,}".replace(",", dialect.thousands) + dot + rest
    return text.replace(".", dialect.decimal)


def time_text(moment: datetime, dialect: Dialect) -> str:
    local = moment.astimezone(ZoneInfo(dialect.zone))
    seconds = int(moment.timestamp())
    return {
        "offset": local.isoformat(sep=" "),
        "zulu": moment.strftime("%Y-%m-%dT%H:%MZ"),
        "local": local.replace(tzinfo=None).isoformat(),
        "format": local.strftime(FORMAT),
        "s": f"{seconds}",
        "ms": f"{seconds}000",
        "us": f"{seconds}000000",
        "ns": f"{seconds}000000000",
    }[dialect.time]


def written_in(dialect: Dialect, told: Sequence[tuple[Any, ...]]) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(
        sink,
        delimiter=dialect.delimiter,
        quoting=dialect.quoting,
        lineterminator=dialect.end,
    )
    shown = dialect.names if dialect.symbol_column else dialect.names[:-1]
    writer.writerow(["nothing", *shown])
    for symbol, moment, *numbers in told:
        fields = [time_text(moment, dialect), *(number_text(number, dialect) for number in numbers)]
        writer.writerow(["", *fields, *([symbol] if dialect.symbol_column else [])])
    if dialect.broken_line:
        writer.writerow(["oops"])
    text = ("\ufeff" if dialect.bom else "") + sink.getvalue()
    return gzip.compress(text.encode()) if dialect.packed else text.encode()


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(dialect=dialects, told=st.lists(rows, min_size=1, max_size=12))
def test_valid_bars_come_back_bit_for_bit_from_any_dialect(
    tmp_path_factory: pytest.TempPathFactory, dialect: Dialect, told: list[tuple[Any, ...]]
) -> None:
    told = [row for row in told if is_plain(row, dialect.zone)]
    if not told:
        return
    if not dialect.symbol_column:
        told = [("AAA", *row[1:]) for row in told]
    path = tmp_path_factory.mktemp("dialect") / ("AAA.csv.gz" if dialect.packed else "AAA.csv")
    path.write_bytes(written_in(dialect, told))
    options: dict[str, Any] = {"decimal": dialect.decimal, "thousands": dialect.thousands}
    if dialect.time in ("local", "format"):
        options["time_zone"] = dialect.zone
    if dialect.time == "format":
        options["time_format"] = FORMAT
    expected = pl.DataFrame(told, schema=BAR_SCHEMA, orient="row").sort("symbol", maintain_order=True)
    with opened(path, asset_class="crypto", skip_bad=dialect.broken_line, **options) as source:
        got = source.history(source.symbols(), EARLY, LATE, "1m")
        assert got.equals(expected, null_equal=True)
        assert source.bad_count == int(dialect.broken_line)
        assert [line.line for line in source.bad_lines] == [len(told) + 2] * dialect.broken_line


# --- Any length


def write_long(path: Path, lines: int, note: str = "") -> None:
    """Minutes round the clock from 2010 on, a wrong one in the middle."""
    random = np.random.default_rng(7)
    start = int(datetime(2010, 1, 4, tzinfo=UTC).timestamp()) * 1_000_000
    with path.open("wb") as file:
        file.write(f"{HEADER},vwap,note\n".encode())
        for begin in range(0, lines, 500_000):
            count = min(500_000, lines - begin)
            minutes = start + (begin + np.arange(count)) * 60_000_000
            walks = {
                name: np.round(50 + random.random(count), 2) for name in ("open", "high", "low", "close")
            }
            frame = pl.DataFrame({"time": pl.Series(minutes).cast(pl.Datetime("us", "UTC")), **walks})
            frame = frame.with_columns(volume=pl.lit(100), vwap=pl.col("open"), note=pl.lit(note))
            middle = lines // 2 - begin
            if 0 <= middle < count:
                frame[:middle].write_csv(file, include_header=False)
                file.write(b"2015-01-01T00:00:00Z,1,1,1,1;1,1,1,\n")
                frame = frame[middle + 1 :]
            frame.write_csv(file, include_header=False)


@pytest.mark.full
@pytest.mark.parametrize("note", ["", "on\ntwo lines"], ids=["plain", "quoted"])
def test_one_broken_row_among_many_is_found_and_named(tmp_path: Path, note: str) -> None:
    path, lines = (
        tmp_path / "AAA.csv",
        60_000 if note else 300_000,
    )  # more than one block; quoted lines are slow
    write_long(path, lines, note)
    of_each = 1 + note.count("\n")
    with opened(path, asset_class="crypto", skip_bad=True) as source:
        assert [(bad.line, bad.what.partition(" ")[0]) for bad in source.bad_lines] == [
            (2 + of_each * (lines // 2), "'1;1'")
        ]
        assert source.rows == lines - 1
        whole = source.history(["AAA"], EARLY, LATE, "1m")
        assert whole["ts_utc"].is_sorted()
        year = source.history(["AAA"], whole["ts_utc"][1000], whole["ts_utc"][2000], "1m")
        assert_frame_equal(year, whole[1000:2000])


@pytest.mark.full
def test_ten_million_lines_take_bounded_memory(tmp_path: Path, state_dir: Path) -> None:
    path, lines = tmp_path / "AAA.csv", 10_000_000
    write_long(path, lines)
    script = f"""
import resource
from pathlib import Path
from data.errors import UsageError
from data.sources.files import open_files
try:
    open_files([Path({str(path)!r})], name="csv", timeframe="1m", asset_class="crypto")
except UsageError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    told, peak_kib = done.stdout.splitlines()
    assert f"line {2 + lines // 2}: '1;1' in the column 'close'" in told
    assert f"(1 of {lines:,} lines cannot be read)" in told
    assert int(peak_kib) < 1_500_000
    assert left_behind(state_dir) == []
