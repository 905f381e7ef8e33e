"""Symbols' bars cut and told otherwise: the data that somebody would have had who came earlier, or began later."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray

History = Mapping[str, BarArrays]
"""bars by symbol"""

_GAP_STEPS: Final = 5.0
"""a pause this many times the usual step ends a session, or is a hole in the data"""


def history_of(bars: pl.DataFrame, newest: int) -> dict[str, BarArrays]:
    """The newest bars of each symbol, in the order of their names."""
    parts = bars.partition_by("symbol", as_dict=True)
    return {
        str(symbol): BarArrays.of(part.sort("ts_utc").tail(newest))
        for (symbol,), part in sorted(parts.items())
    }


def frame_of(history: History) -> pl.DataFrame:
    """As backtests take it."""
    return pl.concat(
        pl.DataFrame(
            {
                "symbol": pl.repeat(symbol, len(bars), eager=True),
                "ts_utc": pl.Series(bars.ts_us).cast(pl.Datetime("us", "UTC")),
                **{name: getattr(bars, name) for name in COLUMNS},
            }
        )
        for symbol, bars in history.items()
    )


def copied(bars: BarArrays) -> BarArrays:
    """In memory of their own: a feature may write into what it is given."""
    columns = {name: getattr(bars, name).copy() for name in COLUMNS}
    return BarArrays(**columns, ts_us=bars.ts_us.copy(), calendar=bars.calendar)


@dataclass(frozen=True, slots=True)
class Future:
    """One way in which what comes after a bar may be different."""

    said: str
    told: Callable[[BarArrays, int], BarArrays]
    """(bars, keep) -> bars of which the first `keep` are the same"""


def _not_yet(bars: BarArrays, keep: int) -> BarArrays:
    return copied(bars.part(0, keep))


def _other_prices(bars: BarArrays, keep: int) -> BarArrays:
    # Each bar's own number, whatever is kept, so that more that is kept is only ever less that is different.
    random = np.random.default_rng(7)
    factor = np.exp(random.normal(0.0, 0.25, len(bars)))
    volume = random.integers(0, 10, len(bars)).astype(np.float64)
    made = copied(bars)
    for column in (made.open, made.high, made.low, made.close):
        column[keep:] *= factor[keep:]
    made.volume[keep:] *= volume[keep:]
    return made


def _fewer_bars(bars: BarArrays, keep: int) -> BarArrays:
    here = np.random.default_rng(8).random(len(bars)) < 0.5
    here[:keep] = True
    columns = {name: getattr(bars, name)[here] for name in COLUMNS}
    return BarArrays(**columns, ts_us=bars.ts_us[here], calendar=bars.calendar)


FUTURES: Final = (
    Future("when no bar after {} is there yet", _not_yet),
    Future("when prices after {} are different", _other_prices),
    Future("when half of the bars after {} are missing", _fewer_bars),
)


def cut_points(bars: BarArrays, random: np.random.Generator) -> list[int]:
    """Bars after which to cut: while features warm up, inside sessions, at their ends and beginnings, before and in
    holes of the data, before what trades nothing, and before the greatest moves."""
    last = len(bars) - 2
    if last < 0:
        return []
    early = [0, 1, 4, 12, 33, 88, 232]
    inside = random.integers(len(bars) // 20, last + 1, 8).tolist()
    ends = session_ends(bars.ts_us)
    around = random.choice(ends, min(3, len(ends)), replace=False).tolist() if len(ends) else []
    quiet = np.flatnonzero(bars.volume == 0.0)[:1]
    moves = np.abs(np.diff(bars.close)) / np.abs(bars.close[:-1])
    greatest = np.argsort(moves)[-2:]
    chosen = [*early, *inside, *around, *(end + 1 for end in around), *quiet, *greatest, last]
    return sorted({int(each) for each in chosen if 0 <= each <= last})


def session_ends(ts_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bars after which nothing came for a while; by the data alone, which may have no sessions."""
    steps = np.diff(ts_us)
    if not len(steps):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(steps > _GAP_STEPS * np.median(steps))


def differs(left: FloatArray, right: FloatArray) -> NDArray[np.bool_]:
    """Where the bits are not the same; NaN equals NaN."""
    other: NDArray[np.bool_] = (left != right) & ~(np.isnan(left) & np.isnan(right))
    return other


def distance(left: FloatArray, right: FloatArray, usual: float | FloatArray) -> FloatArray:
    """Relative to the greater of both, or to what is usual for the column; infinite where one of them is NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.maximum(np.maximum(np.abs(left), np.abs(right)), usual)
        apart = np.abs(left - right) / scale
    return np.where(differs(left, right), np.where(np.isnan(apart), np.inf, apart), 0.0)


def usual_size(column: FloatArray) -> float:
    """What a column's values are like, zero where there are none."""
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if len(known) else 0.0


def moment(ts_us: int) -> str:
    """An instant as a person reads it."""
    return f"{datetime.fromtimestamp(ts_us / 1e6, UTC):%Y-%m-%d %H:%M}"


def in_words(value: float) -> str:
    """A feature's value or a target as a person reads it."""
    return "NaN" if math.isnan(value) else f"{value:.10g}"
