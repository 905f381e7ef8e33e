"""Broken feeds on purpose: one switch for every kind of damage that checks must catch.

Every symbol is damaged in every session, on rows drawn from a seed of their own: a fault hits the same
rows whatever range is asked and whatever else is switched on, and no two faults share a row in sessions
of a hundred bars or more.  What a fault does not touch stays as it was, bit for bit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from data.bar import BAR_SCHEMA
from data.calendars import ROUND_THE_CLOCK, Session
from data.errors import UsageError
from data.sources.synthetic.listings import Listing
from data.sources.synthetic.prices import generator

# The place of a row in the feed: its time before anybody damaged it.  A range is cut by it, so that a bar
# dated a year ahead comes with the minute that it was.
SLOT: Final = "slot_utc"

_POINTS: Final = (  # faults of single rows, in the order in which rows are dealt to them
    "not-a-number",
    "infinite",
    "not-positive",
    "negative-volume",
    "high-below-low",
    "close-outside",
    "duplicate",
    "out-of-order",
    "off-grid",
    "future",
)
FAULTS: Final = (*_POINTS, "off-calendar", "gap", "stale", "split-jump")

SPLIT_JUMP_FROM: Final = date(2026, 9, 16)
SPLIT_JUMP_RATIO: Final = 2.0
OFF_GRID: Final = timedelta(seconds=17)
AHEAD: Final = timedelta(days=365)
AFTER_CLOSE: Final = timedelta(minutes=30)  # on the grid of every timeframe of New York
GAP_SHARE: Final = 0.1
STALE_BARS: Final = 75  # where the session is long enough; a half day's minutes have room for 62
# A bar on a closed day is made from the session before it, which lies no further back than this.
LONGEST_CLOSED: Final = timedelta(days=7)

_PRICES: Final = ("open", "high", "low", "close")
_ORDER: Final = "order_utc"
_LONG: Final = 100  # bars; a shorter session is hit once by each fault, a longer one twice
# Where in a session what may happen, as shares of its bars: single rows, then the gap, then the stale run.
_POINTS_END: Final = 0.45
_GAP_START: Final = 0.5
_STALE_START: Final = 0.7

_Rows = dict[str, list[int]]


def checked_faults(names: Collection[str]) -> frozenset[str]:
    """The names themselves, or a sentence about those that do not exist."""
    if unknown := sorted(set(names) - set(FAULTS)):
        raise UsageError(
            f"the synthetic market has no fault {', '.join(map(repr, unknown))}",
            f"Use any of: {', '.join(FAULTS)}.",
        )
    return frozenset(names)


def damaged(
    bars: pl.DataFrame,
    of: Listing,
    days: Sequence[Session],
    timeframe: str,
    faults: frozenset[str],
    seed: int,
) -> pl.DataFrame:
    """The bars of whole sessions, with the faults in them; they come and go with a column SLOT."""
    rows = _rows(bars, of, days, timeframe, seed)
    for fault, change in _changes(of.instrument.tick_size, _mask(bars, rows["stale"])).items():
        if fault in faults:
            hit = pl.when(_mask(bars, rows[fault]))
            bars = bars.with_columns(
                hit.then(new).otherwise(name).alias(name) for name, new in change.items()
            )
    order = pl.col("ts_utc")
    if "out-of-order" in faults:
        earlier, later = rows["out-of-order"], [row + 1 for row in rows["out-of-order"]]
        order = (
            pl.when(_mask(bars, earlier)).then(order.shift(-1)).when(_mask(bars, later)).then(order.shift(1))
        ).otherwise(order)
    bars = bars.with_columns(order.alias(_ORDER))
    added = [bars[rows["duplicate"]]] if "duplicate" in faults else []
    if "off-calendar" in faults and of.rhythm.calendar != ROUND_THE_CLOCK:  # which has no hour outside it
        added += _outside(bars, days)
    if "gap" in faults:
        bars = bars.filter(~_mask(bars, rows["gap"]))
    return pl.concat([bars, *added]).sort(_ORDER, maintain_order=True).drop(_ORDER)


def _changes(tick: float, stale: pl.Expr) -> Mapping[str, Mapping[str, pl.Expr]]:
    """What becomes of the columns of a row that a fault hits; those before are already in it."""
    above = (pl.col("high") + tick).round(2)
    last_seen = pl.when(~stale).then("close").forward_fill()
    return {
        "split-jump": {name: (pl.col(name) / SPLIT_JUMP_RATIO).round(2) for name in _PRICES}
        | {"vwap": pl.col("vwap") / SPLIT_JUMP_RATIO},
        "stale": dict.fromkeys((*_PRICES, "vwap"), last_seen)
        | {"volume": pl.lit(0.0), "trade_count": pl.lit(0, pl.Int64)},
        "not-a-number": {"close": pl.lit(float("nan"))},
        "infinite": {"high": pl.lit(float("inf"))},
        "not-positive": {"low": pl.lit(0.0)},
        "negative-volume": {"volume": -pl.col("volume")},
        "high-below-low": {"low": above},
        "close-outside": {"close": above},
        "off-grid": {"ts_utc": pl.col("ts_utc") + OFF_GRID},
        "future": {"ts_utc": pl.col("ts_utc") + AHEAD},
    }


def _outside(bars: pl.DataFrame, days: Sequence[Session]) -> list[pl.DataFrame]:
    """A bar after each close, and one on the first of the closed days between two sessions."""
    bounds = _bounds(bars, days)
    closes = pl.Series([day.close_utc + AFTER_CLOSE for day in days], dtype=BAR_SCHEMA["ts_utc"])
    late = bars[[end - 1 for end in bounds[1:]]].with_columns(closes.alias("ts_utc"), closes.alias(_ORDER))
    opened = {day.day for day in days}
    before_closed = [at for at, day in enumerate(days) if day.day + timedelta(days=1) not in opened]
    day_after = pl.col(SLOT) + timedelta(days=1)
    closed = bars[[bounds[at] for at in before_closed]].with_columns(
        day_after.alias(name) for name in ("ts_utc", SLOT, _ORDER)
    )
    return [late, closed]


def _bounds(bars: pl.DataFrame, days: Sequence[Session]) -> list[int]:
    """The row at which each session begins, and the end."""
    opens = pl.Series([day.open_utc for day in days], dtype=BAR_SCHEMA["ts_utc"])
    return [*bars[SLOT].search_sorted(opens).to_list(), bars.height]


def _rows(bars: pl.DataFrame, of: Listing, days: Sequence[Session], timeframe: str, seed: int) -> _Rows:
    """Which rows of the frame each fault hits.  All are drawn, whichever are switched on."""
    bounds = _bounds(bars, days)
    rows: _Rows = {fault: [] for fault in FAULTS}
    for day, first, end in zip(days, bounds[:-1], bounds[1:], strict=True):
        random = generator(seed, of.instrument.symbol, day.day.isoformat(), timeframe, "faults")
        count = end - first
        times = 2 if count >= _LONG else 1
        # Every other row: two that are swapped are neighbours.
        places = random.permutation(np.arange(1, int(_POINTS_END * count) - 1, 2)).tolist() or [0]
        for number, fault in enumerate(_POINTS):
            if fault == "out-of-order" and count == 1:
                continue  # a day's only bar has nothing to change places with
            dealt = (places[(times * number + time) % len(places)] for time in range(times))
            rows[fault] += sorted(first + place for place in dealt)
        for fault, start, stop, length in (
            ("gap", _GAP_START, _STALE_START, int(GAP_SHARE * count)),
            ("stale", _STALE_START, 1.0, STALE_BARS),
        ):
            room = range(int(start * count), int(stop * count) - 1)
            at = room.start + int(random.integers(0, max(1, len(room) - length + 1)))
            rows[fault] += range(first + at, first + min(at + length, room.stop))
        rows["split-jump"] += range(first, end) if day.day >= SPLIT_JUMP_FROM else ()
    return rows


def _mask(bars: pl.DataFrame, rows: Sequence[int]) -> pl.Expr:
    hit = np.zeros(bars.height, dtype=bool)
    hit[rows] = True
    return pl.lit(pl.Series(hit))
