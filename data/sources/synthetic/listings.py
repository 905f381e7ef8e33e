"""What the synthetic market lists, how lively each is, and what happened to its shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.calendars import NEW_YORK, ROUND_THE_CLOCK, sessions
from data.errors import UsageError
from data.instruments import ACTION_SCHEMA, Instrument

LISTED: Final = date(2015, 1, 2)
CRYPTO_LISTED: Final = date(2017, 1, 1)
DIVIDEND_MONTHS: Final = (3, 6, 9, 12)
DIVIDEND_DAY: Final = 15  # or the first session after it


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a market trades: its calendar, and how its days and minutes differ."""

    calendar: str
    sessions_per_year: int
    walk_sessions: int  # of the daily walk; a longer one would be another walk, so this never changes
    overnight_share: float  # of a day's variance falls between close and open
    weekdays: tuple[float, ...]  # how lively each is, from Monday

    def smile(self, count: int) -> NDArray[np.float64]:
        """How lively each bar of a session is; the squares average 1."""
        return _night_and_day(count) if self.calendar == ROUND_THE_CLOCK else _smile(count)


@dataclass(frozen=True, slots=True)
class Listing:
    """A symbol, the walk of its price and what happened to its shares."""

    instrument: Instrument
    rhythm: Rhythm
    first_price: float  # in shares of today
    yearly_drift: float
    yearly_volatility: float
    minute_volume: float
    volume_decimals: int = 0
    splits: tuple[tuple[date, float], ...] = ()  # session, new shares for one old
    dividend: float = 0.0  # a quarter, for one share of today

    @property
    def listed(self) -> date:
        return self.instrument.listed or LISTED

    def old_share(self, day: date) -> float:
        """How many shares of today one share of that session has become."""
        factor = 1.0
        for session, ratio in self.splits:
            factor *= ratio if day < session else 1.0
        return factor


XNYS_RHYTHM: Final = Rhythm(NEW_YORK, 252, 60 * 252, 0.25, (1.0,) * 7)
# Nothing happens between two days of UTC; weekends are quiet; the walk reaches the calendar's end in 2100.
CRYPTO_RHYTHM: Final = Rhythm(ROUND_THE_CLOCK, 365, 84 * 365, 0.0, (1.05, 1.1, 1.1, 1.1, 1.05, 0.75, 0.7))


def _share(
    symbol: str,
    first_price: float,
    drift: float,
    volatility: float,
    volume: float,
    splits: tuple[tuple[date, float], ...] = (),
    dividend: float = 0.0,
) -> Listing:
    instrument = Instrument(symbol, listed=LISTED)
    return Listing(
        instrument, XNYS_RHYTHM, first_price, drift, volatility, volume, splits=splits, dividend=dividend
    )


def _coin(symbol: str, first_price: float, drift: float, volatility: float, volume: float) -> Listing:
    instrument = Instrument(
        symbol, "crypto", ROUND_THE_CLOCK, tick_size=0.01, lot=0.0001, listed=CRYPTO_LISTED
    )
    return Listing(instrument, CRYPTO_RHYTHM, first_price, drift, volatility, volume, volume_decimals=4)


# first price, yearly drift, yearly volatility, shares a minute
LISTINGS: Final = {
    listing.instrument.symbol: listing
    for listing in (
        _share("AAA", 48.0, 0.07, 0.22, 9_000),
        _share("BBB", 112.0, 0.05, 0.28, 4_000),
        _share("CCC", 23.0, 0.09, 0.35, 15_000),
        _share("DDD", 240.0, 0.06, 0.18, 2_500, splits=((date(2021, 6, 14), 2.0),)),
        _share("EEE", 67.0, 0.00, 0.30, 6_000, splits=((date(2019, 3, 18), 0.2),)),
        _share("FFF", 150.0, 0.11, 0.26, 3_500, splits=((date(2024, 8, 5), 10.0),), dividend=0.4),
        _coin("BTX/USD", 4_000.0, 0.75, 0.65, 12.0),
        _coin("ETX/USD", 80.0, 0.60, 0.80, 150.0),
    )
}


def listing(symbol: str) -> Listing:
    """The listing of a symbol, or the symbols that there are."""
    try:
        return LISTINGS[symbol]
    except KeyError:
        raise UsageError(
            f"the synthetic market has no symbol {symbol!r}", f"Use one of: {', '.join(LISTINGS)}."
        ) from None


def actions(symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
    """Splits and dividends of the symbols from `first` to `last`, in ACTION_SCHEMA.

    A dividend is told in shares of its session and leaves no gap in the prices: the walk is what the
    holder of one share sees beside it.
    """
    rows: list[tuple[str, date, str, float | None, float | None]] = []
    for symbol in sorted(set(symbols)):
        of = listing(symbol)
        rows += [(symbol, session, "split", ratio, None) for session, ratio in of.splits]
        rows += [
            (symbol, session, "dividend", None, of.dividend * of.old_share(session))
            for session in (_dividend_sessions(of, first, last) if of.dividend else ())
        ]
    told = pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")
    return told.filter(pl.col("session").is_between(first, last)).sort("symbol", "session", "kind")


def _dividend_sessions(of: Listing, first: date, last: date) -> list[date]:
    """The first session on or after the day, quarter by quarter."""
    first = max(first, of.listed)
    days = [
        date(year, month, DIVIDEND_DAY)
        for year in range(first.year, last.year + 1)
        for month in DIVIDEND_MONTHS
    ]
    weeks = [(day, min(last, day + timedelta(days=7))) for day in days if day <= last]
    return [found[0].day for week in weeks if (found := sessions(*week, of.rhythm.calendar))]


@lru_cache(maxsize=8)
def _smile(count: int) -> NDArray[np.float64]:
    """An exchange's day: most at the open, least at noon."""
    place = np.linspace(-1.0, 1.0, count)
    return _level(0.7 + 0.9 * place**2 + 0.5 * np.exp(-(place + 1.0) * 12))


@lru_cache(maxsize=8)
def _night_and_day(count: int) -> NDArray[np.float64]:
    """A day of UTC: quiet while America sleeps, liveliest when both sides of the Atlantic are awake."""
    hour = np.arange(count) / count * 24
    return _level(0.8 + 0.3 * np.sin((hour - 9) / 24 * 2 * np.pi) + 0.4 * np.exp(-(((hour - 14.5) / 2) ** 2)))


def _level(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    levelled = np.asarray(shape / np.sqrt(np.mean(shape**2)))
    levelled.setflags(write=False)  # shared by everybody who asks
    return levelled
