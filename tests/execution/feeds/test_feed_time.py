"""Time in feeds: where bars lie, when silence is wrong, how long to wait, and clocks that jump."""

from datetime import UTC, date, datetime

import pytest
from streams import HALF_DAY, HOUR_US, MINUTE_US, OPEN_US, SECOND_US, us

from data.backoff import Backoff
from data.calendars import NEW_YORK, ROUND_THE_CLOCK
from execution.feeds.clock import SteadyClock
from execution.feeds.freshness import Freshness
from execution.feeds.grid import Grid, Slot, micros, moment

STALE_US = 30 * SECOND_US


# -- where bars lie


def test_a_bar_counts_from_its_sessions_open() -> None:
    grid = Grid(NEW_YORK, "1h")
    assert grid.slot(OPEN_US + 90 * MINUTE_US) == Slot(OPEN_US + HOUR_US, OPEN_US + 2 * HOUR_US)
    assert grid.slot(OPEN_US - 1) is None
    assert grid.first_from(OPEN_US - 1) == Slot(OPEN_US, OPEN_US + HOUR_US)
    assert grid.first_from(OPEN_US) == Slot(OPEN_US, OPEN_US + HOUR_US)
    assert grid.first_from(OPEN_US + 1).opens_us == OPEN_US + HOUR_US


def test_a_day_is_one_bar_and_a_half_day_a_short_one() -> None:
    opened_us, closed_us = HALF_DAY
    assert Grid(NEW_YORK, "1d").slot(opened_us + HOUR_US) == Slot(opened_us, closed_us)
    assert Grid(NEW_YORK, "1h").slot(closed_us - 1) == Slot(closed_us - HOUR_US // 2, closed_us)


@pytest.mark.parametrize(
    ("friday_close", "monday_open"),
    [
        (datetime(2026, 3, 6, 21, tzinfo=UTC), datetime(2026, 3, 9, 13, 30, tzinfo=UTC)),  # DST begins
        (datetime(2026, 10, 30, 20, tzinfo=UTC), datetime(2026, 11, 2, 14, 30, tzinfo=UTC)),  # and ends
    ],
)
def test_the_next_bar_after_a_dst_weekend(friday_close: datetime, monday_open: datetime) -> None:
    grid = Grid(NEW_YORK, "1m")
    assert grid.slot(us(friday_close) - 1) is not None
    assert grid.first_from(us(friday_close)).opens_us == us(monday_open)


def test_round_the_clock_a_bar_follows_every_bar() -> None:
    grid = Grid(ROUND_THE_CLOCK, "1m")
    midnight_us = us(datetime(2026, 3, 8, tzinfo=UTC))
    last = grid.slot(midnight_us - 1)
    assert last == Slot(midnight_us - MINUTE_US, midnight_us)
    assert grid.first_from(midnight_us) == Slot(midnight_us, midnight_us + MINUTE_US)


def test_instants_go_there_and_back() -> None:
    assert micros(moment(OPEN_US + 1)) == OPEN_US + 1


# -- silence


def freshness(since_us: int, *calendars: str) -> Freshness:
    grids = {f"S{number}": Grid(calendar, "1m") for number, calendar in enumerate(calendars)}
    return Freshness(grids, STALE_US, since_us)


def test_silence_counts_from_the_open_and_not_from_the_evening_before() -> None:
    of = freshness(OPEN_US - 16 * HOUR_US, NEW_YORK)
    assert not of.stale(OPEN_US - 1)
    assert not of.stale(OPEN_US + STALE_US)
    assert of.stale(OPEN_US + STALE_US + 1)
    of.heard("S0", OPEN_US + STALE_US + 1)
    assert not of.stale(OPEN_US + 2 * STALE_US)


def test_nothing_is_stale_after_an_early_close() -> None:
    opened_us, closed_us = HALF_DAY
    of = freshness(opened_us, NEW_YORK)
    of.heard("S0", closed_us - STALE_US - SECOND_US)
    assert of.stale(closed_us - 1)
    assert not of.stale(closed_us)
    assert not of.in_session(closed_us)


@pytest.mark.parametrize("day", [date(2026, 3, 9), date(2026, 11, 2)])
def test_on_the_monday_after_a_dst_night_the_open_is_where_the_calendar_has_it(day: date) -> None:
    opened_us = us(datetime(day.year, day.month, day.day, 13 if day.month == 3 else 14, 30, tzinfo=UTC))
    of = freshness(opened_us - 60 * HOUR_US, NEW_YORK)
    assert not of.stale(opened_us - 1)
    assert not of.in_session(opened_us - 1)
    assert of.in_session(opened_us)
    assert of.stale(opened_us + STALE_US + 1)


def test_one_silent_market_is_enough_and_a_lively_one_does_not_hide_it() -> None:
    of = freshness(OPEN_US, NEW_YORK, ROUND_THE_CLOCK)
    now_us = OPEN_US + STALE_US + SECOND_US
    of.heard("S1", now_us)
    assert of.stale(now_us)
    of.heard("S0", now_us)
    assert not of.stale(now_us)
    assert not of.stale(now_us + STALE_US)
    assert of.stale(now_us + STALE_US + 1, since_us=now_us)
    assert not of.stale(
        now_us + STALE_US + 1, since_us=now_us + SECOND_US
    )  # a connection has its own patience


# -- waits


def test_waits_double_to_a_limit_and_start_again_after_success() -> None:
    chances = iter([0.0] * 5 + [0.5] + [1.0 - 1e-12])
    backoff = Backoff(0.5, 4.0, lambda: next(chances))
    assert [backoff.wait_s() for _ in range(5)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    backoff.reset()
    assert backoff.wait_s() == 0.375
    assert 0.999 < backoff.wait_s() < 1.0


def test_a_night_of_failures_does_not_overflow() -> None:
    backoff = Backoff(0.5, 30.0, lambda: 1.0)
    assert {backoff.wait_s() for _ in range(3_000)} == {0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0}


# -- clocks


class Hands:
    """A wall clock and a steady one, both moved by hand."""

    def __init__(self) -> None:
        self.wall_us = self.steady_us = OPEN_US

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall_us, lambda: self.steady_us)

    def pass_us(self, steady_us: int, wall_us: int) -> None:
        self.steady_us += steady_us
        self.wall_us += wall_us


def test_a_clock_that_jumps_by_an_hour_is_not_believed_until_it_is_set() -> None:
    for jump_us in (HOUR_US, -HOUR_US):
        hands = Hands()
        clock = hands.clock()
        hands.pass_us(SECOND_US, SECOND_US + jump_us)
        assert clock.now_us() == OPEN_US + SECOND_US
        hands.pass_us(SECOND_US, SECOND_US)
        assert clock.now_us() == OPEN_US + 2 * SECOND_US
        clock.set()
        assert clock.now_us() == hands.wall_us


def test_a_clock_that_is_corrected_slowly_is_followed() -> None:
    hands = Hands()
    clock = hands.clock()
    for _ in range(100):
        hands.pass_us(SECOND_US, SECOND_US + 50_000)
        assert clock.now_us() == hands.wall_us
