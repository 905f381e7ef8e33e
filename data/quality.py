"""What bars must satisfy before anybody may use them: pure functions over frames.

A bad row is set aside with the reason, never mended; each session's verdict says whether what is left of it
may be published.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.bar import DAY, INSTANT, step
from data.calendars import Session

PASSED: Final = "passed"
WARNED: Final = "warned"
FAILED: Final = "failed"

NO_REASON: Final = ""
NO_FINDINGS: Final = "[]"
_PRICES: Final = ("open", "high", "low", "close")
# What shares are split into or merged from; a gap overnight that is no more than two per cent away from one of
# them, and that large, is taken for a split that nobody told.
_SPLIT_RATIOS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
_SECOND_US: Final = 1_000_000

Micros = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the checks on whole sessions; data.settings has them as settings."""

    gap_share_max: float = 0.05  # share of a session's bars that may be missing
    gap_bars_max: int = 30  # bars missing in a row
    stale_bars_max: int = 60  # bars in a row without trade and without a move
    split_tolerance: float = 0.02  # how near to a split's ratio a gap overnight looks like one; 0 is never


# What was found of each session that was asked for, also of those without a row.
REPORT_SCHEMA: Final = pl.Schema(
    {
        "session": pl.Date(),
        "rows": pl.Int64(),
        "min_ts_utc": INSTANT,
        "max_ts_utc": INSTANT,
        "first_open": pl.Float64(),
        "last_close": pl.Float64(),
        "quarantined": pl.Int64(),
        "quality": pl.String(),  # passed | warned | failed
        "findings": pl.String(),  # a JSON list of sentences
    }
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One symbol's rows, sorted into good and bad, and the verdict on each session."""

    good: pl.DataFrame  # in order of time, each row inside one of the sessions
    quarantined: pl.DataFrame  # the bad rows with a column `reason`
    sessions: pl.DataFrame  # REPORT_SCHEMA, in order


def row_faults() -> dict[str, pl.Expr]:
    """What can be wrong with a row by itself, by the reason it is set aside with; the first that holds counts."""
    prices = [pl.col(name) for name in _PRICES]
    return {
        "not a number": pl.any_horizontal(~column.is_finite() for column in (*prices, pl.col("volume")))
        | ~pl.col("vwap").is_finite().fill_null(True),
        "price is not positive": pl.any_horizontal(column <= 0 for column in prices),
        "volume is negative": pl.col("volume") < 0,
        "high is below low": pl.col("high") < pl.col("low"),
        "open or close is outside low to high": pl.any_horizontal(
            (pl.col(name) > pl.col("high")) | (pl.col(name) < pl.col("low")) for name in ("open", "close")
        ),
    }


def check(
    rows: pl.DataFrame,
    sessions: Sequence[Session],
    timeframe: str,
    limits: Limits | None = None,
    *,
    now: datetime | None = None,
    splits: Collection[date] = (),
    close_before: float | None = None,
) -> Checked:
    """Check one symbol's bars of these sessions, in the order in which the source told them.

    `splits` are the sessions on which a split is known, `close_before` is the last close before the first session;
    `now` is when this is asked: what a bar says of later cannot be true.
    """
    limits = limits or Limits()
    clock = _Clock(sessions, timeframe)
    good, bad = _sort_out(rows.rechunk(), clock, now)
    return Checked(good, bad, _report(good, bad, clock, limits, frozenset(splits), close_before))


class _Clock:
    """When bars may open."""

    def __init__(self, sessions: Sequence[Session], timeframe: str) -> None:
        self.days = [session.day for session in sessions]
        self.opens_us = np.array([_us(session.open_utc) for session in sessions], dtype=np.int64)
        self.closes_us = np.array([_us(session.close_utc) for session in sessions], dtype=np.int64)
        self.step_us = int(step(timeframe).total_seconds()) * _SECOND_US
        lengths = self.closes_us - self.opens_us
        if timeframe == DAY:
            self.step_us = int(lengths.max(initial=1))
        self.expected = -(-lengths // self.step_us)  # a last bar may be short

    def fits(self, ts_us: Micros) -> bool:
        """Whether all of these bars, which are in order, open inside a session and on a step of it."""
        if not ts_us.size or not self.opens_us.size:
            return not ts_us.size
        edges = np.concatenate((np.searchsorted(ts_us, self.opens_us), [ts_us.size]))
        filled = edges[1:] > edges[:-1]
        if edges[0] or (ts_us[edges[1:][filled] - 1] >= self.closes_us[filled]).any():
            return False
        into_us = ts_us - np.repeat(self.opens_us, np.diff(edges))
        return not (into_us % self.step_us).any()

    def faults(self, ts_us: Micros) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which bars open outside every session, and which between two steps of theirs."""
        if not self.opens_us.size:
            return np.ones(ts_us.shape, dtype=bool), np.zeros(ts_us.shape, dtype=bool)
        place = np.searchsorted(self.opens_us, ts_us, side="right") - 1
        at = np.maximum(place, 0)
        into_us = ts_us - self.opens_us[at]
        return (place < 0) | (ts_us >= self.closes_us[at]), into_us % self.step_us != 0


def _sort_out(rows: pl.DataFrame, clock: _Clock, now: datetime | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Good rows and bad rows.  Nearly always all are good, and one look is enough to know."""
    ts_us = _micros(rows)
    newest_us = _us(now) if now else np.iinfo(np.int64).max
    if (
        bool(np.all(ts_us[1:] > ts_us[:-1]))
        and (not ts_us.size or ts_us[-1] <= newest_us)
        and clock.fits(ts_us)
        and _none_is_wrong(rows)
    ):
        return rows, rows.clear().with_columns(pl.lit(NO_REASON).alias("reason"))
    outside, off_grid = clock.faults(ts_us)
    too_late = ts_us > newest_us
    reasons = {
        **row_faults(),
        "in the future": pl.lit(pl.Series(too_late)),
        "outside every session": pl.lit(pl.Series(outside)),
        "between two bars": pl.lit(pl.Series(off_grid)),
    }
    judged = rows.with_columns(
        pl.coalesce(
            pl.when(fault.fill_null(True)).then(pl.lit(name)) for name, fault in reasons.items()
        ).alias("reason")
    )
    # Order is judged among rows that are right by themselves: one wild date must not condemn all that follow.
    order = _reason_of_order(_micros(judged.filter(pl.col("reason").is_null())))
    alone = judged["reason"].is_null().to_numpy()
    told = judged["reason"].fill_null(NO_REASON).to_numpy().astype(object)
    told[alone] = order
    judged = judged.with_columns(pl.Series("reason", told, dtype=pl.String))
    is_good = pl.col("reason") == NO_REASON
    return judged.filter(is_good).drop("reason"), judged.filter(~is_good)


def _none_is_wrong(rows: pl.DataFrame) -> bool:
    """Whether none of `row_faults` holds for any row, in a tenth of the time that telling which would take."""
    if any(rows[name].null_count() for name in ("ts_utc", *_PRICES, "volume")):
        return False
    opened, high, low, close, volume = (rows[name].to_numpy() for name in (*_PRICES, "volume"))
    in_range = (low > 0) & (low <= opened) & (opened <= high) & (low <= close) & (close <= high)
    finite = (
        (high < np.inf) & (volume >= 0) & (volume < np.inf)
    )  # and no comparison holds for what is no number
    return bool((in_range & finite).all()) and bool(np.isfinite(rows["vwap"].drop_nulls().to_numpy()).all())


def _reason_of_order(ts_us: Micros) -> NDArray[np.object_]:
    reasons = np.full(ts_us.shape, NO_REASON, dtype=object)
    if ts_us.size:
        newest_before = np.concatenate(([np.iinfo(np.int64).min], np.maximum.accumulate(ts_us)[:-1]))
        _, first_at = np.unique(ts_us, return_index=True)
        repeated = np.ones(ts_us.shape, dtype=bool)
        repeated[first_at] = False
        reasons[ts_us < newest_before] = "out of order"
        reasons[repeated] = "duplicate"
    return reasons


def _report(
    good: pl.DataFrame,
    bad: pl.DataFrame,
    clock: _Clock,
    limits: Limits,
    splits: frozenset[date],
    close_before: float | None,
) -> pl.DataFrame:
    """REPORT_SCHEMA.  All at once for sessions without a fault; one by one only where something is odd."""
    ts_us = _micros(good)
    edges = np.concatenate((np.searchsorted(ts_us, clock.opens_us), [ts_us.size]))
    counts = np.diff(edges)
    filled = np.flatnonzero(counts)
    opens = np.full(counts.shape, np.nan)
    closes = opens.copy()
    opens[filled] = good["open"].to_numpy()[edges[filled]]
    closes[filled] = good["close"].to_numpy()[edges[filled + 1] - 1]
    before = np.full(counts.shape, np.nan)
    if filled.size:
        start = np.nan if close_before is None else close_before
        before[filled] = np.concatenate(([start], closes[filled][:-1]))
    idle = _idle(good, limits)
    set_aside = _reasons_by_session(bad, clock)
    odd = {*np.flatnonzero(counts != clock.expected).tolist(), *set_aside}
    odd.update(np.flatnonzero(_jumps(before, opens, limits)).tolist())
    odd.update(range(counts.size) if idle is not None else ())
    quality = [PASSED] * counts.size
    findings = [NO_FINDINGS] * counts.size
    for place in odd:
        rows = slice(int(edges[place]), int(edges[place + 1]))
        minor = [f"{count} rows: {reason}" for reason, count in sorted(set_aside.get(place, {}).items())]
        if missing := int(clock.expected[place] - counts[place]):
            minor.append(f"{missing} of {clock.expected[place]} bars are missing")
        fatal = [*_gaps(ts_us[rows], place, clock, limits)]
        if idle is not None and (still := _longest_run(idle[rows])) > limits.stale_bars_max:
            fatal.append(f"{still} bars in a row without a trade or a move")
        if clock.days[place] not in splits and (ratio := _looks_split(before[place], opens[place], limits)):
            fatal.append(
                f"the open is {opens[place]:g} after a close of {before[place]:g}: an unknown {ratio} split?"
            )
        findings[place] = json.dumps([*minor, *fatal])
        quality[place] = FAILED if fatal else WARNED if minor else PASSED
    aside = np.zeros(counts.shape, dtype=np.int64)
    for place, reasons in set_aside.items():
        aside[place] = sum(reasons.values())
    ends = pl.DataFrame(
        {
            "session": clock.days,
            "rows": counts,
            "quarantined": aside,
            "quality": quality,
            "findings": findings,
        }
    )
    times = good.select("ts_utc", "open", "close")
    first, last = times[edges[filled]], times[edges[filled + 1] - 1]
    told = pl.DataFrame(
        {
            "session": ends["session"].gather(filled),
            "min_ts_utc": first["ts_utc"],
            "max_ts_utc": last["ts_utc"],
            "first_open": first["open"],
            "last_close": last["close"],
        }
    )
    whole = (
        ends.with_columns(told.drop("session"))
        if filled.size == counts.size
        else ends.join(told, on="session", how="left", maintain_order="left")
    )
    return whole.select(pl.col(name).cast(kind) for name, kind in REPORT_SCHEMA.items())


def _idle(good: pl.DataFrame, limits: Limits) -> NDArray[np.bool_] | None:
    """The bars in which nothing happened; None when there are too few of them to be a stale feed."""
    flags = good.select((pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))).to_series()
    return flags.to_numpy() if int(flags.sum()) > limits.stale_bars_max else None


def _gaps(ts_us: Micros, place: int, clock: _Clock, limits: Limits) -> Iterator[str]:
    """Why too much of a session is missing."""
    expected = int(clock.expected[place])
    missing = expected - ts_us.size
    if missing > limits.gap_share_max * expected:
        yield f"more than {limits.gap_share_max:.0%} of the bars are missing"
    if missing <= limits.gap_bars_max or not ts_us.size:
        return
    slots = (ts_us - clock.opens_us[place]) // clock.step_us
    longest = int(np.diff(np.concatenate(([-1], slots, [expected]))).max()) - 1
    if longest > limits.gap_bars_max:
        yield f"{longest} bars in a row are missing"


def _jumps(before: Floats, opens: Floats, limits: Limits) -> NDArray[np.bool_]:
    """Where the open is so far from the last close that a split may explain it: hardly ever."""
    smallest, tolerance = _SPLIT_RATIOS[0], limits.split_tolerance
    with np.errstate(invalid="ignore"):
        jump = before / opens
        return (jump > smallest * (1 - tolerance)) | (jump < (1 + tolerance) / smallest)


def _looks_split(before: float, opened: float, limits: Limits) -> str:
    """The split that would explain a jump overnight, like 2:1; empty when none does."""
    jump = before / opened  # not a number where there is no close before, or no bar
    for ratio in _SPLIT_RATIOS:
        for candidate, name in ((ratio, f"{ratio:g}:1"), (1 / ratio, f"1:{ratio:g}")):
            if abs(jump / candidate - 1) < limits.split_tolerance:
                return name
    return NO_REASON


def _reasons_by_session(bad: pl.DataFrame, clock: _Clock) -> dict[int, dict[str, int]]:
    """How often each reason came up, by the session in which, or next behind which, the bad rows lie."""
    if bad.is_empty() or not clock.days:
        return {}
    place = np.clip(np.searchsorted(clock.opens_us, _micros(bad), side="right") - 1, 0, len(clock.days) - 1)
    counted = bad.select("reason", pl.Series("place", place)).group_by("place", "reason").len()
    found: dict[int, dict[str, int]] = {}
    for at, reason, count in counted.iter_rows():
        found.setdefault(at, {})[reason] = count
    return found


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _micros(frame: pl.DataFrame) -> Micros:
    return frame["ts_utc"].dt.epoch("us").fill_null(0).to_numpy()


def _us(moment: datetime) -> int:
    seconds = int(moment.timestamp())
    return seconds * _SECOND_US + moment.microsecond
