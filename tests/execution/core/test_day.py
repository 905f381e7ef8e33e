"""Days of trading: what they lost, when they end; half days and nights of DST are the calendar's."""

from datetime import UTC, date, datetime

import pytest

from execution.core.risk.day import Held, closed, closing, day_of, is_on, profit


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-11-27T14:29:59", "XNYS closed at 2026-11-25 21:00 UTC and opens at 2026-11-27 14:30 UTC"),
        ("2026-11-27T14:30:00", ""),
        ("2026-11-27T17:59:59", ""),  # a half day
        ("2026-11-27T18:00:59", ""),  # what its last bar decided
        ("2026-11-27T18:01:01", "XNYS closed at 2026-11-27 18:00 UTC and opens at 2026-11-30 14:30 UTC"),
        ("2026-03-06T14:29:59", "XNYS closed at 2026-03-05 21:00 UTC and opens at 2026-03-06 14:30 UTC"),
        ("2026-03-09T13:30:00", ""),  # after the night of DST an hour earlier
        ("2026-11-02T13:59:00", "XNYS closed at 2026-10-30 20:00 UTC and opens at 2026-11-02 14:30 UTC"),
        ("2026-07-03T15:00:00", "XNYS closed at 2026-07-02 20:00 UTC and opens at 2026-07-06 13:30 UTC"),
    ],
)
def test_a_market_is_open_when_its_calendar_says_so(moment: str, told: str) -> None:
    assert closed(us(moment), "XNYS", 60.0) == told


def test_what_never_closes_is_never_closed() -> None:
    assert closed(us("2026-11-28T23:59:59"), "24/7", 0.0) == ""
    assert closing(us("2026-11-28T23:59:59"), ["24/7"], 30.0) is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-27T17:44:59", None),
        ("2026-11-27T17:45:00", date(2026, 11, 27)),  # fifteen minutes before 13:00 in New York
        ("2026-11-27T18:00:00", None),
        ("2026-11-25T20:45:00", date(2026, 11, 25)),
        ("2026-10-30T19:45:00", date(2026, 10, 30)),  # the last session before the clocks change
        ("2026-11-02T19:45:00", None),
        ("2026-11-02T20:45:00", date(2026, 11, 2)),
    ],
)
def test_a_session_is_about_to_close_so_many_minutes_before_it_does(
    moment: str, expected: date | None
) -> None:
    soon = closing(us(moment), ["24/7", "XNYS"], 15.0)
    assert (soon[1].day if soon else None) == expected
    assert is_on(us(moment), "XNYS") or soon is None


def test_a_day_ends_at_midnight_in_new_york() -> None:
    assert day_of(us("2026-11-28T04:59:59")) == date(2026, 11, 27)
    assert day_of(us("2026-11-28T05:00:00")) == date(2026, 11, 28)
    assert day_of(us("2026-07-01T03:59:59")) == date(2026, 6, 30)


def test_profit_is_what_was_realised_and_what_the_rest_is_worth_now() -> None:
    held = [Held("AAA", 10, 100.0, -5.0), Held("BBB", -4, 50.0, 0.0), Held("CCC", 0, 0.0, 7.0)]
    assert profit(held, {"AAA": 101.0, "BBB": 52.0}) == -5.0 + 10.0 - 8.0 + 7.0
    assert profit([Held("ZZZ", 3, 9.0, 1.0)], {}) == 1.0
