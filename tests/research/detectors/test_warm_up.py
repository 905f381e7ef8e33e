"""How many bars a feature needs is told to the bar; what never forgets its beginning is told by name."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.strategy import (
    BarArrays,
    Feature,
    ema,
    highest,
    lag,
    obv,
    overnight_gap,
    price,
    rsi,
    session_number,
    sma,
)
from research.detectors.histories import differs, distance, usual_size
from research.detectors.warm_up import FeatureWarmUp, late_starts, warm_up


def warmed(feature: Feature, bars: BarArrays, starts: list[int] | None = None) -> FeatureWarmUp:
    return warm_up({"it": feature}, bars, starts or late_starts(bars, np.random.default_rng(0)))["it"]


@settings(max_examples=15, deadline=None)
@given(period=st.integers(2, 300), back=st.integers(1, 50))
def test_a_window_is_warm_when_it_is_full(minutes: BarArrays, period: int, back: int) -> None:
    found = warmed(highest("high", period), minutes)
    assert (found.settles, found.first_value, found.exact, found.close) == ("exactly", period, period, period)
    assert warmed(lag(highest("high", period), back), minutes).exact == period + back
    assert warmed(highest("high", 10 * period), minutes).exact == 10 * period


@settings(max_examples=15, deadline=None)
@given(period=st.integers(2, 60), start=st.integers(1, 1200))
def test_a_recursive_feature_is_warm_on_the_very_bar_that_is_told(
    minutes: BarArrays, period: int, start: int
) -> None:
    for feature in (ema("close", period), rsi("close", period)):
        found = warmed(feature, minutes, [start])
        known, late = feature.batch(minutes)[start:], feature.batch(minutes.part(start, len(minutes)))
        apart = distance(known, late, usual_size(feature.batch(minutes)))
        assert found.first_value == 1 + int(np.argmax(~np.isnan(late)))
        assert found.close is not None
        assert (apart[found.close - 1 :] <= 1e-9).all()
        assert found.close == found.first_value or apart[found.close - 2] > 1e-9
        if found.exact is not None:
            assert not differs(known, late)[found.exact - 1 :].any()
            assert found.exact >= found.close


def test_a_running_sum_is_warm_but_for_its_last_digits(minutes: BarArrays) -> None:
    found = warmed(sma("close", 50), minutes)
    assert (found.settles, found.first_value, found.close, found.exact) == ("closely", 50, 50, None)
    assert "last digits" in found.evidence()


def test_what_accumulates_never_forgets_where_it_began(minutes: BarArrays) -> None:
    found = warmed(obv(), minutes)
    assert (found.settles, found.close, found.exact) == ("never", None, None)
    assert "depends on where the data begins" in found.evidence()
    assert found.fix().startswith("Live must start where research did")
    assert "use a difference of it" in found.fix()


def test_what_converges_too_slowly_for_these_bars_is_not_accused_of_more(minutes: BarArrays) -> None:
    found = warmed(ema("close", 700), minutes)
    assert (found.settles, found.close) == ("slowly", None)
    assert found.fix().startswith("Check it on more bars")


def test_a_period_longer_than_the_data_is_told(minutes: BarArrays) -> None:
    found = warmed(sma("close", 5000), minutes)
    assert (found.settles, found.first_value, found.close) == ("too long", None, None)


def test_features_of_the_session_need_the_longest_session(minutes: BarArrays) -> None:
    session = int(np.flatnonzero(np.diff(minutes.ts_us) > 3.6e9)[0]) + 1
    found = warmed(overnight_gap(), minutes, [session, session + 1])
    assert found.exact is not None
    assert 380 <= found.exact <= 391
    assert warmed(session_number(), minutes).exact == 1
    assert warmed(price("close"), minutes).exact == 1


def test_the_data_might_have_begun_anywhere(minutes: BarArrays) -> None:
    starts = late_starts(minutes, np.random.default_rng(3))
    opens = set(np.flatnonzero(np.diff(minutes.ts_us) > 3.6e9) + 1)
    assert starts[0] == 1
    assert opens & set(starts)
    assert {each + 1 for each in opens} & set(starts)
    assert max(starts) < len(minutes) // 2
    assert late_starts(minutes.part(0, 3), np.random.default_rng(3)) == []
