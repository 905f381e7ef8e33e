"""Features that know the session: its clock, its prices so far and its average price by volume."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from execution.strategy.arrays import BarArrays, FloatArray, Ohlcv
from execution.strategy.features.combined import divided
from execution.strategy.features.feature import Exact, Feature, Running, Stream
from execution.strategy.features.sessions import SessionWatch, Sittings, since_last_session

_MINUTE_US: Final = 60_000_000


def minutes_since_open() -> Feature:
    """Minutes from the session's open to the bar's: 0 on a bar that opens with the session."""
    return Feature(SessionClock(), 0)


def minutes_to_close() -> Feature:
    """Minutes from the bar's open to the session's close, half days included; negative after hours."""
    return Feature(SessionClock(), 1)


def session_bar() -> Feature:
    """1 on the first bar that the data has of a session, 2 on the next …"""
    return Feature(SessionClock(), 2)


def session_number() -> Feature:
    """The session's number in its calendar: every bar of a session has the same, the next session one more.

    It does not depend on where the data begins, so "every fifth session" means the same to everybody.
    """
    return Feature(SessionClock(), 3)


def session_open() -> Feature:
    """The open of the session's first bar."""
    return Feature(SessionPrices(), 0)


def session_high() -> Feature:
    """The highest price of the session so far, this bar included."""
    return Feature(SessionPrices(), 1)


def session_low() -> Feature:
    """The lowest price of the session so far, this bar included."""
    return Feature(SessionPrices(), 2)


def previous_close() -> Feature:
    """The last close of the session before, NaN in the data's first session."""
    return Feature(SessionPrices(), 3)


def overnight_gap() -> Feature:
    """Return from the previous session's close to this session's open, the same on all bars of a session."""
    return Feature(SessionPrices(), 4)


def previous_session(feature: Feature) -> Feature:
    """What a feature was on the last bar of the session before, NaN in the data's first session.

    The same on all bars of a session, so that symbols which begin it at different minutes can be compared.
    """
    return Feature(PreviousSession(feature))


def vwap() -> Feature:
    """Average typical price of the session so far, weighted by volume; NaN, undecided, before anything traded."""
    return Feature(SessionVwap())


@dataclass(frozen=True, slots=True)
class SessionClock(Exact):
    """Minutes since the open, minutes to the close, the bar's number in the session, the session's number."""

    def batch(self, bars: BarArrays) -> tuple[FloatArray, ...]:
        sittings = Sittings(bars)
        table, place = sittings.table, sittings.place
        return (
            (bars.ts_us - table.opens_us[place]) / _MINUTE_US,
            (table.closes_us[place] - bars.ts_us) / _MINUTE_US,
            (np.arange(len(bars)) - sittings.starts[sittings.of_bar] + 1).astype(np.float64),
            (table.first_number + place).astype(np.float64),
        )

    def incremental(self, history: BarArrays) -> Running:
        return _replayed(_ClockRunning(history.calendar), history)


class _ClockRunning:
    __slots__ = ("_bars", "_watch")

    def __init__(self, calendar: str) -> None:
        self._watch = SessionWatch(calendar)
        self._bars = 0

    def update(self, bar: Ohlcv) -> tuple[float, ...]:
        watch, ts_us = self._watch, bar.ts_us
        self._bars = 1 if watch.begins(ts_us) else self._bars + 1
        return (
            (ts_us - watch.open_us) / _MINUTE_US,
            (watch.close_us - ts_us) / _MINUTE_US,
            float(self._bars),
            float(watch.number),
        )


@dataclass(frozen=True, slots=True)
class SessionPrices(Exact):
    """Open, high and low of the session so far, the close before it, and the gap between."""

    def batch(self, bars: BarArrays) -> tuple[FloatArray, ...]:
        sittings = Sittings(bars)
        starts, of_bar = sittings.starts, sittings.of_bar
        high, low = np.empty(len(bars)), np.empty(len(bars))
        for first, last in zip(starts, [*starts[1:], len(bars)], strict=False):
            np.maximum.accumulate(bars.high[first:last], out=high[first:last])
            np.minimum.accumulate(bars.low[first:last], out=low[first:last])
        opened = bars.open[starts][of_bar]
        before = _before(bars.close, sittings)
        return opened, high, low, before, opened / before - 1.0

    def incremental(self, history: BarArrays) -> Running:
        return _replayed(_PricesRunning(history.calendar), history)


