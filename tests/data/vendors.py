"""Synthetic markets whose vendor made a mistake or corrected one, for tests of what ingest does about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from data.sources.synthetic import SyntheticMarket

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Changed(SyntheticMarket):
    """The same market, with some of its answer replaced."""

    change: Change = lambda bars: bars

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        return self.change(super().history(symbols, start, end, timeframe))


def on(session: date, symbol: str = "AAA") -> pl.Expr:
    return (pl.col("symbol") == symbol) & (pl.col("ts_utc").dt.date() == session)


def number_in_session() -> pl.Expr:
    return pl.int_range(pl.len()).over("symbol", pl.col("ts_utc").dt.date())


def correcting(session: date, symbol: str = "AAA", place: int = 5) -> Changed:
    """The vendor corrected one close of one session."""
    wrong = on(session, symbol) & (number_in_session() == place)
    return Changed(
        change=lambda bars: bars.with_columns(pl.when(wrong).then("high").otherwise("close").alias("close"))
    )


def half_empty(session: date, symbol: str = "AAA") -> Changed:
    """The vendor lost half of one session."""
    lost = on(session, symbol) & (number_in_session() % 2 == 0)
    return Changed(change=lambda bars: bars.filter(~lost))


def without_a_bar(session: date, symbol: str = "AAA", place: int = 5) -> Changed:
    """The vendor took one bar back."""
    gone = on(session, symbol) & (number_in_session() == place)
    return Changed(change=lambda bars: bars.filter(~gone))
