"""What a trading day has lost, and when it is over: for the breaker and for the flatten before the close."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from data.calendars import ROUND_THE_CLOCK, Session, last_closed, next_session, session_at

DAY_ZONE = ZoneInfo("America/New_York")  # a day of trading ends while this city sleeps


class Held(NamedTuple):
    """What the account's fills came to on one symbol."""

    symbol: str
    qty: float
    average_entry: float
    realised: float


def profit(positions: Iterable[Held], prices: Mapping[str, float]) -> float:
    """Since the account was opened; what has no price is worth what was paid for it."""
    return sum(
        each.realised + each.qty * (prices.get(each.symbol, each.average_entry) - each.average_entry)
        for each in positions
    )


def day_of(now_us: int) -> date:
    """The day to which profits and losses of this instant belong."""
    return _instant(now_us).astimezone(DAY_ZONE).date()


def closed(now_us: int, calendar: str, grace_s: float) -> str:
    """Why an order may not be sent now; "" while a session is on, and shortly after it.

    What the last bar decided is sent after the close, for the next open.
    """
    if is_on(now_us, calendar):
        return ""
    now = _instant(now_us)
    over = last_closed(now, calendar)
    if now - over.close_utc <= timedelta(seconds=grace_s):
        return ""
    opens = next_session(now, calendar).open_utc
    return f"{calendar} closed at {over.close_utc:%Y-%m-%d %H:%M} UTC and opens at {opens:%Y-%m-%d %H:%M} UTC"


def is_on(now_us: int, calendar: str) -> bool:
    """Whether a session is on."""
    return session_at(_instant(now_us), calendar) is not None


def closing(now_us: int, calendars: Iterable[str], minutes: float) -> tuple[str, Session] | None:
    """The calendar and the session that are about to close, if one is; half days are short."""
    now = _instant(now_us)
    for calendar in sorted(set(calendars) - {ROUND_THE_CLOCK}):
        on = session_at(now, calendar)
        if on is not None and now >= on.close_utc - timedelta(minutes=minutes):
            return calendar, on
    return None


def _instant(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)
