"""The trial ledger counts every set that was tried, and none of them twice."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import entry, recorded, tried

from data import runs, trials
from data.postgres import connect
from data.trials import Count, Moments

SHARPES = st.lists(st.floats(-5.0, 5.0) | st.none(), max_size=20)


def counted(family: str | None = "crossover") -> Count:
    with connect() as connection:
        return trials.count(connection, family)


@pytest.mark.full
@given(st.lists(SHARPES, max_size=6))
def test_pooling_gives_what_one_pass_over_all_would_give(parts: list[list[float | None]]) -> None:
    together = Moments.of([each for part in parts for each in part])
    pooled = trials.pooled(Moments.of(part) for part in parts)
    assert pooled.count == together.count
    assert pooled.best == together.best
    for ours, expected in ((pooled.mean, together.mean), (pooled.variance, together.variance)):
        assert (ours is None) == (expected is None)
        if ours is not None:
            assert ours == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_sharpe_ratio_that_does_not_exist_is_no_observation() -> None:
    assert Moments.of([None, math.nan, 2.0]) == Moments(1, 2.0, 2.0, None)
    assert Moments.of([]) == Moments(0, None, None, None)
    assert Moments.of([1.0, 3.0]) == Moments(2, 3.0, 2.0, 2.0)


def test_another_source_or_another_value_is_another_set() -> None:
    rows = [(5, 20), (5, 40)]
    ours = trials.set_hashes("source", rows)
    assert len(set(ours.tolist())) == 2
    assert np.array_equal(ours, trials.set_hashes("source", rows))
    assert not set(ours.tolist()) & set(trials.set_hashes("edited source", rows).tolist())
    assert trials.set_hashes("source", [()]).size == 1  # a strategy without parameters is one set


@pytest.mark.usefixtures("database_url")
def test_a_set_counts_once_on_the_same_bars_and_again_on_others() -> None:
    assert tried(1, [1, 2, 3]) == 3
    assert tried(2, [2, 3, 4]) == 1
    assert counted() == Count(sets=4, parameter_sets=4)
    assert tried(3, [2, 3], bars_hash="other bars") == 2
    assert counted() == Count(sets=6, parameter_sets=4)


@pytest.mark.usefixtures("database_url")
def test_the_same_run_entered_twice_is_one_entry() -> None:
    assert tried(1, [1, 2, 3]) == 3
    assert tried(1, [1, 2, 3]) == 0
    with connect() as connection:
        (kept,) = trials.entries(connection, "crossover")
    assert (kept["sets"], kept["new_sets"]) == (3, 3)


@pytest.mark.usefixtures("database_url")
def test_an_entry_tells_its_sharpe_ratios_by_year_and_by_bar() -> None:
    tried(1, [1, 2, 3], [1.0, 3.0, None], bars_per_year=100.0)
    with connect() as connection:
        (kept,) = trials.entries(connection)
    assert (kept["sharpes"], kept["best_sharpe"], kept["mean_sharpe"], kept["sharpe_variance"]) == (
        2,
        3,
        2,
        2,
    )
    assert kept["best_sharpe_bar"] == pytest.approx(0.3)
    assert kept["mean_sharpe_bar"] == pytest.approx(0.2)
    assert kept["sharpe_variance_bar"] == pytest.approx(0.02)
    assert (kept["kind"], kept["who"], kept["symbols"]) == ("backtest", "quant", ["AAA"])


@pytest.mark.usefixtures("database_url")
def test_families_are_counted_apart_and_together() -> None:
    tried(1, [1, 2])
    tried(1, [1, 2, 3], family="breakout")
    assert counted() == Count(2, 2)
    assert counted("breakout") == Count(3, 3)
    assert counted(None) == Count(5, 5)
    assert counted("unheard of") == Count(0, 0)


@pytest.mark.usefixtures("database_url")
def test_many_writers_of_overlapping_sets_count_each_once_and_none_waits_forever() -> None:
    made = [recorded_run(number) for number in range(8)]

    def write(number: int) -> int:
        sets = list(range(number * 10, number * 10 + 30))
        with connect() as connection:
            runs.lock_family(connection, "crossover")
            return trials.enter(connection, entry(made[number], sets if number % 2 else sets[::-1]))

    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(write, range(8)))
    assert sum(new) == counted().sets == 100


def recorded_run(number: int) -> runs.Run:
    from recorded import draft

    return recorded(draft(number=number))
