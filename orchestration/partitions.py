"""A partition is a trading session: every weekday on which the exchange opens, holidays left out."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dagster import DailyPartitionsDefinition

from data.calendars import sessions
from orchestration.study import STUDY

EXCHANGE_TIME: Final = ZoneInfo("America/New_York")
HORIZON: Final = timedelta(days=300)  # the calendar knows a year ahead


def session_partitions(first: date, until: date) -> DailyPartitionsDefinition:
    """One partition per session of the exchange from `first`; holidays are known up to `until`."""
    return DailyPartitionsDefinition(
        start_date=first.isoformat(),
        timezone=EXCHANGE_TIME.key,
        end_offset=1,  # a session can be asked for once it has closed, not only after midnight
        exclusions=["0 0 * * 6", "0 0 * * 0", *holidays(first, until)],
    )


def holidays(first: date, until: date) -> list[datetime]:
    """The weekdays on which the exchange stays closed, as midnights of its own clock."""
    opened = {session.day for session in sessions(first, until)}
    days = (first + timedelta(days=number) for number in range((until - first).days + 1))
    return [
        datetime.combine(day, datetime.min.time(), EXCHANGE_TIME)
        for day in days
        if day.weekday() < 5 and day not in opened
    ]


def session_at(moment: datetime) -> date:
    """The exchange's date at this instant: at 00:05 UTC, the session that closed some hours ago."""
    return moment.astimezone(EXCHANGE_TIME).date()


trading_sessions: Final = session_partitions(STUDY.first, datetime.now(UTC).date() + HORIZON)
