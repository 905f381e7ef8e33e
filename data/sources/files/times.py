"""How a file writes the time of a bar, and the instant that is meant.

The form is found in the first lines and then asked of all.  What would have to be guessed is refused: a local
time without its zone, a number that could be seconds or a date.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import pyarrow as pa

from data.bar import DAY, INSTANT
from data.errors import UsageError
from data.sources.files.instants import (
    DATE,
    NAIVE,
    NUMBER,
    OFFSET,
    PER_SECOND,
    POSSIBLE,
    TIME_OF_DAY,
    between,
    epochs,
    is_midnight,
    iso,
    possible,
    session_opens,
    strptime,
)

Epoch = Literal["s", "ms", "us", "ns"]
Form = Literal["instant", "local", "date", "epoch", "format"]

_PATTERNS: Final[dict[Form, str]] = {
    "instant": DATE + TIME_OF_DAY + OFFSET,
    "local": DATE + TIME_OF_DAY,
    "date": DATE,
    "epoch": NUMBER,
}
_WANTED: Final[dict[Form, str]] = {
    "instant": "a time with an offset like 2026-01-02T14:30:00Z",
    "local": "a local time like 2026-01-02 09:30:00",
    "date": "a date like 2026-01-02",
}
_UNITS: Final[dict[Epoch, str]] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
# Between these, as seconds to nanoseconds, no number can be two things.
_GUESSED: Final = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class TimesSaid:
    """What the person says about the times of a file."""

    time_zone: str | None = None
    epoch: Epoch | None = None
    time_format: str | None = None

    def __post_init__(self) -> None:
        if self.epoch is not None and self.epoch not in get_args(Epoch):
            raise UsageError(
                f"there is no epoch unit {self.epoch!r}", f"Use one of {', '.join(get_args(Epoch))}."
            )
        if self.epoch and self.time_format:
            raise UsageError(
                "times are either an epoch or in a format", "Leave out --epoch or --time-format."
            )
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise UsageError(
                    f"there is no time zone {self.time_zone!r}", "Use a name like America/New_York or UTC."
                ) from None


@dataclass(frozen=True, slots=True)
class Times:
    """Reads the times of one file."""

    form: Form
    said: TimesSaid
    daily: bool
    calendar: str
    unit: Epoch | None = None

    def read(self, texts: pl.Series) -> pl.Series:
        """The instants; null where a text is not in the file's form, or names no instant."""
        if self.form == "format":
            return self._formatted(texts)
        if self.form == "epoch":
            return self._epochs(texts)
        if self.form == "date":
            return self._opens(iso(texts, pa.date32(), _PATTERNS["date"]))
        if self.form == "local":
            return self._locals(iso(texts, pa.timestamp("us"), _PATTERNS["local"]))
        instants = iso(texts, pa.timestamp("us", "UTC"), _PATTERNS["instant"])
        if not self.daily or self.said.time_zone:
            return self._instants(instants)
        # Midnight as the file writes it, in whatever zone, names a day.
        texts = texts.str.strip_chars()
        days = iso(texts.str.slice(0, 10), pa.date32(), _PATTERNS["date"])
        return self._days_or_instants(is_midnight(texts), days, instants)

    def read_typed(self, times: pl.Series) -> pl.Series:
        """The instants of a parquet column: text, dates, timestamps, or numbers of an epoch."""
        if self.form == "format":
            return self._formatted(times.cast(pl.String))  # 20260102 may be stored as a number
        if isinstance(times.dtype, pl.Datetime):
            if times.dtype.time_zone is None:
                return self._locals(times.cast(NAIVE))
            shown = self.said.time_zone or times.dtype.time_zone
            return self._instants(times.dt.convert_time_zone("UTC").cast(INSTANT), shown)
        if times.dtype == pl.Date:
            return self._opens(times)
        if times.dtype.is_numeric():
            return self._epochs(times)
        return self.read(times)

    def fault(self, text: str) -> str:
        """Why a text was not read."""
        text = text.strip()
        if not text:
            return "is empty"
        if self.form == "local" and re.fullmatch(_PATTERNS["local"], text):
            return self._local_fault(text)
        if self.form == "epoch":
            assert self.unit
            return f"is not a time in {_UNITS[self.unit]} since 1970"
        if self.form == "format":
            naive = strptime(pl.Series([text]), self.said.time_format or "")[0]
            if isinstance(naive, datetime) and naive.tzinfo is None and self.said.time_zone:
                return self._local_fault(naive.isoformat())
            return f"is not in the format {self.said.time_format!r}"
        if self.form == "instant" and re.fullmatch(_PATTERNS["local"], text):
            return "has no offset, unlike the first lines"
        return f"is not {_WANTED[self.form]}, as the first lines have"

    def _local_fault(self, text: str) -> str:
        try:
            naive = datetime.fromisoformat(text)
        except ValueError:
            return f"is not {_WANTED['local']}"
        zone = self.said.time_zone
        if zone is None:
            return "is not midnight, so it needs a time zone (--time-zone)"
        earliest = pl.Series([naive], dtype=NAIVE).dt.replace_time_zone(
            zone, ambiguous="earliest", non_existent="null"
        )[0]
        if earliest is None:
            return f"does not exist in {zone}, where the clocks were put forward"
        if not POSSIBLE[0] <= earliest < POSSIBLE[1]:
            return "is not a time between 1900 and 2200"
        return f"happened twice in {zone}, where the clocks were put back"

    def _formatted(self, texts: pl.Series) -> pl.Series:
        read = strptime(texts, self.said.time_format or "")
        if read.dtype == pl.Date:
            return self._opens(read)
        if isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone is None:
            return self._locals(read)
        return self._instants(read.cast(INSTANT))

    def _epochs(self, numbers: pl.Series) -> pl.Series:
        assert self.unit
        # A guess holds only inside the range that made it: seconds among milliseconds would be times of 1970.
        bounds = POSSIBLE if self.said.epoch else _GUESSED
        return self._instants(between(epochs(numbers, self.unit), bounds))

    def _locals(self, naive: pl.Series) -> pl.Series:
        zone = self.said.time_zone
        if zone is None:
            instants = pl.Series([None], dtype=INSTANT).new_from_index(0, len(naive))
        else:
            local = naive.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
            instants = local.dt.convert_time_zone("UTC")
        if not self.daily:
            return possible(instants)
        return self._days_or_instants(is_midnight(naive), naive.dt.date(), instants)

    def _instants(self, instants: pl.Series, zone: str | None = None) -> pl.Series:
        if not self.daily:
            return possible(instants)
        shown = instants.dt.convert_time_zone(zone or self.said.time_zone or "UTC").dt.replace_time_zone(None)
        return self._days_or_instants(is_midnight(shown), shown.dt.date(), instants)

    def _days_or_instants(self, midnight: pl.Series, days: pl.Series, instants: pl.Series) -> pl.Series:
        """A daily bar at midnight is dated, not timed: its session's open is meant."""
        both = pl.DataFrame({"midnight": midnight, "open": self._opens(days), "instant": possible(instants)})
        chosen = pl.when("midnight").then("open").otherwise("instant")
        return both.select(chosen.alias("instant"))["instant"]

    def _opens(self, days: pl.Series) -> pl.Series:
        """The open of each day's session.  Midnight of UTC where there was none, for the checks to set aside."""
        opens = session_opens(self.calendar)
        joined = days.to_frame("day").join(opens, on="day", how="left", maintain_order="left")
        midnight = pl.col("day").cast(NAIVE).dt.replace_time_zone("UTC")
        return possible(joined.select(pl.coalesce("open_utc", midnight))["open_utc"])


