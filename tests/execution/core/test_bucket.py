"""A rate is kept over every window, however the clock is set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.core.bucket import Bucket, Rate, take

RATE = Rate(per_second=3.0, size=20.0, kept=5.0)


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans()), max_size=200))
def test_no_window_sees_more_than_the_size_and_what_flows_in(asked: list[tuple[float, bool]]) -> None:
    bucket, now = Bucket(RATE.size, 0.0), 0.0
    taken: list[float] = []
    for pause, order in asked:
        now += pause
        bucket, wait_s = take(bucket, now, RATE, RATE.kept if order else 0.0)
        if wait_s == 0.0:
            taken.append(now)
    for number, since in enumerate(taken):
        for count, until in enumerate(taken[number:], start=1):
            assert count <= RATE.size + RATE.per_second * (until - since) + 1e-6


def test_orders_leave_some_to_questions() -> None:
    bucket = Bucket(RATE.kept + 1.0, 0.0)
    bucket, wait_s = take(bucket, 0.0, RATE, RATE.kept)
    assert wait_s == 0.0
    bucket, wait_s = take(bucket, 0.0, RATE, RATE.kept)
    assert wait_s == pytest.approx(1.0 / 3.0)
    assert take(bucket, 0.0, RATE, 0.0)[1] == 0.0


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_a_clock_set_back_refills_nothing(now: float, back: float) -> None:
    empty, _ = take(Bucket(0.5, now), now - back, RATE, 0.0)
    assert empty.tokens == pytest.approx(0.5)
