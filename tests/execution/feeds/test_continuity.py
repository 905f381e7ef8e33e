"""Each bar once and in order, whatever was missed, told twice or told late."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import HALF_DAY, HOUR_US, MINUTE_US, OPEN_US, SECOND_US, grids_of

from data.bar import Bar
from execution.feeds.continuity import LONGEST_GAP_US, OUTSIDE, TOLD_BEFORE, Continuity, Gap, Line
from execution.feeds.contract import FinishedBar


def bar(number: int, symbol: str = "AAA", close: float = 10.0) -> Bar:
    return Bar(symbol, "1m", OPEN_US + number * MINUTE_US, close, close, close, close, 1.0)


def minutes(lines: list[Line]) -> list[int]:
    return [(line.told.bar.ts_us - OPEN_US) // MINUTE_US for line in lines]


def of(told: Mapping[str, int] | None = None, symbols: tuple[str, ...] = ("AAA",)) -> Continuity:
    known = {symbol: OPEN_US + number * MINUTE_US for symbol, number in (told or {}).items()}
    return Continuity(grids_of(symbols), known)


def connect(continuity: Continuity, at: float, symbols: tuple[str, ...] = ("AAA",)) -> Gap | None:
    """As a vendor that finishes bars itself: the one that is forming will be told whole."""
    now_us = OPEN_US + round(at * MINUTE_US)
    return continuity.connected(now_us, {symbol: OPEN_US + int(at) * MINUTE_US for symbol in symbols})


def test_at_the_open_nothing_is_missing() -> None:
    continuity = of()
    assert connect(continuity, 0.5) is None
    assert minutes(continuity.live(FinishedBar(bar(0)))) == [0]


def test_in_the_middle_of_a_session_its_beginning_is_missing() -> None:
    assert connect(of(), 5.5) == Gap(("AAA",), OPEN_US, OPEN_US + 5 * MINUTE_US, OPEN_US + 330 * SECOND_US)


def test_after_a_break_only_what_was_not_told_is_missing() -> None:
    gap = connect(of({"AAA": 2}), 5.5)
    assert gap is not None
    assert (gap.start_us, gap.end_us) == (OPEN_US + 3 * MINUTE_US, OPEN_US + 5 * MINUTE_US)
    assert connect(of({"AAA": 4}), 5.5) is None


def test_each_symbol_has_a_gap_of_its_own() -> None:
    gap = connect(of({"AAA": 4, "BBB": 1}, ("AAA", "BBB")), 5.5, ("AAA", "BBB"))
    assert gap is not None
    assert (gap.symbols, gap.start_us) == (("BBB",), OPEN_US + 2 * MINUTE_US)


def test_a_break_over_a_weekend_and_a_half_day_misses_what_was_traded() -> None:
    _, closed_us = HALF_DAY
    monday_us = closed_us + 3 * 24 * HOUR_US - 3 * HOUR_US - HOUR_US // 2 + MINUTE_US  # 14:31 UTC
    continuity = Continuity(grids_of(("AAA",)), {"AAA": closed_us - 2 * MINUTE_US})
    gap = continuity.connected(monday_us, {"AAA": monday_us})
    assert gap is not None
    assert gap.start_us == closed_us - MINUTE_US
    assert gap.end_us == monday_us


def test_who_was_away_for_a_month_is_told_of_a_week() -> None:
    now_us = OPEN_US + 90 * MINUTE_US
    continuity = Continuity(grids_of(("AAA",)), {"AAA": OPEN_US - 30 * 24 * HOUR_US})
    gap = continuity.connected(now_us, {"AAA": now_us})
    assert gap is not None
    assert gap.start_us >= now_us - LONGEST_GAP_US


def test_new_bars_wait_behind_the_gap_and_come_once() -> None:
    continuity = of({"AAA": 2})
    assert connect(continuity, 5.5) is not None
    assert continuity.live(FinishedBar(bar(5))) == []
    assert minutes(continuity.history([bar(4), bar(3)])) == [3, 4]
    assert minutes(continuity.history([bar(3), bar(4), bar(5)])) == [5]  # asked again, and history was quick
    assert continuity.live(FinishedBar(bar(6))) == []
    assert minutes(continuity.release()) == [6]
    assert continuity.counted == {TOLD_BEFORE: 3}
    assert minutes(continuity.live(FinishedBar(bar(7)))) == [7]


def test_a_second_break_while_a_gap_is_open_loses_nothing() -> None:
    continuity = of({"AAA": 2})
    assert connect(continuity, 5.5) is not None
    assert continuity.live(FinishedBar(bar(5))) == []
    gap = connect(continuity, 8.5)
    assert gap is not None
    assert gap.start_us == OPEN_US + 3 * MINUTE_US
    assert minutes(continuity.history(bar(number) for number in range(3, 8))) == [3, 4, 5, 6, 7]
    assert minutes(continuity.release()) == []


def test_a_gap_that_stays_open_does_not_hold_the_rest() -> None:
    continuity = of({"AAA": 2})
    assert connect(continuity, 5.5) is not None
    assert continuity.live(FinishedBar(bar(5))) == []
    assert minutes(continuity.release()) == [5]
    assert continuity.history([bar(3)]) == []  # too late: nothing goes out of order


def test_corrections_are_told_as_such_and_of_the_unknown_as_news() -> None:
    continuity = of({"AAA": 2})
    (told,) = continuity.live(FinishedBar(bar(2, close=11.0), corrected=True))
    assert told.told.corrected
    (told,) = continuity.live(FinishedBar(bar(3), corrected=True))
    assert not told.told.corrected
    assert minutes(continuity.live(FinishedBar(bar(4)))) == [4]


@pytest.mark.parametrize("ts_us", [OPEN_US - MINUTE_US, OPEN_US + 390 * MINUTE_US, OPEN_US + 1])
def test_bars_that_lie_on_no_bar_of_a_session_are_left_out(ts_us: int) -> None:
    continuity = of()
    assert continuity.live(FinishedBar(Bar("AAA", "1m", ts_us, 1.0, 1.0, 1.0, 1.0, 1.0))) == []
    assert continuity.counted == {OUTSIDE: 1}


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("live"), st.integers(0, 30), st.sampled_from(["AAA", "BBB"])),
            st.tuples(st.just("history"), st.integers(0, 30), st.sampled_from(["AAA", "BBB"])),
            st.tuples(st.just("connect"), st.integers(0, 30), st.just("AAA")),
            st.tuples(st.just("release"), st.just(0), st.just("AAA")),
        ),
        max_size=60,
    )
)
def test_no_order_of_events_tells_a_bar_twice_or_out_of_order(events: list[tuple[str, int, str]]) -> None:
    continuity = of(symbols=("AAA", "BBB"))
    told: list[Line] = []
    for kind, number, symbol in events:
        if kind == "live":
            told += continuity.live(FinishedBar(bar(number, symbol)))
        elif kind == "history":
            told += continuity.history([bar(number, symbol), bar(number + 1, symbol)])
        elif kind == "connect":
            connect(continuity, number + 0.5, ("AAA", "BBB"))
        else:
            told += continuity.release()
    for symbol in ("AAA", "BBB"):
        opens = [line.told.bar.ts_us for line in told if line.told.bar.symbol == symbol]
        assert opens == sorted(set(opens))
