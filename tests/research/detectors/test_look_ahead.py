"""A feature that knows what comes later is found, named, and told how far it looks; no other one is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_bugs import BUGS, SOME_BARS, TO_THE_END, of_close, shifted

from execution.strategy import (
    BarArrays,
    Feature,
    adx,
    atr,
    bollinger,
    ema,
    lag,
    linreg_slope,
    log_deviation,
    macd,
    minutes_to_close,
    obv,
    overnight_gap,
    previous_session,
    price,
    roc,
    rolling_vwap,
    rsi,
    session_bar,
    session_high,
    sma,
    stochastic,
    vectorised,
    volatility,
    vwap,
    wma,
    zscore,
)
from execution.strategy.arrays import FloatArray
from research.detectors import practice_market
from research.detectors.histories import FUTURES, cut_points, differs
from research.detectors.look_ahead import Leak, look_ahead

HONEST: dict[str, Feature] = {
    "close": price("close"),
    "sma": sma("close", 20),
    "ema": ema("close", 50),
    "wma": wma("close", 15),
    "rsi": rsi("close", 14),
    "macd": macd("close").histogram,
    "atr": atr(14),
    "adx": adx(14),
    "band": bollinger("close").upper,
    "stochastic": stochastic().d,
    "obv": obv(),
    "slope": linreg_slope("close", 30),
    "score": zscore("close", 60),
    "volatility": volatility("close", 60),
    "deviation": log_deviation("close", 60),
    "rolling": rolling_vwap(30),
    "vwap": vwap(),
    "high": session_high(),
    "bar": session_bar(),
    "left": minutes_to_close(),
    "gap": overnight_gap(),
    "yesterday": previous_session(roc("close", 30)),
}


def leaks(features: dict[str, Feature], bars: BarArrays, seed: int = 0) -> dict[str, Leak]:
    return look_ahead(features, bars, cut_points(bars, np.random.default_rng(seed)), "AAA").leaks


@pytest.fixture(scope="module")
def planted(minutes: BarArrays) -> dict[str, Leak]:
    return leaks(BUGS | HONEST, minutes)


def test_every_planted_bug_is_named_and_nothing_else(planted: dict[str, Leak]) -> None:
    assert set(planted) == set(BUGS)
    assert not any(leak.rounding for leak in planted.values())


@pytest.mark.parametrize("name", TO_THE_END)
def test_what_is_worked_out_over_the_whole_frame_is_told_so(planted: dict[str, Leak], name: str) -> None:
    assert "it looks to the end of the data" in planted[name].evidence()
    assert "over the whole frame" in planted[name].fix()


@pytest.mark.parametrize("name", SOME_BARS)
def test_it_is_told_how_far_ahead_a_feature_looks(planted: dict[str, Leak], name: str) -> None:
    assert SOME_BARS[name][1] in planted[name].evidence()


def test_the_evidence_can_be_repeated_by_hand(planted: dict[str, Leak], minutes: BarArrays) -> None:
    leak = planted["todays_close"]
    assert minutes.ts_us[leak.bar] == leak.ts_us
    assert BUGS["todays_close"].batch(minutes)[leak.bar] == leak.value
    assert leak.otherwise == minutes.close[leak.bar] != leak.value


def test_what_never_happened_in_the_data_happens_in_another_future(planted: dict[str, Leak]) -> None:
    assert "when prices after" in planted["crash"].evidence()


@pytest.mark.full
@settings(max_examples=10, deadline=None)
@given(bars=st.integers(1, 60), seed=st.integers(0, 2**31))
def test_a_shift_is_measured_to_the_bar(minutes: BarArrays, bars: int, seed: int) -> None:
    leak = leaks({"ahead": of_close(shifted, bars=bars)}, minutes, seed)["ahead"]
    assert (leak.bars_ahead, leak.steady, leak.whole) == (bars, True, False)


@settings(max_examples=5, deadline=None)
@given(bars=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_a_shift_that_is_taken_back_is_no_leak(minutes: BarArrays, bars: int, seed: int) -> None:
    assert leaks({"back": lag(of_close(shifted, bars=bars), bars)}, minutes, seed) == {}


@pytest.mark.full
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_honest_features_are_not_accused_whatever_the_market(seed: int) -> None:
    assert leaks(HONEST, BarArrays.of(practice_market(("AAA",), seed).head(1500)), seed) == {}


def by_fourier(close: FloatArray) -> FloatArray:
    """A mean of ten bars whose rounding depends on how many bars there are."""
    room = 2 * len(close) + 20
    product = np.fft.rfft(close, room) * np.fft.rfft(np.full(10, 0.1), room)
    smooth: FloatArray = np.fft.irfft(product, room)[: len(close)]
    return smooth


def test_last_digits_that_depend_on_how_many_bars_follow_are_no_knowledge(minutes: BarArrays) -> None:
    leak = leaks({"smooth": of_close(by_fourier)}, minutes)["smooth"]
    assert leak.rounding
    assert "last digits" in leak.evidence()


def impatient(close: FloatArray) -> FloatArray:
    if len(close) < 100:
        raise ValueError("too few")
    return close


def test_a_feature_that_raises_on_few_bars_is_told_of(minutes: BarArrays) -> None:
    feature = vectorised(impatient, "close", lookback=100)
    found = look_ahead({"impatient": feature, "close": price("close")}, minutes, [10, 500])
    assert found.leaks == {}
    assert found.raised == {"impatient": (11, "ValueError: too few")}


@pytest.mark.parametrize("future", FUTURES, ids=lambda future: future.said)
def test_another_future_leaves_the_past_alone(minutes: BarArrays, future: object) -> None:
    for keep in (1, 700, len(minutes) - 1):
        told = FUTURES[FUTURES.index(future)].told(minutes, keep)  # type: ignore[arg-type]
        for name in ("open", "high", "low", "close", "volume", "ts_us"):
            assert np.array_equal(getattr(told, name)[:keep], getattr(minutes, name)[:keep])
        same_length = len(told) == len(minutes)
        assert not same_length or differs(told.close[keep:], minutes.close[keep:]).all()
        assert (told.high >= told.low).all()


def test_cuts_fall_where_leaks_hide(minutes: BarArrays) -> None:
    cuts = cut_points(minutes, np.random.default_rng(0))
    steps = np.diff(minutes.ts_us) / 6e7
    assert cuts[0] == 0
    assert cuts[-1] == len(minutes) - 2
    assert any(steps[cut] > 600 for cut in cuts)  # the last bar of a session
    assert any(minutes.volume[cut] == 0.0 for cut in cuts)
    assert int(np.argmax(np.abs(np.diff(np.log(minutes.close))))) in cuts
    assert cut_points(minutes.part(0, 1), np.random.default_rng(0)) == []
    assert math.isclose(np.median(steps), 1.0)
