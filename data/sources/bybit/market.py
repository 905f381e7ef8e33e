"""Bybit as a source of market data: spot pairs and linear contracts, round the clock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

import polars as pl

from data.bar import step
from data.calendars import ROUND_THE_CLOCK
from data.instruments import ACTION_SCHEMA, Instrument, checked_symbol
from data.sources.asking import between, finished, named_symbols, no_bars, sessions_between
from data.sources.budget import Clock
from data.sources.bybit.client import ask, no_such, reader, strange
from data.sources.bybit.settings import PREFIX, BybitSettings
from data.sources.bybit.wire import Candles, Listings, candles_frame, milliseconds, moment
from data.sources.http import HttpReader, Params, Patience

_PAGE: Final = 1_000  # the most candles that Bybit gives at once
_INTERVALS: Final = {"1m": "1", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "1d": "D"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE_ALL: Final = datetime(2009, 1, 1, tzinfo=UTC)  # the first bitcoin is of this month
_LONGEST_MONTH: Final = timedelta(days=31)


class Bybit:
    """Bars and instruments of one of Bybit's categories."""

    def __init__(self, settings: BybitSettings, source: HttpReader, clock: Clock | None = None) -> None:
        self._settings = settings
        self._source = source
        self._clock = clock or Clock()
        self._instruments: dict[str, Instrument] = {}

    @classmethod
    def from_settings(
        cls,
        settings: BybitSettings | None = None,
        *,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> Self:
        settings = settings or BybitSettings()
        return cls(settings, reader(settings, patience, clock), clock)

    @property
    def name(self) -> str:
        """The same symbol is a pair of coins or a contract: datasets of their own."""
        return "bybit" if self._settings.category == "spot" else f"bybit-{self._settings.category}"

    def symbols(self) -> list[str]:
        return named_symbols(self._settings.symbols, f"{PREFIX}SYMBOLS", "BTCUSDT,ETHUSDT")

    def instrument(self, symbol: str) -> Instrument:
        if checked_symbol(symbol) not in self._instruments:
            self._instruments[symbol] = self._look_up(symbol)
        return self._instruments[symbol]

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        every = step(timeframe)
        days = sessions_between(start, end, ROUND_THE_CLOCK)
        now = self._now()
        frames = [no_bars()]
        for symbol in dict.fromkeys(symbols) if days else ():
            listed = self.instrument(symbol).listed
            since = max(start, datetime.combine(listed, time(), UTC)) if listed else start
            portion = since - (since - _EPOCH) % every
            # Portions that fit into one answer: what Bybit leaves out of a larger one is not documented.
            while portion < min(end, now):
                following = portion + _PAGE * every
                frames.append(self._candles(symbol, _INTERVALS[timeframe], portion, following))
                portion = following
        # Bybit also tells a candle that opened before the moment asked for, and the one that is forming.
        told = between(finished(pl.concat(frames), days, timeframe, now), start, end)
        return told.sort("symbol", "ts_utc")

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """Coins have neither splits nor dividends."""
        return pl.DataFrame(schema=ACTION_SCHEMA)

    def _candles(self, symbol: str, interval: str, since: datetime, until: datetime) -> pl.DataFrame:
        params: Params = {
            "category": self._settings.category,
            "symbol": symbol,
            "interval": interval,
            "start": milliseconds(since),
            "end": milliseconds(until) - 1,  # Bybit includes both ends
            "limit": _PAGE,
        }
        told = ask(self._source, "/v5/market/kline", params, Candles)
        if told.symbol != symbol:
            raise strange(f"with candles of {told.symbol} when asked for {symbol}")
        try:
            return candles_frame(symbol, told.rows)
        except (ValueError, IndexError, OverflowError) as error:
            raise strange(f"with candles of {symbol} that cannot be read ({error})") from error

    def _look_up(self, symbol: str) -> Instrument:
        category = self._settings.category
        params = {"category": category, "symbol": symbol}
        told = ask(self._source, "/v5/market/instruments-info", params, Listings)
        listing = next((each for each in told.rows if each.symbol == symbol), None)
        if listing is None:
            raise no_such(symbol, category, "it is not among those that trade")
        lots, launch = listing.lot_size_filter, listing.launch_time
        try:
            return Instrument(
                symbol,
                asset_class="crypto",
                calendar=ROUND_THE_CLOCK,
                tick_size=float(listing.price_filter.tick_size),
                lot=float(lots.qty_step or lots.base_precision or 1.0),
                listed=moment(launch).date() if launch else self._first_day(symbol),
            )
        except (ValueError, OverflowError) as error:
            raise strange(f"with a listing of {symbol} that cannot be read ({error})") from error

    def _first_day(self, symbol: str) -> date | None:
        """The first day of a spot pair, of which Bybit tells no launch: that of its oldest candle."""
        months = self._candles(symbol, "M", _BEFORE_ALL, self._now())  # all there are: fewer than a page
        if months.is_empty():
            return None
        month: datetime = months["ts_utc"].to_list()[0]
        days = self._candles(symbol, "D", month, month + _LONGEST_MONTH)
        first: datetime = month if days.is_empty() else days["ts_utc"].to_list()[0]
        return first.date()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_s(), UTC)
