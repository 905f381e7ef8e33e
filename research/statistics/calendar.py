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
    return bars_per_year_at(_moments(ts_utc))


def bars_per_year_at(ts_us: NDArray[np.int64]) -> float:
    """The same of microseconds UTC that are in order, none of them twice."""
    days, counts = _days(ts_us)
    return float(np.median(counts)) * _sessions_per_year(days)


def sessions_per_year(ts_utc: pl.Series) -> float:
    """How many sessions a year of this data has."""
    return _sessions_per_year(_days(_moments(ts_utc))[0])


def _sessions_per_year(days: NDArray[np.int64]) -> float:
    weekends = ((days + _EPOCH_WEEKDAY) % 7 > _FRIDAY).any()
    return ROUND_THE_CLOCK_DAYS_PER_YEAR if weekends else WEEKDAY_SESSIONS_PER_YEAR


def _moments(ts_utc: pl.Series) -> NDArray[np.int64]:
    """Its different timestamps, in order."""
    moments: NDArray[np.int64] = ts_utc.dt.epoch("us").to_numpy()
    if not (moments[1:] > moments[:-1]).all():
        moments = np.sort(moments)
        moments = moments[np.append(True, moments[1:] != moments[:-1])]
    return moments


def _days(moments: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(days since 1970 on which there are bars, how many each has)."""
    days = np.arange(moments[0] // _DAY_US, moments[-1] // _DAY_US + 2)
    counts = np.diff(np.searchsorted(moments, days * _DAY_US))  # to divide every moment would take far longer
    return days[:-1][counts > 0], counts[counts > 0]
