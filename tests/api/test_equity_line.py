"""The equity line is a fold over fills and closes, and nothing else."""

from datetime import UTC, datetime, timedelta

from api.equity import POINTS_MAX, Mark, Trade, curve, step_for

OPEN_BELL = datetime(2026, 11, 19, 14, 30, tzinfo=UTC)


def at(minute: int) -> datetime:
    return OPEN_BELL + timedelta(minutes=minute)


def test_cash_moves_with_fills_and_worth_with_closes() -> None:
    trades = [Trade("AAA", at(1), 10, 50.0, 1.0), Trade("AAA", at(3), -10, 53.0, 1.0)]
    marks = [Mark("AAA", at(minute), 50.0 + minute) for minute in range(5)]
    told = [(point.cash, point.equity) for point in curve(1_000, trades, marks)]
    assert told == [(1_000, 1_000), (499, 1_009), (499, 1_019), (1_028, 1_028), (1_028, 1_028)]


def test_a_symbol_without_candles_is_worth_what_was_paid() -> None:
    (point,) = curve(1_000, [Trade("AAA", at(0), 10, 50.0, 0.0)], [])
    assert (point.cash, point.equity) == (500, 1_000)


def test_a_short_position_gains_when_prices_fall() -> None:
    points = curve(1_000, [Trade("AAA", at(0), -10, 50.0, 0.0)], [Mark("AAA", at(1), 45.0)])
    assert points[-1].equity == 1_050


def test_the_sampling_keeps_the_line_short() -> None:
    assert step_for(at(0), at(389)) == 60
    for days in (2, 30, 365, 3650):
        assert (
            timedelta(days=days).total_seconds() / step_for(at(0), at(0) + timedelta(days=days)) <= POINTS_MAX
        )
