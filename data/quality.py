"""What bars must satisfy before anybody may use them: pure functions over frames.

A bad row is set aside with the reason, never mended; each session's verdict says whether what is left of it
may be published.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.bar import DAY, step
from data.calendars import Session

Verdict = Literal["passed", "warned", "failed"]

NO_REASON: Final = ""
_PRICES: Final = ("open", "high", "low", "close")
# What shares are split into or merged from; a gap overnight that is no more than two per cent away from one of
# them, and that large, is taken for a split that nobody told.
_SPLIT_RATIOS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
_SECOND_US: Final = 1_000_000

Micros = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the checks on whole sessions; data.settings has them as settings."""

    gap_share_max: float = 0.05  # share of a session's bars that may be missing
    gap_bars_max: int = 30  # bars missing in a row
    stale_bars_max: int = 60  # bars in a row without trade and without a move
    split_tolerance: float = 0.02  # how near to a split's ratio a gap overnight looks like one; 0 is never


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What was found of one session."""

    day: date
    rows: int
    first_ts_utc: datetime | None
    last_ts_utc: datetime | None
    first_open: float | None
    last_close: float | None
    quarantined: int
    verdict: Verdict
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One symbol's rows, sorted into good and bad, and the verdict on each session."""

    good: pl.DataFrame  # in order of time, each row inside one of the sessions
    quarantined: pl.DataFrame  # the bad rows with a column `reason`
    sessions: tuple[SessionReport, ...]  # every session asked for, also those without a row

    @property
    def failed(self) -> list[SessionReport]:
        return [report for report in self.sessions if report.verdict == "failed"]


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
    bounds = np.searchsorted(_micros(good), clock.opens_us)
    edges = [*bounds.tolist(), good.height]
    return Checked(
        good, bad, tuple(_reports(good, bad, edges, clock, limits, frozenset(splits), close_before))
    )


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
        self.expected: list[int] = (-(-lengths // self.step_us)).tolist()  # a last bar may be short

    def faults(self, ts_us: Micros, in_order: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which bars open outside every session, and which between two steps of theirs."""
        if not self.opens_us.size:
            return np.ones(ts_us.shape, dtype=bool), np.zeros(ts_us.shape, dtype=bool)
        if in_order:  # look for the few sessions among the many bars, not the other way round
            edges = np.concatenate(([0], np.searchsorted(ts_us, self.opens_us), [ts_us.size]))
            place = np.repeat(np.arange(-1, self.opens_us.size), np.diff(edges))
        else:
            place = np.searchsorted(self.opens_us, ts_us, side="right") - 1
        at = np.maximum(place, 0)
        into = ts_us - self.opens_us[at]
        return (place < 0) | (ts_us >= self.closes_us[at]), into % self.step_us != 0


def _sort_out(rows: pl.DataFrame, clock: _Clock, now: datetime | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Good rows and bad rows.  Nearly always all are good, and one look is enough to know."""
    ts_us = _micros(rows)
    in_order = bool(np.all(ts_us[1:] > ts_us[:-1]))
    outside, off_grid = clock.faults(ts_us, in_order)
    too_late = ts_us > (_us(now) if now else np.iinfo(np.int64).max)
    faults = row_faults()
    wrong_by_itself = rows.select(pl.any_horizontal(fault.fill_null(True) for fault in faults.values()).any())
    if in_order and not (outside.any() or off_grid.any() or too_late.any() or wrong_by_itself.item()):
        return rows, rows.clear().with_columns(pl.lit(NO_REASON).alias("reason"))
    reasons = {
        **faults,
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


def _reports(
    good: pl.DataFrame,
    bad: pl.DataFrame,
    edges: list[int],
    clock: _Clock,
    limits: Limits,
    splits: frozenset[date],
    close_before: float | None,
) -> Iterator[SessionReport]:
    ts_us = _micros(good)
    filled = [place for place, (start, end) in enumerate(pairwise(edges)) if start < end]
    first_at, last_at = [edges[place] for place in filled], [edges[place + 1] - 1 for place in filled]
    ends = zip(
        good["ts_utc"].gather(first_at), good["ts_utc"].gather(last_at),
        good["open"].gather(first_at), good["close"].gather(last_at), strict=True,
    )  # fmt: skip
    ends_of = dict(zip(filled, ends, strict=True))
    idle = _idle(good, limits)
    set_aside = _reasons_by_session(bad, clock)
    previous = close_before
    for place, (day, (start, end)) in enumerate(zip(clock.days, pairwise(edges), strict=True)):
        first_ts, last_ts, opened, closed = ends_of.get(place, (None, None, None, None))
        findings = [f"{count} rows: {reason}" for reason, count in sorted(set_aside.get(place, {}).items())]
        fatal = [said for said in _gaps(ts_us[start:end], place, clock, limits)]
        if missing := clock.expected[place] - (end - start):
            findings.append(f"{missing} of {clock.expected[place]} bars are missing")
        if idle is not None and (still := _longest_run(idle[start:end])) > limits.stale_bars_max:
            fatal.append(f"{still} bars in a row without a trade or a move")
        if day not in splits and (ratio := _looks_split(previous, opened, limits)):
            fatal.append(f"the open is {opened:g} after a close of {previous:g}: an unknown {ratio} split?")
        yield SessionReport(
            day,
            end - start,
            first_ts,
            last_ts,
            opened,
            closed,
            sum(set_aside.get(place, {}).values()),
            "failed" if fatal else "warned" if findings else "passed",
            (*findings, *fatal),
        )
        previous = closed if closed is not None else previous


def _idle(good: pl.DataFrame, limits: Limits) -> NDArray[np.bool_] | None:
    """The bars in which nothing happened; None when there are too few of them to be a stale feed."""
    flags = good.select((pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))).to_series()
    return flags.to_numpy() if int(flags.sum()) > limits.stale_bars_max else None


def _gaps(ts_us: Micros, place: int, clock: _Clock, limits: Limits) -> Iterator[str]:
    """Why too much of a session is missing."""
    expected = clock.expected[place]
    missing = expected - ts_us.size
    if missing > limits.gap_share_max * expected:
        yield f"more than {limits.gap_share_max:.0%} of the bars are missing"
    if missing <= limits.gap_bars_max or not ts_us.size:
        return
    slots = (ts_us - clock.opens_us[place]) // clock.step_us
    longest = int(np.diff(np.concatenate(([-1], slots, [expected]))).max()) - 1
    if longest > limits.gap_bars_max:
        yield f"{longest} bars in a row are missing"


def _looks_split(before: float | None, after: float | None, limits: Limits) -> str:
    """The split that would explain a jump overnight, like 2:1; empty when none does."""
    if before is None or after is None or not before > 0:
        return NO_REASON
    jump = before / after
    smallest, tolerance = _SPLIT_RATIOS[0], limits.split_tolerance
    if (1 + tolerance) / smallest <= jump <= smallest * (1 - tolerance):
        return NO_REASON  # as nearly always
    for ratio in _SPLIT_RATIOS:
        for candidate, name in ((ratio, f"{ratio:g}:1"), (1 / ratio, f"1:{ratio:g}")):
            if abs(jump / candidate - 1) < tolerance:
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
