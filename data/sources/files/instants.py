"""From texts and numbers to instants, a column at a time; null where something names none."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data.bar import INSTANT
from data.calendars import Session, last_closed, last_sessions

# As narrow as a pattern can be: what fits one and is no time costs a search.
DATE: Final = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
TIME_OF_DAY: Final = r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
OFFSET: Final = r"(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
NUMBER: Final = r"\d+(?:\.\d+)?"
_MIDNIGHT: Final = rf"^{DATE}[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]|$)"

PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# Outside of these a time is a mistake, and far outside Python has no date for it.
POSSIBLE: Final = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
NAIVE: Final = pl.Datetime("us")


def iso(texts: pl.Series, wanted: pa.DataType, pattern: str) -> pl.Series:
    """ISO 8601 by Arrow, which is strict and fast but all or nothing: what is not in the form is taken out first."""
    finer = [pa.timestamp("ns", wanted.tz)] if isinstance(wanted, pa.TimestampType) else []
    for kind in (wanted, *finer):
        read = _cast(texts, kind, wanted)
        if read is not None:
            return read
    text = pl.col("text").str.strip_chars()
    kept = pl.when(text.str.contains(f"^{pattern}$")).then(text)
    formed = texts.to_frame("text").select(kept)["text"]
    return _halved(formed, finer[0] if finer else wanted, wanted)


def _cast(texts: pl.Series, kind: pa.DataType, wanted: pa.DataType) -> pl.Series | None:
    try:
        told = pc.cast(texts.to_arrow(compat_level=pl.CompatLevel.oldest()), kind)
    except pa.ArrowInvalid:
        return None
    return pl.Series(pl.from_arrow(pc.cast(told, wanted, safe=False)))


def _halved(texts: pl.Series, kind: pa.DataType, wanted: pa.DataType) -> pl.Series:
    """Null for the few that look like dates and are none, like the 30th of February."""
    read = _cast(texts, kind, wanted)
    if read is not None:
        return read
    if len(texts) == 1:
        return pl.Series([None], dtype=pl.Date() if wanted == pa.date32() else pl.Datetime("us", wanted.tz))
    middle = len(texts) // 2
    return pl.concat([_halved(texts[:middle], kind, wanted), _halved(texts[middle:], kind, wanted)])


def epochs(numbers: pl.Series, unit: str) -> pl.Series:
    """Numbers of a unit since 1970, also as text; not 1.76E+09, which has lost its digits."""
    if numbers.dtype == pl.String:
        text = pl.col("number").str.strip_chars()
        kept = pl.when(text.str.contains(f"^{NUMBER}$")).then(text)
        numbers = numbers.to_frame("number").select(kept)["number"]
    broken = numbers.cast(pl.Float64, strict=False) * (1_000_000 / PER_SECOND[unit])
    rounded = broken.round().cast(pl.Int64, strict=False)
    if numbers.dtype.is_float():
        return rounded.cast(INSTANT)
    whole = _whole_us(numbers.cast(pl.Int64, strict=False), unit)
    both = pl.DataFrame({"whole": whole, "rounded": rounded})
    return both.select(pl.coalesce("whole", "rounded").alias("instant"))["instant"].cast(INSTANT)


def _whole_us(numbers: pl.Series, unit: str) -> pl.Series:
    if unit == "ns":
        return numbers // 1_000
    factor = 1_000_000 // PER_SECOND[unit]
    limit = int(POSSIBLE[1].timestamp() * 1_000_000) // factor  # so that the product holds in 64 bits
    sane = pl.when(pl.col("number").is_between(-limit, limit)).then(pl.col("number") * factor)
    return numbers.to_frame("number").select(sane)["number"]


def possible(instants: pl.Series) -> pl.Series:
    return between(instants, POSSIBLE)


def between(instants: pl.Series, bounds: tuple[datetime, datetime]) -> pl.Series:
    kept = pl.when(pl.col("instant").is_between(*bounds, closed="left")).then(pl.col("instant"))
    return instants.to_frame("instant").select(kept)["instant"]


def strptime(texts: pl.Series, time_format: str) -> pl.Series:
    if re.search(r"%-?[HIMSTRXcrsf]|%\.", time_format) is None:
        return texts.str.strip_chars().str.to_date(time_format, strict=False)
    # Python's %f is a fraction, polars' a number of nanoseconds.
    ours = time_format.replace(".%f", "%.f")
    return texts.str.strip_chars().str.to_datetime(ours, time_unit="us", strict=False)


def is_midnight(times: pl.Series) -> pl.Series:
    if times.dtype == pl.String:
        return times.str.strip_chars().str.contains(_MIDNIGHT)
    if isinstance(times.dtype, pl.Datetime):
        return times.dt.truncate("1d") == times
    return pl.Series([False])


@lru_cache(maxsize=8)
def all_sessions(calendar: str) -> tuple[Session, ...]:
    """Every session the calendar knows, from its first to its last."""
    end_of_time = datetime(9999, 12, 31, tzinfo=UTC)
    return tuple(last_sessions(last_closed(end_of_time, calendar).day, date.max.toordinal(), calendar))


@lru_cache(maxsize=8)
def session_opens(calendar: str) -> pl.DataFrame:
    known = all_sessions(calendar)
    return pl.DataFrame(
        {"day": [session.day for session in known], "open_utc": [session.open_utc for session in known]},
        schema={"day": pl.Date, "open_utc": INSTANT},
    )
