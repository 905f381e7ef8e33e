"""Bars from Alpaca, as it cuts and stamps them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from data.bar import DAY
from data.errors import Corrupt
from data.instruments import AssetClass
from data.sources.alpaca.client import pages
from data.sources.alpaca.wire import Bars, bars_frame
from data.sources.asking import no_bars
from data.sources.http import HttpReader, Params

_PAGE: Final = 10_000  # the most that Alpaca gives at once
_GROUP: Final = (
    100  # symbols in one question: the documented limit for options, and a short enough URL for all
)

_PATHS: Final[dict[AssetClass, str]] = {
    "equity": "/v2/stocks/bars",
    "crypto": "/v1beta3/crypto/us/bars",
    "option": "/v1beta1/options/bars",
}
_TIMEFRAMES: Final = {
    "1m": "1Min",
    "5m": "5Min",
    "15m": "15Min",
    "30m": "30Min",
    "1h": "1Hour",
    "1d": "1Day",
}


def fetch(
    source: HttpReader,
    kind: AssetClass,
    symbols: Sequence[str],
    since: datetime,
    until: datetime,
    timeframe: str,
    tags: Mapping[str, str],
) -> pl.DataFrame:
    """The bars that Alpaca stamps in [since, until), and for days also at `until` itself."""
    last = until if timeframe == DAY else until - timedelta(microseconds=1)  # Alpaca includes both ends
    frames = [no_bars()]
    for group in groups(symbols):
        params: Params = {
            "symbols": ",".join(group),
            "timeframe": _TIMEFRAMES[timeframe],
            "start": _rfc3339(since),
            "end": _rfc3339(last),
            "limit": _PAGE,
            **tags,
        }
        for page in pages(source, _PATHS[kind], params, Bars):
            for symbol, told in (page.bars or {}).items():
                if symbol not in group:
                    raise Corrupt(
                        f"Alpaca answers with bars of {symbol}, which nobody asked for",
                        "Try again later; if it stays so, tell Alpaca.",
                    )
                frames.append(bars_frame(symbol, told or []))
    return pl.concat(frames)


def groups(symbols: Sequence[str]) -> Iterator[list[str]]:
    """The symbols in portions that fit into one question."""
    for first in range(0, len(symbols), _GROUP):
        yield list(symbols[first : first + _GROUP])


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
