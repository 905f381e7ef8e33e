"""How many bars make a year: read from the data, never taken for 252."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError

# Sessions of a market that closes on weekends: 365.25 × 5/7 less about nine holidays (NYSE 2000-2025: 251.6).
WEEKDAY_SESSIONS_PER_YEAR: Final = 252.0
ROUND_THE_CLOCK_DAYS_PER_YEAR: Final = 365.25

_DAY_US: Final = 86_400_000_000
_EPOCH_WEEKDAY: Final = 3  # the first of January 1970 was a Thursday
_FRIDAY: Final = 4


def bars_per_year(ts_utc: pl.Series) -> float:
    """How many bars a year of this data has: bars of a usual session × sessions per year.

    A market with bars on weekends trades all year; any other one has the sessions of an exchange.  A session here is
    a UTC date, which no American or European session crosses.
    """
    if ts_utc.is_empty():
        raise UsageError("there are no bars to measure", "Give a range in which the market was open.")
    _, counts = _days(ts_utc)
    return float(np.median(counts)) * sessions_per_year(ts_utc)


def sessions_per_year(ts_utc: pl.Series) -> float:
    """How many sessions a year of this data has."""
    days, _ = _days(ts_utc)
    weekends = ((days + _EPOCH_WEEKDAY) % 7 > _FRIDAY).any()
    return ROUND_THE_CLOCK_DAYS_PER_YEAR if weekends else WEEKDAY_SESSIONS_PER_YEAR


def _days(ts_utc: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(days since 1970 on which there are bars, how many different timestamps each has)."""
    moments = ts_utc.dt.epoch("us").to_numpy()
    if not (moments[1:] > moments[:-1]).all():
        moments = np.sort(moments)
        moments = moments[np.append(True, moments[1:] != moments[:-1])]
    days = moments // _DAY_US
    first = np.append(0, 1 + np.flatnonzero(days[1:] != days[:-1]))
    return days[first], np.diff(np.append(first, len(days)))