class _PricesRunning:
    __slots__ = ("_before", "_close", "_gap", "_high", "_low", "_open", "_watch")

    def __init__(self, calendar: str) -> None:
        self._watch = SessionWatch(calendar)
        self._open = self._high = self._low = self._close = self._before = self._gap = math.nan

    def update(self, bar: Ohlcv) -> tuple[float, ...]:
        if self._watch.begins(bar.ts_us):
            self._open, self._high, self._low, self._before = bar.open, bar.high, bar.low, self._close
            self._gap = self._open / self._before - 1.0
        else:
            self._high = max(self._high, bar.high)
            self._low = min(self._low, bar.low)
        self._close = bar.close
        return self._open, self._high, self._low, self._before, self._gap


@dataclass(frozen=True, slots=True)
class PreviousSession:
    """A feature's last value in the session before."""

    feature: Feature

    @property
    def exact(self) -> bool:
        return self.feature.exact

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        sittings = Sittings(bars)
        return (_before(self.feature.batch(bars), sittings),)

    def incremental(self, history: BarArrays) -> Running:
        running = _PreviousRunning(self.feature.incremental(history), history.calendar)
        if len(history):
            last = self.feature.batch(history)[-1]
            running.resume(int(history.ts_us[-1]), float(self.batch(history)[0][-1]), float(last))
        return running


class _PreviousRunning:
    __slots__ = ("_before", "_last", "_stream", "_watch")

    def __init__(self, stream: Stream, calendar: str) -> None:
        self._stream, self._watch = stream, SessionWatch(calendar)
        self._before = self._last = math.nan

    def resume(self, ts_us: int, before: float, last: float) -> None:
        self._watch.begins(ts_us)
        self._before, self._last = before, last

    def update(self, bar: Ohlcv) -> tuple[float]:
        if self._watch.begins(bar.ts_us):
            self._before = self._last
        self._last = self._stream.update(bar)
        return (self._before,)


@dataclass(frozen=True, slots=True)
class SessionVwap(Exact):
    """Turnover of the session so far over its volume."""

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        turnover = (bars.high + bars.low + bars.close) / 3.0 * bars.volume
        sums, volumes = np.empty(len(bars)), np.empty(len(bars))
        starts = Sittings(bars).starts
        for first, last in zip(starts, [*starts[1:], len(bars)], strict=False):
            np.add.accumulate(turnover[first:last], out=sums[first:last])
            np.add.accumulate(bars.volume[first:last], out=volumes[first:last])
        return (divided(sums, volumes, volumes > 0.0),)

    def incremental(self, history: BarArrays) -> Running:
        return _replayed(_VwapRunning(history.calendar), history)


class _VwapRunning:
    __slots__ = ("_turnover", "_volume", "_watch")

    def __init__(self, calendar: str) -> None:
        self._watch = SessionWatch(calendar)
        self._turnover = self._volume = 0.0

    def update(self, bar: Ohlcv) -> tuple[float]:
        if self._watch.begins(bar.ts_us):
            self._turnover = self._volume = 0.0
        self._turnover += (bar.high + bar.low + bar.close) / 3.0 * bar.volume
        self._volume += bar.volume
        return (self._turnover / self._volume if self._volume > 0.0 else math.nan,)


def _before(column: FloatArray, sittings: Sittings) -> FloatArray:
    """On each bar, the column's last value in the session before."""
    before = np.full(len(sittings.starts), np.nan)
    before[1:] = column[sittings.starts[1:] - 1]
    on_bars: FloatArray = before[sittings.of_bar]
    return on_bars


def _replayed(running: Running, history: BarArrays) -> Running:
    last = since_last_session(history)
    for at in range(len(last)):
        running.update(last.bar(at))
    return running
