"""Alpaca as a source of market data."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Final, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl

from data.bar import BAR_SCHEMA, DAY, step
from data.calendars import NEW_YORK, ROUND_THE_CLOCK, Session
from data.errors import UsageError
from data.instruments import ACTION_SCHEMA, AssetClass, Instrument, Right, checked_symbol, option
from data.resample import in_sessions, resample
from data.sources.alpaca import actions, bars, options
from data.sources.alpaca.client import reader
from data.sources.alpaca.settings import PREFIX, AlpacaDataSettings
from data.sources.alpaca.wire import Asset, Contract
from data.sources.answers import NotThere
from data.sources.asking import between, finished, named_symbols, no_bars, sessions_between
from data.sources.budget import Clock
from data.sources.http import HttpReader, Patience

_ZONE: Final = ZoneInfo("America/New_York")

# Where Alpaca cuts its bars elsewhere than Slipway, finer ones are fetched and put together here: it counts the hours
# of an exchange by the clock and not from 9:30, and the days of crypto were Chicago's until the summer of 2025.
_MADE_FROM: Final[dict[tuple[AssetClass, str], str]] = {
    ("equity", "1h"): "30m",
    ("option", "1h"): "30m",
    ("crypto", "1d"): "1h",
}


class Alpaca:
    """Bars, instruments, splits, dividends and option chains of one Alpaca account."""

    def __init__(
        self, settings: AlpacaDataSettings, data: HttpReader, trading: HttpReader, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._data = data
        self._trading = trading
        self._clock = clock or Clock()

    @classmethod
    def from_settings(
        cls,
        settings: AlpacaDataSettings | None = None,
        *,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> Self:
        settings = settings or AlpacaDataSettings()
        data = reader(settings, "data_url", patience, clock)
        trading = reader(settings, "trading_url", patience, clock)
        return cls(settings, data, trading, clock)

    @property
    def name(self) -> str:
        """Another feed and another adjustment are other numbers for the same bar: datasets of their own."""
        feed, adjustment = self._settings.feed, self._settings.adjustment
        parts = ["alpaca", feed if feed != "iex" else "", adjustment if adjustment != "raw" else ""]
        return "-".join(part for part in parts if part)

    def symbols(self) -> list[str]:
        return named_symbols(self._settings.symbols, f"{PREFIX}SYMBOLS", "AAPL,MSFT,BTC/USD")

    def instrument(self, symbol: str) -> Instrument:
        contract = option(checked_symbol(symbol))
        try:
            if contract is not None:
                path = f"/v2/options/contracts/{symbol}"
                told = self._trading.get(path, {}, Contract)
                return replace(contract, underlying=told.underlying_symbol, multiplier=float(told.multiplier))
            # The slash of BTC/USD belongs to the symbol, not to the path.
            return _instrument(symbol, self._trading.get(f"/v2/assets/{quote(symbol, safe='')}", {}, Asset))
        except NotThere as error:
            raise UsageError(
                f"Alpaca has no instrument {symbol!r}",
                "Write shares like AAPL or BRK.B, crypto like BTC/USD, options like SPY261218C00600000.",
            ) from error

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        step(timeframe)  # an unknown one is an error here, not at Alpaca's
        groups: dict[AssetClass, list[str]] = {}
        for symbol in dict.fromkeys(symbols):
            groups.setdefault(class_of(symbol), []).append(symbol)
        frames = [self._history_of(kind, group, start, end, timeframe) for kind, group in groups.items()]
        return pl.concat([no_bars(), *frames]).sort("symbol", "ts_utc")

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        shares = [symbol for symbol in dict.fromkeys(symbols) if class_of(symbol) == "equity"]
        frames = [actions.actions(self._data, group, first, last) for group in bars.groups(shares)]
        return pl.concat([pl.DataFrame(schema=ACTION_SCHEMA), *frames]).sort("symbol", "session", "kind")

    def chain(
        self,
        underlying: str,
        *,
        expiry_from: date | None = None,
        expiry_until: date | None = None,
        right: Right | None = None,
    ) -> pl.DataFrame:
        """Every option on the underlying as it is quoted now, in CHAIN_SCHEMA."""
        return options.chain(
            self._data, underlying, expiry_from=expiry_from, expiry_until=expiry_until, right=right
        )

    def _history_of(
        self, kind: AssetClass, symbols: list[str], start: datetime, end: datetime, timeframe: str
    ) -> pl.DataFrame:
        days = sessions_between(start, end, ROUND_THE_CLOCK if kind == "crypto" else NEW_YORK)
        if not days:
            return no_bars()
        finer = _MADE_FROM.get((kind, timeframe), timeframe)
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        if finer == DAY:
            told = self._bars(kind, symbols, _midnight(days[0]), _midnight(days[-1]), finer)
            made = _at_the_open(told, days)
        else:
            # What is made of finer bars needs the first and the last bar whole.
            whole = finer != timeframe
            since = days[0].open_utc if whole else max(start, days[0].open_utc)
            until = days[-1].close_utc if whole else min(end, days[-1].close_utc)
            told = self._bars(kind, symbols, since, until, finer)
            made = resample(in_sessions(told, days).select(BAR_SCHEMA.names()), days, finer, timeframe)
        return between(finished(made, days, timeframe, now), start, end)

    def _bars(
        self, kind: AssetClass, symbols: list[str], since: datetime, until: datetime, timeframe: str
    ) -> pl.DataFrame:
        tags: dict[str, str] = (
            {"feed": self._settings.feed, "adjustment": self._settings.adjustment} if kind == "equity" else {}
        )
        return bars.fetch(self._data, kind, symbols, since, until, timeframe, tags)


def class_of(symbol: str) -> AssetClass:
    """What a symbol is by the way it is written."""
    if option(checked_symbol(symbol)) is not None:
        return "option"
    return "crypto" if "/" in symbol else "equity"


def _instrument(symbol: str, told: Asset) -> Instrument:
    match told.asset_class:
        case "us_equity":
            return Instrument(symbol)
        case "crypto":
            return Instrument(
                symbol,
                asset_class="crypto",
                calendar=ROUND_THE_CLOCK,
                tick_size=float(told.price_increment or 0.01),
                lot=float(told.min_trade_increment or 1.0),
            )
    raise UsageError(
        f"{symbol} is {told.asset_class} at Alpaca, which Slipway does not trade",
        "Use US equities, crypto pairs or options on US equities.",
    )


def _midnight(session: Session) -> datetime:
    """When Alpaca's bar of a session begins."""
    return datetime.combine(session.day, time(), _ZONE)


def _at_the_open(told: pl.DataFrame, days: list[Session]) -> pl.DataFrame:
    """Daily bars, which Alpaca stamps with midnight in New York, at the open of their session."""
    opens = pl.DataFrame(
        {"day": [each.day for each in days], "open_utc": [each.open_utc for each in days]},
        schema={"day": pl.Date(), "open_utc": BAR_SCHEMA["ts_utc"]},
    )
    day = pl.col("ts_utc").dt.convert_time_zone(_ZONE.key).dt.date()
    return (
        told.with_columns(day.alias("day"))
        .join(opens, on="day")
        .with_columns(pl.col("open_utc").alias("ts_utc"))
        .select(BAR_SCHEMA.names())
    )
