"""A feature has two forms, and they give the same bits from the first bar of the data on."""

import math
from typing import Any

import numpy as np
import pytest
from gappy_bars import gappy_bars, same_bits, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from execution.strategy import (
    BarArrays,
    Feature,
    adx,
    atr,
    bar_by_bar,
    bollinger,
    constant,
    ema,
    feature_columns,
    highest,
    lag,
    linreg_slope,
    log_deviation,
    log_return,
    lowest,
    macd,
    minutes_since_open,
    minutes_to_close,
    obv,
    overnight_gap,
    previous_close,
    previous_session,
    price,
    roc,
    rolling_vwap,
    rsi,
    session_bar,
    session_high,
    session_low,
    session_number,
    session_open,
    sma,
    std,
    stochastic,
    vectorised,
    volatility,
    vwap,
    wma,
    zscore,
)
from execution.strategy.arrays import COLUMNS
from execution.strategy.features import lay_down
from execution.strategy.features.feature import WORTH_A_THREAD_BARS
from execution.strategy.features.indicators import PERIODIC, SHORTEST
from execution.strategy.talib_extension import ta_lib, write


@bar_by_bar(state=lambda span: int(span) + 2)
def range_of_ranges(state: Any, open: Any, high: Any, low: Any, close: Any, volume: Any, span: Any) -> Any:
    """The widest bar of the last `span`, by a ring of its own."""
    seen = state[0]
    state[1 + int(seen) % int(span)] = high - low
    state[0] = seen + 1.0
    return state[1 : 1 + int(span)].max() if state[0] >= span else math.nan


FEATURES: dict[str, Any] = {
    "sma": lambda n: sma("close", n),
    "ema": lambda n: ema("close", n),
    "wma": lambda n: wma("volume", n),
    "rsi": lambda n: rsi("close", n),
    "macd": lambda n: macd("close", n, n + 7, n).macd,
    "macd.signal": lambda n: macd("close", n, n + 7, n).signal,
    "macd.histogram": lambda n: macd("close", n, n + 7, n).histogram,
    "atr": atr,
    "bollinger.upper": lambda n: bollinger("close", n, 1.5).upper,
    "bollinger.middle": lambda n: bollinger("close", n, 1.5).middle,
    "bollinger.lower": lambda n: bollinger("close", n, 1.5).lower,
    "adx": adx,
    "stochastic.k": lambda n: stochastic(n, 3, 2).k,
    "stochastic.d": lambda n: stochastic(n, 3, 2).d,
    "obv": lambda _: obv(),
    "std": lambda n: std("close", n),
    "highest": lambda n: highest("high", n),
    "lowest": lambda n: lowest("low", n),
    "linreg_slope": lambda n: linreg_slope("close", n),
    "roc": lambda n: roc("open", n),
    "log_return": lambda n: log_return("close", n),
    "zscore": lambda n: zscore("close", n),
    "volatility": lambda n: volatility("close", n),
    "log_deviation": lambda n: log_deviation("low", n),
    "rolling_vwap": rolling_vwap,
    "vwap": lambda _: vwap(),
    "minutes_since_open": lambda _: minutes_since_open(),
    "minutes_to_close": lambda _: minutes_to_close(),
    "session_bar": lambda _: session_bar(),
    "session_number": lambda _: session_number(),
    "session_open": lambda _: session_open(),
    "session_high": lambda _: session_high(),
    "session_low": lambda _: session_low(),
    "previous_close": lambda _: previous_close(),
    "overnight_gap": lambda _: overnight_gap(),
    "previous_session": lambda n: previous_session(ema("close", n)),
    "price": lambda _: price("high"),
    "constant": lambda n: constant(n / 3),
    "lag": lambda n: lag(ema("close", 3), n),
    "lag of a session's feature": lambda n: lag(session_high(), n),
    "written": lambda n: range_of_ranges(n),
}


