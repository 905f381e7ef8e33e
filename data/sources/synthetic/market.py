"""The synthetic market as a source: the same seed gives the same bars, whatever was asked before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Self

import polars as pl

from data.bar import BAR_SCHEMA, Tick
from data.calendars import NEW_YORK
from data.instruments import Instrument
from data.resample import check_coarser, resample
from data.sources.synthetic import listings
from data.sources.synthetic.faults import LONGEST_CLOSED, SLOT, checked_faults, damaged
from data.sources.synthetic.listings import LISTINGS, Listing, listing
from data.sources.synthetic.prices import minute_bars, touched
from data.sources.synthetic.settings import DEFAULT_SEED, SyntheticSettings
from data.sources.synthetic.ticks import Sleep, ticks_between, ticks_from

_SESSIONS_AT_ONCE: Final = 250  # bounds the minutes in memory where decades of coarser bars are asked


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """The built-in market, with the named faults in its bars; ticks and actions are always whole."""

    seed: int = DEFAULT_SEED
    faults: frozenset[str] = frozenset()
    name: str = "synthetic"

    def __post_init__(self) -> None:
        checked_faults(self.faults)

    @classmethod
    def from_settings(cls) -> Self:
        settings = SyntheticSettings()
        return cls(settings.seed, settings.faults)

    def symbols(self) -> list[str]:
        """The six shares.  Coins come only when they are named: they keep another calendar, and who asks for
        everything at once wants sessions that fit together."""
        return [symbol for symbol, of in LISTINGS.items() if of.rhythm.calendar == NEW_YORK]

    def instrument(self, symbol: str) -> Instrument:
        return listing(symbol).instrument

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        return listings.actions(symbols, first, last)

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        """The bars that open in [start, end), by symbol and time; there are none before a symbol's listing."""
        check_coarser("1m", timeframe)
        frames = [self._bars(listing(symbol), start, end, timeframe) for symbol in sorted(set(symbols))]
        return pl.concat([pl.DataFrame(schema=BAR_SCHEMA), *frames])

    def ticks(self, symbols: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """What happened inside the minutes of [start, end), in TICK_SCHEMA, by symbol and time."""
        return ticks_between(self.seed, symbols, start, end)

    def stream(
        self, symbols: Sequence[str], start: datetime, pace: float, sleep: Sleep = asyncio.sleep
    ) -> AsyncIterator[Tick]:
        """The ticks from `start` on as they come, `pace` seconds for a second of the market."""
        return ticks_from(self.seed, symbols, start, pace, sleep)

    def _bars(self, of: Listing, start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        days = touched(of, start - LONGEST_CLOSED if self.faults else start, end)
        parts = [days[at : at + _SESSIONS_AT_ONCE] for at in range(0, len(days), _SESSIONS_AT_ONCE)]
        bars = pl.concat(
            [
                pl.DataFrame(schema=BAR_SCHEMA),
                *(resample(minute_bars(self.seed, of, part), part, "1m", timeframe) for part in parts),
            ]
        ).with_columns(pl.col("ts_utc").alias(SLOT))
        if self.faults:
            bars = damaged(bars, of, days, timeframe, self.faults, self.seed)
        return bars.filter((pl.col(SLOT) >= start) & (pl.col(SLOT) < end)).drop(SLOT)