def find_times(sample: pl.Series, said: TimesSaid, timeframe: str, calendar: str, where: str) -> Times:
    """How a file writes times, by its first ones; `where` names them in an error."""
    daily = timeframe == DAY
    if said.time_format and sample.dtype.is_integer():
        sample = sample.cast(pl.String)
    known = sample.drop_nulls()
    if sample.dtype == pl.String:
        form = _form_of_texts(known, said, where)
        if form in _PATTERNS:
            known = known.filter(known.str.strip_chars().str.contains(f"^{_PATTERNS[form]}$"))
    else:
        form = _form_of_type(sample, where)
        known = known.drop_nans() if sample.dtype.is_float() else known
    shown = str(known[0]) if len(known) else ""
    unit = None
    if form == "format":
        read = strptime(known, said.time_format or "")
        dated = read.dtype == pl.Date
        zoned = isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone is not None
        only_days = dated or (not zoned and is_midnight(read).all())
    else:
        dated, zoned = form == "date", form in ("instant", "epoch")
        only_days = sample.dtype == pl.Date or is_midnight(known).all()
    if form == "epoch":
        unit = said.epoch or (_unit(float(shown), shown, where) if shown else "us")
    elif said.epoch:
        raise UsageError(f"{where} holds {shown!r}, which is no number", "Leave out --epoch.")
    if dated and not daily:
        raise UsageError(
            f"{where} holds dates like {shown!r}, and bars of {timeframe} need a time of day",
            "Use --timeframe 1d, or join the column of the time: --column time=Date+Time.",
        )
    if not dated and not zoned and not said.time_zone and not (daily and only_days):
        raise UsageError(
            f"{where} holds {shown!r}, a local time that does not say of which zone",
            "Say it: --time-zone America/New_York, or --time-zone UTC.",
        )
    return Times(form, said, daily, calendar, unit)