@pytest.mark.full
@pytest.mark.parametrize("name", FEATURES)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    calendar=st.sampled_from(["XNYS", "24/7"]),
    period=st.integers(2, 30),
    restart=st.floats(0.0, 1.0),
)
def test_every_feature_is_the_same_batch_and_incremental(
    name: str, seed: int, calendar: str, period: int, restart: float
) -> None:
    bars = gappy_bars(seed, calendar, days=14 if calendar == "XNYS" else 3)
    feature: Feature = FEATURES[name](period)
    batch = feature.batch(bars)
    assert not np.isinf(batch).any()
    first = round(restart * len(bars))
    stream = feature.incremental(bars.part(0, first))
    assert same_bits([stream.update(bars.bar(at)) for at in range(first, len(bars))], batch[first:])
    assert feature.exact


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("count", [0, 1, 60])
def test_a_market_that_never_moves_and_never_trades_has_no_infinite_feature(name: str, count: int) -> None:
    flat, none = np.full(count, 100.1), np.zeros(count)
    ts_us = 1_767_623_400_000_000 + np.arange(count, dtype=np.int64) * 60_000_000
    bars = BarArrays(flat, flat.copy(), flat.copy(), flat.copy(), none, ts_us)
    feature: Feature = FEATURES[name](5)
    batch = feature.batch(bars)
    stream = feature.incremental(bars.part(0, 0))
    assert same_bits([stream.update(bars.bar(at)) for at in range(count)], batch)
    assert not np.isinf(batch).any()
    if name in ("zscore", "vwap", "rolling_vwap"):
        assert np.isnan(batch).all()  # undecided
    if name in ("rsi", "adx", "stochastic.k") and count == 60:
        assert batch[-1] == 0.0  # TA-Lib's answer, as the docstrings say


def test_features_say_what_they_are_worked_out_from() -> None:
    bars = gappy_bars(3)
    assert same_bits(zscore("close", 20).batch(bars)[40:], _by_hand(bars.close, 20)[40:])
    returns = np.diff(np.log(bars.close))
    measured = volatility("close", 10).batch(bars)[60:]
    expected = [returns[at - 10 : at].std() for at in range(60, len(bars))]
    np.testing.assert_allclose(measured, expected, rtol=1e-6)
    np.testing.assert_allclose(
        log_return("close", 3).batch(bars)[3:], np.log(bars.close[3:] / bars.close[:-3]), atol=1e-12
    )
    level = np.log(bars.close)
    deviation = log_deviation("close", 10).batch(bars)
    np.testing.assert_allclose(
        deviation[60:], [level[at] - level[at - 9 : at + 1].mean() for at in range(60, len(bars))], atol=1e-12
    )


def _by_hand(close: Any, period: int) -> Any:
    return (close - sma("close", period).batch(_of(close))) / np.where(
        (deviation := std("close", period).batch(_of(close))) > 0, deviation, np.nan
    )


def _of(close: Any) -> BarArrays:
    return BarArrays(close, close, close, close, close)


def test_a_volume_weighted_average_is_one() -> None:
    bars = gappy_bars(5)
    typical = (bars.high + bars.low + bars.close) / 3
    weighted = rolling_vwap(7).batch(bars)
    for at in range(6, len(bars)):
        window = slice(at - 6, at + 1)
        if bars.volume[window].any():
            assert weighted[at] == pytest.approx(np.average(typical[window], weights=bars.volume[window]))
        else:
            assert math.isnan(weighted[at])


def test_what_several_features_come_from_is_computed_once() -> None:
    calls = []

    def counted(close: Any) -> Any:
        calls.append(len(close))
        return close

    three = macd("close")
    assert len({three.macd.computation, three.signal.computation, macd("close").histogram.computation}) == 1
    once = vectorised(counted, "close", lookback=1)
    columns = dict(feature_columns([once, lag(once, 1), once, *three], gappy_bars(1)))
    assert len(columns) == 5
    assert len(calls) == 2  # of its own and for the lag
    assert same_bits(columns[three.signal], three.signal.batch(gappy_bars(1)))


