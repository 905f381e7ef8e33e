"""Features of the session keep the exchange's hours: half days, summer time, holidays, and bars after hours."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from data.errors import UsageError
from execution.strategy import (
    BarArrays,
    Feature,
    minutes_since_open,
    minutes_to_close,
    overnight_gap,
    previous_close,
    previous_session,
    price,
    session_bar,
    session_high,
    session_low,
    session_number,
    session_open,
    vwap,
)


def bars_at(*times: str, symbol: str = "AAA") -> BarArrays:
    """Bars whose prices count up from 1, so that each can be told from its value."""
    stamps = [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in times]
    count = len(stamps)
    level = [float(number) for number in range(1, count + 1)]
    return BarArrays.of(
        pl.DataFrame(
            {
                "symbol": [symbol] * count,
                "ts_utc": stamps,
                "open": level,
                "high": [each + 0.5 for each in level],
                "low": [each - 0.5 for each in level],
                "close": [each + 0.25 for each in level],
                "volume": [100.0] * count,
            }
        )
    )


def values(feature: Feature, bars: BarArrays) -> list[float]:
    return feature.batch(bars).tolist()


# The Wednesday before Thanksgiving 2026, the half day after it, and the Monday.
THANKSGIVING = (
    "2026-11-25 14:30",
    "2026-11-25 20:59",
    "2026-11-27 14:30",
    "2026-11-27 17:59",
    "2026-11-30 14:31",
)


def test_a_holiday_is_no_session_and_a_half_day_closes_early() -> None:
    bars = bars_at(*THANKSGIVING)
    assert values(minutes_since_open(), bars) == [0, 389, 0, 209, 1]
    assert values(minutes_to_close(), bars) == [390, 1, 210, 1, 389]
    numbers = values(session_number(), bars)
    assert np.diff(numbers).tolist() == [0, 1, 0, 1]


def test_the_open_moves_with_summer_time() -> None:
    bars = bars_at("2026-03-06 14:30", "2026-03-09 13:30", "2026-10-30 13:30", "2026-11-02 14:30")
    assert values(minutes_since_open(), bars) == [0, 0, 0, 0]


def test_bars_off_the_calendar_belong_to_the_session_before_them() -> None:
    bars = bars_at(
        "2026-11-25 20:59", "2026-11-25 22:00", "2026-11-26 15:00", "2026-11-27 14:00", "2026-11-27 14:30"
    )
    assert values(session_bar(), bars) == [1, 2, 3, 4, 1]
    assert values(minutes_to_close(), bars)[1:3] == [-60, -1080]


def test_the_sessions_prices_start_anew_with_each_session() -> None:
    bars = bars_at(*THANKSGIVING)
    assert values(session_open(), bars) == [1, 1, 3, 3, 5]
    assert values(session_high(), bars) == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert values(session_low(), bars) == [0.5, 0.5, 2.5, 2.5, 4.5]
    assert values(previous_close(), bars)[2:] == [2.25, 2.25, 4.25]
    assert np.isnan(values(previous_close(), bars)[:2]).all()
    assert values(previous_session(price("volume")), bars)[2:] == [100, 100, 100]
    assert values(overnight_gap(), bars)[2:] == pytest.approx([3 / 2.25 - 1, 3 / 2.25 - 1, 5 / 4.25 - 1])
    typical = (bars.high + bars.low + bars.close) / 3
    assert values(vwap(), bars) == pytest.approx(
        [typical[0], typical[:2].mean(), typical[2], typical[2:4].mean(), typical[4]]
    )


def test_a_pair_of_currencies_has_a_session_every_day_of_utc() -> None:
    bars = bars_at("2026-11-28 23:59", "2026-11-29 00:00", "2026-11-29 12:00", symbol="BTC/USD")
    assert bars.calendar == "24/7"
    assert values(session_bar(), bars) == [1, 1, 2]
    assert values(minutes_to_close(), bars) == [1, 1440, 720]


def test_a_sessions_number_does_not_depend_on_where_the_data_begins() -> None:
    bars = bars_at(*THANKSGIVING)
    assert values(session_number(), bars)[3:] == values(session_number(), bars.part(3, 5))


def test_the_calendar_is_asked_only_when_a_bar_leaves_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    from execution.strategy.features import sessions

    asked: list[Any] = []
    real = sessions.sessions_around
    monkeypatch.setattr(sessions, "sessions_around", lambda *words: asked.append(words) or real(*words))
    stream = minutes_since_open().incremental(bars_at(*THANKSGIVING[:1]))
    asked.clear()
    bars = bars_at(*THANKSGIVING)
    assert [stream.update(bars.bar(at)) for at in range(1, 5)] == [389, 0, 209, 1]
    assert len(asked) == 2


def test_bars_without_times_and_before_the_calendar_are_told() -> None:
    line = np.ones(3)
    with pytest.raises(UsageError, match="asks for the session of bars that have no times"):
        session_bar().batch(BarArrays(line, line, line, line, line))
    with pytest.raises(UsageError, match="the calendar XNYS covers 1990-01-02 to"):
        session_bar().batch(bars_at("1980-01-02 15:00"))
    with pytest.raises(UsageError, match="is before the first session of XNYS"):
        session_bar().batch(bars_at("1990-01-02 06:00"))
