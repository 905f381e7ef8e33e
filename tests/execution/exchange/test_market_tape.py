"""What was posted is kept through kills, put together into longer bars, and bounded."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from exchange_process import MINUTE_US, OPEN_US, ExchangeProcess, bar
from exchange_process import Tape as PostingTape
from hypothesis import given
from hypothesis import strategies as some

from data.errors import Corrupt, Unavailable
from execution.exchange.control import BlockingExchangeControl
from execution.exchange.marketdata import tape as kept
from execution.exchange.marketdata.tape import NEWEST, Tape
from execution.exchange.marketdata.ticks import Quote, Trade
from execution.exchange.marketdata.timeframes import put_together, timeframe
from execution.exchange.terms import Terms
from execution.exchange.ticks import Tick

NEW_YORK = ZoneInfo("America/New_York")


def test_new_known_and_corrected_bars_are_told_apart(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "market.db")
    first, second = bar(0, 100.0), bar(0, 50.0, "BBB")
    assert tape.enter_bars("me", [first]) == ([first], [])
    assert tape.enter_bars("me", [first]) == ([], [])
    corrected = bar(0, 101.0)
    assert tape.enter_bars("me", [corrected, second]) == ([second], [corrected])
    assert list(tape.bars("me", "AAA", "1m")) == [corrected]
    assert tape.enter_bars("you", [first]) == ([first], [])
    tape.close()


def test_the_oldest_are_dropped_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ROWS_MAX", 3)
    tape = Tape(tmp_path / "market.db")
    for minute in range(10):
        tape.enter_bars("me", [bar(minute, 100.0)])
        at_us = OPEN_US + minute
        tape.enter_ticks("me", [Quote("AAA", at_us, 1, 2, 3, 4)], [Trade("AAA", at_us, 1, 2)])
    assert [each.ts_us for each in tape.bars("me", "AAA", "1m")] == [
        OPEN_US + n * MINUTE_US for n in (7, 8, 9)
    ]
    assert [quote.ts_us - OPEN_US for _, quote in tape.quotes("me", "AAA", NEWEST)] == [9, 8, 7]
    assert [id_ for id_, _ in tape.trades("me", "AAA")] == [8, 9, 10]
    tape.close()


def test_a_full_disk_is_said_to_be_so_and_nothing_is_half_kept(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "market.db")
    tape.enter_bars("me", [bar(0, 100.0)])
    (pages,) = tape._db.execute("PRAGMA page_count").fetchone()
    tape._db.execute(f"PRAGMA max_page_count = {pages}")  # a full disk, as SQLite sees it
    many = [bar(1, 100.0, f"S{number}") for number in range(1_000)]
    with pytest.raises(Unavailable, match=r"market data .* cannot be written .*disk is full"):
        tape.enter_bars("me", many)
    assert list(tape.bars("me", "S0", "1m")) == []
    tape._db.execute("PRAGMA max_page_count = 1000000")
    assert tape.enter_bars("me", many) == (many, [])
    tape.close()


def test_a_file_that_is_no_tape_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "market.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(Corrupt, match="Delete the file"):
        Tape(tmp_path / "market.db")


@pytest.mark.full
def test_history_survives_kill_nine(tmp_path: Path) -> None:
    process = ExchangeProcess(tmp_path)
    with BlockingExchangeControl(process.url) as control:
        tape = PostingTape(process.url, control.open_account("me"))
    tape.move(100.0, 101.0)
    tape.control.post_ticks([Tick("AAA", OPEN_US, 1, 2)])
    process.kill()
    tape.close()
    process.start()
    with BlockingExchangeControl(process.url, tape.keys) as control:
        assert control.clock().clock_us == OPEN_US + MINUTE_US
    assert process.stop() == 0
    after = Tape(tmp_path / "market.db")
    account = Terms(name="me").account_id
    assert len(list(after.bars(account, "AAA", "1m"))) == 2
    assert len(list(after.quotes(account, "AAA"))) == 1
    after.close()


@pytest.mark.parametrize(
    ("text", "instant", "begin", "end"),
    [
        ("5Min", "2025-11-11T14:33:00", "2025-11-11T14:30:00", "2025-11-11T14:35:00"),
        ("1H", "2025-11-11T14:33:00", "2025-11-11T14:00:00", "2025-11-11T15:00:00"),
        ("4Hour", "2025-11-11T14:33:00", "2025-11-11T13:00:00", "2025-11-11T17:00:00"),
        ("23Hour", "2025-11-12T04:30:00", "2025-11-12T04:00:00", "2025-11-12T05:00:00"),
        ("1Day", "2025-11-12T04:59:59", "2025-11-11T05:00:00", "2025-11-12T05:00:00"),
        ("1D", "2025-11-02T12:00:00", "2025-11-02T04:00:00", "2025-11-03T05:00:00"),  # the clocks go back
        ("1D", "2025-03-09T12:00:00", "2025-03-09T05:00:00", "2025-03-10T04:00:00"),  # and forward
        ("1Week", "2025-11-16T12:00:00", "2025-11-10T05:00:00", "2025-11-17T05:00:00"),
        ("3Month", "2025-11-16T12:00:00", "2025-10-01T04:00:00", "2026-01-01T05:00:00"),
        ("12M", "2025-11-16T12:00:00", "2025-01-01T05:00:00", "2026-01-01T05:00:00"),
    ],
)
def test_a_bar_begins_and_ends_when_alpacas_does(text: str, instant: str, begin: str, end: str) -> None:
    def us(moment: str) -> int:
        return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000_000

    asked = timeframe(text)
    assert asked is not None
    assert asked.span_us(us(instant), NEW_YORK) == (us(begin), us(end))


@pytest.mark.parametrize(
    "text", ["", "Min", "0Min", "60Min", "24Hour", "2Day", "5Month", "1min", "1.5Min", "1Sec"]
)
def test_timeframes_that_alpaca_has_not(text: str) -> None:
    assert timeframe(text) is None


@given(
    minutes=some.lists(some.integers(0, 3_000), unique=True, min_size=1, max_size=60).map(sorted),
    text=some.sampled_from(["1Min", "7Min", "1Hour", "5Hour", "1Day", "1Week"]),
)
def test_longer_bars_are_the_same_read_from_either_end(minutes: list[int], text: str) -> None:
    asked = timeframe(text)
    assert asked is not None
    bars = [bar(minute, 100.0 + minute % 17, volume=minute) for minute in minutes]
    forward = list(put_together(bars, asked, NEW_YORK))
    assert list(put_together(reversed(bars), asked, NEW_YORK)) == forward[::-1]
    assert sum(each.volume for each in forward) == sum(each.volume for each in bars)
    assert max(each.high for each in forward) == max(each.high for each in bars)
    assert (forward[0].open, forward[-1].close) == (bars[0].open, bars[-1].close)
    begins = [each.ts_us for each in forward]
    assert begins == sorted(set(begins))