def joined_times(parts: Sequence[pl.Series]) -> pl.Series:
    """One column of times, or two that are joined as text."""
    if len(parts) == 1:
        return parts[0]
    texts = pl.DataFrame({str(at): part.cast(pl.String) for at, part in enumerate(parts)})
    return texts.select(pl.concat_str(pl.all(), separator=" ").alias("time"))["time"]


def _form_of_type(sample: pl.Series, where: str) -> Form:
    """Of a parquet column."""
    if sample.dtype == pl.Date:
        return "date"
    if isinstance(sample.dtype, pl.Datetime):
        return "instant" if sample.dtype.time_zone else "local"
    if sample.dtype.is_numeric():
        return "epoch"
    raise UsageError(f"{where} holds {sample.dtype}, which is no time", "Name another: --column time=….")


def _form_of_texts(texts: pl.Series, said: TimesSaid, where: str) -> Form:
    """The form that most of the texts have."""
    first = texts[0][:60] if len(texts) else ""
    if said.time_format:
        try:
            read = strptime(texts, said.time_format)
        except pl.exceptions.PolarsError as error:
            raise UsageError(
                f"{said.time_format!r} is no time format ({str(error).splitlines()[0]})",
                "Write it with strptime's letters, for example '%d.%m.%Y %H:%M'.",
            ) from None
        if read.is_null().all():
            raise UsageError(
                f"{where} holds {first!r}, which is not in the format {said.time_format!r}",
                "Correct --time-format; its letters are strptime's.",
            )
        return "format"
    forms = Counter(form for text in texts if (form := _form(text.strip())) is not None)
    if not forms:
        raise UsageError(
            f"{where} has no time that can be recognised, it begins with {first!r}",
            "Say how it is written, for example --time-format '%d.%m.%Y %H:%M'.",
        )
    return forms.most_common(1)[0][0]


def _form(text: str) -> Form | None:
    return next((form for form, pattern in _PATTERNS.items() if re.fullmatch(pattern, text)), None)


def _unit(number: float, shown: str, where: str) -> Epoch:
    """The unit in which a number is an instant of our time."""
    for unit in get_args(Epoch):
        if _GUESSED[0].timestamp() <= number / PER_SECOND[unit] < _GUESSED[1].timestamp():
            found: Epoch = unit
            return found
    raise UsageError(
        f"{where} holds {shown!r}, which is no time of 1990 to 2100 in any unit since 1970",
        "Say what it is: --epoch s, ms, us or ns; or --time-format %Y%m%d for a date without signs.",
    )
