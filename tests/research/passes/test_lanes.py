"""What is written out for wide registers computes what a plain loop does, in an order no processor changes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from research.passes.account import machine_code
from research.passes.lanes import LANES, WORD, changes, fold_held, lowest_bit


@machine_code
def folded(close, first, last, cash, shares):  # type: ignore[no-untyped-def]
    return fold_held(close, first, last, cash, shares)


@machine_code
def changed(targets):  # type: ignore[no-untyped-def]
    return changes(targets, 1)


@machine_code
def first_of(word):  # type: ignore[no-untyped-def]
    return lowest_bit(word)


@pytest.mark.full
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    first=st.integers(1, 12),
    count=st.integers(1, 40),
    cash=st.floats(-5_000.0, 5_000.0),
    shares=st.sampled_from([1.0, 90.0, 250.0]),
)
def test_a_stretch_is_folded_as_one_would_by_hand(
    seed: int, first: int, count: int, cash: float, shares: float
) -> None:
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 1e-3, first + count)))
    equity = cash + 100_000.0 + shares * close
    told = folded(close, first, first + count, cash + 100_000.0, shares)
    returns = equity[first:] / equity[first - 1 : -1] - 1.0
    losses = np.minimum(returns, 0.0)
    wanted = (
        returns.sum(), (returns**2).sum(), (losses**2).sum(),
        equity[first:].sum(), equity[first:].max(), equity[first:].min(),
    )  # fmt: skip
    assert told == pytest.approx(wanted, rel=1e-11, abs=1e-15)


def test_lane_by_lane_in_the_order_that_is_written_down() -> None:
    """Every processor gives these bits: bar j adds to lane j mod 4, the lanes (0 2) (1 3)."""
    close = np.random.default_rng(7).uniform(90.0, 110.0, 4 * LANES + 1)
    lanes = np.zeros(LANES)
    for bar in range(1, len(close)):
        lanes[(bar - 1) % LANES] += close[bar] / close[bar - 1] - 1.0
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    assert folded(close, 1, len(close), 0.0, 1.0)[0] == total


@pytest.mark.full
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([0.0, 1.0, -1.0, math.nan, math.inf, -0.0]), min_size=WORD + 1, max_size=WORD + 1
    )
)
def test_a_change_is_a_number_that_is_not_the_one_before(targets: list[float]) -> None:
    word = int(changed(np.array(targets)))
    for bar in range(WORD):
        given_, before = targets[1 + bar], targets[bar]
        assert bool(word >> bar & 1) == (not math.isnan(given_) and given_ != before)


@given(st.integers(1, 2**64 - 1))
def test_the_lowest_bit_is_found(word: int) -> None:
    assert first_of(np.uint64(word)) == (word & -word).bit_length() - 1
