"""Market data for benchmarks: frames in memory behind the protocol of a source, so that only our own path is timed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from data.bar import BAR_SCHEMA
from data.calendars import ROUND_THE_CLOCK, Session, last_sessions
from data.instruments import ACTION_SCHEMA, Instrument
from data.sources.synthetic import SyntheticMarket

LAST_SESSION: Final = date(2025, 12, 31)
BARS_A_SESSION: Final = 390


@dataclass(frozen=True)
class FramesInMemory:
    """A source whose answers are slices of frames that are there already."""

    frames: dict[str, pl.DataFrame]
    name: str = "bench"

    def symbols(self) -> list[str]:
        return list(self.frames)

    def instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol)

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        frames = [self.frames[symbol] for symbol in symbols]
        bounds = pl.Series([start, end], dtype=BAR_SCHEMA["ts_utc"])
        edges = [frame["ts_utc"].search_sorted(bounds).to_list() for frame in frames]
        return pl.concat(frame[first:last] for frame, (first, last) in zip(frames, edges, strict=True))

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """Copies split when their originals do, whose three letters their names begin with."""
        told = [
            SyntheticMarket().actions([symbol[:3]], first, last).with_columns(pl.lit(symbol).alias("symbol"))
            for symbol in symbols
        ]
        return pl.concat(told) if told else pl.DataFrame(schema=ACTION_SCHEMA)


def minutes(rows: int, symbols: int) -> tuple[FramesInMemory, list[Session]]:
    """About `rows` minute bars, spread over so many symbols, and the sessions they are of.

    The six shares of the synthetic market, and copies of them at other prices: each symbol a series of its own.
    """
    market = SyntheticMarket()
    names = market.symbols()
    sessions = last_sessions(LAST_SESSION, -(-rows // symbols // BARS_A_SESSION))
    frames: dict[str, pl.DataFrame] = {}
    for number in range(symbols):
        base = names[number % len(names)]
        if base not in frames:
            frames[base] = market.history(
                [base], sessions[0].open_utc, sessions[-1].close_utc, "1m"
            ).rechunk()
        if number < len(names):
            continue
        symbol, factor = f"{base}{number}", 1 + number / 7
        prices = ("open", "high", "low", "close", "vwap")
        frames[symbol] = frames[base].with_columns(
            pl.lit(symbol).alias("symbol"), *((pl.col(name) * factor).round(2) for name in prices)
        )
    return FramesInMemory(frames), sessions


@dataclass(frozen=True)
class EndlessMinutes:
    """A source that round the clock tells the same day of minutes again: any number of rows, none of them kept."""

    name: str = "endless"

    def symbols(self) -> list[str]:
        return ["BTX/USD"]

    def instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol, asset_class="crypto", calendar=ROUND_THE_CLOCK, lot=0.0001)

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        times = pl.datetime_range(start, end, "1m", closed="left", eager=True).dt.cast_time_unit("us")
        price = (pl.int_range(pl.len()) % 977 / 100 + 50.0).round(2)
        frame = times.alias("ts_utc").to_frame()
        return pl.concat(
            frame.select(
                pl.lit(symbol).alias("symbol"),
                "ts_utc",
                price.alias("open"),
                (price + 0.05).alias("high"),
                (price - 0.05).alias("low"),
                price.alias("close"),
                (pl.int_range(pl.len()) % 331).cast(pl.Float64).alias("volume"),
                (price + 0.001).alias("vwap"),
                (pl.int_range(pl.len()) % 17).alias("trade_count"),
            ).cast(BAR_SCHEMA)
            for symbol in symbols
        )

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        return pl.DataFrame(schema=ACTION_SCHEMA)
