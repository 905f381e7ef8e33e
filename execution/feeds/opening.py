"""Live feeds by the name of their vendor: which streams, which history, which calendars.

The composition root of live market data; what needs several sockets becomes several feeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from data.bar import step
from data.calendars import ROUND_THE_CLOCK
from data.errors import UsageError
from data.instruments import checked_symbol, usual_calendar
from data.sources import Source
from data.sources.alpaca import Alpaca, AlpacaDataSettings
from data.sources.bybit import Bybit, BybitSettings
from data.sources.http import Patience
from data.sources.synthetic import SyntheticMarket
from execution.feeds.alpaca import AlpacaStream
from execution.feeds.alpaca.wire import TIMEFRAME
from execution.feeds.backfill import history_of
from execution.feeds.bybit import BybitStream
from execution.feeds.contract import Stream
from execution.feeds.grid import Grid
from execution.feeds.live import LiveFeed
from execution.feeds.publisher import Publisher
from execution.feeds.settings import FeedSettings
from execution.feeds.synthetic import SyntheticStream

VENDORS: Final = ("synthetic", "alpaca", "bybit")

# A gap is asked for again by the feed, and a stop must not wait for a patient reader.
_PATIENCE: Final = Patience(request_s=15.0, tries=2, longest_wait_s=5.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for."""

    vendor: str
    symbols: tuple[str, ...]
    timeframe: str = "1m"
    speed: float = 1.0  # of a market that is made up; 0 is as fast as possible
    start: datetime | None = None  # of the same; now when nobody says


def open_feeds(wanted: Wanted, redis_url: str, settings: FeedSettings | None = None) -> list[LiveFeed]:
    """Ready to run, one for each stream that the vendor needs."""
    settings = settings or FeedSettings()
    if not wanted.symbols:
        raise UsageError("a feed without symbols tells nothing", "Name symbols, like AAA BBB.")
    step(wanted.timeframe)
    streams, source, calendar = _of_vendor(wanted, settings)
    history = history_of(source, wanted.timeframe)
    return [
        LiveFeed(
            stream,
            {symbol: Grid(calendar or usual_calendar(symbol), wanted.timeframe) for symbol in stream.symbols},
            history,
            Publisher(stream.name, redis_url, begins_anew=wanted.vendor == "synthetic"),
            settings,
        )
        for stream in streams
    ]


def _of_vendor(wanted: Wanted, settings: FeedSettings) -> tuple[Sequence[Stream], Source, str | None]:
    symbols = tuple(dict.fromkeys(map(checked_symbol, wanted.symbols)))
    match wanted.vendor:
        case "synthetic":
            market = SyntheticMarket.from_settings()
            for symbol in symbols:
                market.instrument(symbol)  # one that is not listed is an error here
            start = wanted.start or datetime.now(UTC)
            return [SyntheticStream(market, symbols, start, wanted.speed)], market, None
        case "alpaca":
            return (
                _alpaca(symbols, wanted.timeframe, settings),
                Alpaca.from_settings(patience=_PATIENCE),
                None,
            )
        case "bybit":
            bybit = BybitSettings()
            stream = BybitStream(symbols, wanted.timeframe, settings, bybit)
            return [stream], Bybit.from_settings(bybit, patience=_PATIENCE), ROUND_THE_CLOCK
    raise UsageError(f"there is no live feed {wanted.vendor!r}", f"Use one of: {', '.join(VENDORS)}.")


def _alpaca(symbols: Sequence[str], timeframe: str, settings: FeedSettings) -> list[Stream]:
    if settings.bars == "vendor" and timeframe != TIMEFRAME:
        raise UsageError(
            f"Alpaca streams bars of {TIMEFRAME}, not of {timeframe}",
            f"Ask for {TIMEFRAME}, or set SLIPWAY_FEED_BARS=trades to build bars from trades.",
        )
    account = AlpacaDataSettings()
    shares = [symbol for symbol in symbols if usual_calendar(symbol) != ROUND_THE_CLOCK]
    coins = [symbol for symbol in symbols if usual_calendar(symbol) == ROUND_THE_CLOCK]
    found: list[Stream] = []
    if shares:
        found.append(AlpacaStream("stocks", shares, settings, account))
    if coins:
        found.append(AlpacaStream("crypto", coins, settings, account))
    return found
