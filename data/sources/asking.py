"""What all sources that ask a vendor do alike: which symbols, which sessions, and which bars are finished."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import polars as pl
from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from data.bar import BAR_SCHEMA, step
from data.calendars import Session, sessions
from data.errors import UsageError
from data.instruments import checked_symbol

_INSTANT: Final = timedelta(microseconds=1)  # the smallest step of BAR_SCHEMA's time


def _listed(value: Any) -> Any:
    """A JSON list, or what a person types: AAPL,MSFT."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [symbol.strip() for symbol in value.split(",") if symbol.strip()]


SymbolList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


def named_symbols(symbols: Sequence[str], setting: str, example: str) -> list[str]:
    """The symbols of a setting; vendors know too many to take all of them."""
    if not symbols:
        raise UsageError(
            "no symbols are named, and this source has too many to take them all",
            f"Name symbols, or set {setting} to a list like {example}.",
        )
    return [checked_symbol(symbol) for symbol in symbols]


def sessions_between(start: datetime, end: datetime, calendar: str) -> list[Session]:
    """The sessions in which a bar may open from `start` until before `end`."""
    if start.tzinfo is None or end.tzinfo is None:
        raise UsageError("a moment without a time zone was asked for", "Give both ends of the range in UTC.")
    if end <= start:
        return []
    # Sessions of both calendars in use begin and end on one day of UTC.
    first, last = start.astimezone(UTC).date(), (end - _INSTANT).astimezone(UTC).date()
    return [
        each for each in sessions(first, last, calendar) if each.open_utc < end and each.close_utc > start
    ]


def between(bars: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """The bars that open in [start, end)."""
    return bars.filter((pl.col("ts_utc") >= start) & (pl.col("ts_utc") < end))


def finished(bars: pl.DataFrame, sessions: Sequence[Session], timeframe: str, now: datetime) -> pl.DataFrame:
    """Without the bars that are still forming: vendors tell them like finished ones, and their numbers will change."""
    over = max((session.close_utc for session in sessions if session.close_utc <= now), default=None)
    done = pl.col("ts_utc") + step(timeframe) <= now
    return bars.filter(done if over is None else done | (pl.col("ts_utc") < over))


def no_bars() -> pl.DataFrame:
    return pl.DataFrame(schema=BAR_SCHEMA)