@pytest.mark.parametrize(
    "function", ["SMA", "EMA", "WMA", "RSI", "ATR", "ADX", "STDDEV", "ROCP", "MAX", "SUM", "LINEARREG_SLOPE"]
)
def test_the_shortest_period_is_ta_libs(function: str) -> None:
    column = np.linspace(1.0, 2.0, 300)
    columns = [column] * (3 if function in ("ATR", "ADX") else 1)
    shortest = SHORTEST.get(function, 1)
    getattr(ta_lib(), function)(*columns, timeperiod=shortest)
    with pytest.raises(Exception, match="Bad Parameter"):
        getattr(ta_lib(), function)(*columns, timeperiod=shortest - 1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: sma("clos", 5), "reads the column 'clos', which bars do not have. Use one of: open, high"),
        (lambda: sma("close", 0), "sma was given the period 0. Use a whole number from 1 to 100000"),
        (lambda: std("close", 1), "std was given the period 1. Use a whole number from 2 to"),
        (lambda: highest("high", 2.5), "highest was given the period 2.5"),
        (lambda: zscore("close", 1), "zscore was given the period 1"),
        (lambda: macd("close", 26, 12), "macd was given the fast period 26 and the slow one 12"),
        (lambda: bollinger("close", 20, 0.0), "bollinger was given the width 0.0"),
        (lambda: log_return("volume"), "takes the logarithm of the volume, which may be zero"),
        (lambda: lag(price("close"), 0), "lag was given the period 0"),
        (lambda: range_of_ranges(), "range_of_ranges cannot be made with .*Give it span"),
    ],
)
def test_a_feature_that_cannot_be_is_refused_where_it_is_written(make: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()


def test_bars_slice_and_tell_one_bar() -> None:
    bars = walk(np.random.default_rng(1), np.arange(10, dtype=np.int64), "24/7")
    part = bars.part(3, 5)
    assert (len(part), part.calendar, part.ts_us.tolist()) == (2, "24/7", [3, 4])
    assert part.bar(1) == bars.bar(4)
    assert part.close.flags.writeable
    assert part.close.flags.c_contiguous


def test_features_laid_down_on_all_cores_are_those_of_their_batch_form() -> None:
    close, three = sma("close", 5), macd("close", 3, 6, 2)
    wanted = [
        close, rsi("close", 14), atr(7), highest("high", 9), std("close", 8), price("open"),
        sma(close, 4), *three, lag(close, 2), roc("close", 200),
    ]  # fmt: skip
    for bars in (gappy_bars(3), repeated(gappy_bars(3), WORTH_A_THREAD_BARS), gappy_bars(3).part(0, 1)):
        table = np.full((len(wanted), len(bars)), 7.0)
        lay_down({feature: row for row, feature in enumerate(wanted)}, bars, table)
        for row, feature in enumerate(wanted):
            assert same_bits(table[row], feature.batch(bars)), feature


def repeated(bars: BarArrays, count: int) -> BarArrays:
    """At least so many bars, the same ones again and again."""
    times = -(-count // len(bars))
    return BarArrays(*(np.tile(getattr(bars, name), times) for name in COLUMNS))


@pytest.mark.parametrize("function", sorted(PERIODIC))
def test_what_is_written_in_place_is_what_the_extension_returns(function: str) -> None:
    bars = gappy_bars(5)
    columns = ("high", "low", "close") if function in ("ATR", "ADX") else ("close",)
    late = [getattr(bars, name).copy() for name in columns]
    late[0][:6] = np.nan
    for period in (2, 5, len(bars) - 1, len(bars), 3 * len(bars)):
        for read in ([getattr(bars, name) for name in columns], late):
            out = np.full(len(bars), 7.0)
            write(function, read, period, out)
            assert same_bits(out, getattr(ta_lib(), function)(*read, timeperiod=period))
