"""Coarser bars from finer ones: a bar never reaches over the close of its session."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from data.bar import BAR_SCHEMA, DAY, step
from data.calendars import Session
from data.errors import UsageError

_OPEN: Final = "session_open_utc"
_NEVER: Final = 0.0  # traded volume of a bar in which nobody traded


def resample(bars: pl.DataFrame, sessions: Sequence[Session], finer: str, coarser: str) -> pl.DataFrame:
    """Bars of `coarser` from bars of `finer`, counted from the open of each session.

    An hour of New York runs from 9:30 to 10:30, and its last bar is as short as the session makes it.
    What lies outside the sessions is left out.  The average price is weighted by volume.
    """
    check_coarser(finer, coarser)
    if finer == coarser or bars.is_empty():
        return bars
    return resample_lazily(bars.lazy(), sessions, finer, coarser).collect()


def resample_lazily(
    bars: pl.LazyFrame, sessions: Sequence[Session], finer: str, coarser: str
) -> pl.LazyFrame:
    """What `resample` does, as a step of a lazy frame."""
    check_coarser(finer, coarser)
    inside = _in_sessions(bars, sessions)
    start = pl.col(_OPEN)
    if coarser != DAY:
        every_us = int(step(coarser).total_seconds()) * 1_000_000
        into_us = (pl.col("ts_utc") - pl.col(_OPEN)).dt.total_microseconds()
        start = start + pl.duration(microseconds=into_us // every_us * every_us)
    weighed = pl.col("volume").filter(pl.col("vwap").is_not_null())
    # Sums are made of whole lists: polars adds up a group in pieces that depend on how long the frame is and
    # how many threads there are, and the last bit of a volume would depend on what else was asked.
    return (
        inside.sort("symbol", "ts_utc")
        .group_by("symbol", start.alias("ts_utc"), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume"),
            (pl.col("vwap") * pl.col("volume")).alias("paid"),
            weighed.alias("weighed"),
            pl.col("vwap"),
            pl.when(pl.col("trade_count").is_not_null().any()).then(pl.col("trade_count").sum()),
        )
        .with_columns(pl.col("volume", "paid", "weighed").list.sum(), pl.col("vwap").list.mean())
        .with_columns(
            pl.when(pl.col("weighed") > _NEVER)
            .then(pl.col("paid") / pl.col("weighed"))
            .otherwise("vwap")
            .alias("vwap")
        )
        .select(pl.col(name).cast(kind) for name, kind in BAR_SCHEMA.items())
    )


def check_coarser(finer: str, coarser: str) -> None:
    """A coarser timeframe is a whole number of finer ones."""
    if step(coarser) % step(finer):
        raise UsageError(
            f"bars of {coarser} cannot be made from bars of {finer}",
            "Ask for a timeframe that is a multiple of the finer one.",
        )


def in_sessions(bars: pl.DataFrame, sessions: Sequence[Session]) -> pl.DataFrame:
    """The bars that open inside a session, with that session's open in one more column."""
    return _in_sessions(bars.lazy(), sessions).collect()


def _in_sessions(bars: pl.LazyFrame, sessions: Sequence[Session]) -> pl.LazyFrame:
    opens = pl.DataFrame(
        {
            _OPEN: [session.open_utc for session in sessions],
            "session_close_utc": [session.close_utc for session in sessions],
        },
        schema={_OPEN: BAR_SCHEMA["ts_utc"], "session_close_utc": BAR_SCHEMA["ts_utc"]},
    )
    return (
        bars.sort("ts_utc")
        .join_asof(opens.lazy().sort(_OPEN), left_on="ts_utc", right_on=_OPEN, strategy="backward")
        .filter(pl.col("ts_utc") < pl.col("session_close_utc"))
        .drop("session_close_utc")
    )
