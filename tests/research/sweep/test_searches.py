"""What a sweep tries: inside the bounds, distinct, the same for the same seed, and never more than fits."""

import os
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UsageError
from execution.strategy import Feature, Strategy, constant, param
from research import sweep
from research.strategies.crossover import Crossover
from research.sweep import guided, parameter_sets, random_search
from research.sweep.axes import Axis, axes_of
from research.sweep.limits import SET_BYTES
from research.sweep.searches import plan_of

Walk = Callable[..., pl.DataFrame]


class Scaled(Strategy):
    """Bounds of every kind; what it decides is of no interest."""

    level = param(0.01, low=0.001, high=10.0)
    often = param(10, low=1, high=1000)
    side = param("long", choices=("long", "short"))
    free = param(3)

    def features(self) -> dict[str, Feature]:
        return {"level": constant(self.level)}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.0 if x.level > 1.0 else 0.0


@given(st.floats(0.0, 1.0, exclude_max=True), st.booleans(), st.floats(0.001, 1.0), st.floats(1.5, 1e4))
def test_every_place_on_an_axis_is_a_value_within_its_bounds(
    place: float, log: bool, low: float, high: float
) -> None:
    assert low <= Axis("free", (), low, high, log).at(place) <= high
    stepped = tuple(range(2, 60, 3))
    assert Axis("stepped", stepped, 2, 59, log).at(place) in stepped


@pytest.mark.parametrize("log", [False, True])
def test_an_axis_reaches_all_its_values_from_end_to_end(log: bool) -> None:
    axis = Axis("often", tuple(range(1, 21)), 1, 20, log)
    assert {axis.at(place / 4000) for place in range(4000)} == set(range(1, 21))
    low = sum(axis.at(place / 4000) <= 4 for place in range(4000)) / 4000
    assert low == pytest.approx(0.2) if not log else low > 0.5


def test_a_param_with_a_step_or_a_logarithm_is_searched_so() -> None:
    class Stepped(Scaled):
        stepped = param(10, low=5, high=24, step=5)
        fine = param(0.1, low=0.1, high=0.5, step=0.1)
        wide = param(1.0, low=0.01, high=100.0, log=True)

    axes = {axis.name: axis for axis in axes_of(Stepped, None)}
    assert axes["stepped"].values == (5, 10, 15, 20)
    assert axes["fine"].values == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert axes["wide"].at(0.5) == pytest.approx(1.0)


@pytest.mark.full
def test_a_random_search_draws_distinct_sets_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[Mapping[str, Any]]:
        return [each.params() for each in plan_of(Scaled, random_search(300, seed)).batch()]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len({tuple(each.items()) for each in drawn(1)}) == 300
    assert {each["side"] for each in drawn(1)} == {"long", "short"}
    assert {each["free"] for each in drawn(1)} == {3}
    assert all(0.001 <= each["level"] <= 10.0 and 1 <= each["often"] <= 1000 for each in drawn(1))


def test_a_random_search_ends_where_nothing_new_is_left() -> None:
    plan = plan_of(Crossover, random_search(50, over={"fast": [5, 6, 7], "slow": [20, 40]}))
    assert len(plan.batch()) == 6


def test_refused_sets_are_skipped_and_counted_but_errors_in_a_list(walk: Walk) -> None:
    found = sweep(Crossover, walk(bars=200), {"fast": [10, 20, 30], "slow": [20, 25]})
    assert found.frame.select("fast", "slow").rows() == [(10, 20), (10, 25), (20, 25)]
    assert found.skipped == 3
    assert len(parameter_sets(Crossover, {"fast": [10, 30], "slow": [20]})) == 1
    drawn = plan_of(Crossover, random_search(40, over={"fast": range(10, 40), "slow": range(20, 30)}))
    assert all(each.params()["fast"] < each.params()["slow"] for each in drawn.batch())
    assert drawn.skipped > 0
    with pytest.raises(
        UsageError,
        match=r"set 2 of the list: Crossover\(fast=30, slow=20\) makes no sense: fast is not below",
    ):
        sweep(Crossover, walk(bars=200), [{"fast": 10}, {"fast": 30, "slow": 20}])


@pytest.mark.full
@pytest.mark.parametrize(
    "search",
    [{"fast": [50], "slow": [20]}, random_search(3, over={"fast": [50], "slow": [20, 30]}),
     guided(3, over={"fast": [50], "slow": [20, 30]})],
)  # fmt: skip
def test_a_search_whose_sets_are_all_refused_is_an_error_that_says_why(search: Any, walk: Walk) -> None:
    with pytest.raises(
        UsageError,
        match=r"Crossover refuses every set of the search .* makes no sense: fast is not below slow",
    ):
        sweep(Crossover, walk(bars=200), search)


def test_a_set_that_is_broken_rather_than_refused_is_not_skipped(walk: Walk) -> None:
    class Broken(Crossover):
        def features(self) -> dict[str, Feature]:
            if self.fast > 20:
                raise UsageError("the features are broken", "Mend them.")
            return super().features()

    with pytest.raises(UsageError, match="the features are broken"):
        sweep(Broken, walk(bars=200), {"fast": [10, 30]})


def test_a_list_may_be_parameters_instances_or_an_earlier_frame(walk: Walk) -> None:
    bars = walk(bars=300)
    listed = sweep(Crossover, bars, [{"fast": 7, "slow": 30}, Crossover(fast=9)])
    assert listed.frame.select("fast", "slow").rows() == [(7, 30), (9, 50)]
    assert sweep(Crossover, bars, listed.frame).frame.equals(listed.frame)
    assert sweep(Crossover, bars, pl.DataFrame({"slow": [30, 50], "fast": [7, 9]})).frame.equals(listed.frame)


@pytest.mark.full
def test_a_guided_search_learns_and_repeats_itself(walk: Walk) -> None:
    bars = walk(bars=600)
    found = sweep(Crossover, bars, guided(70, by="total_return", seed=3))
    assert found.frame.height == 70
    assert found.frame.select("fast", "slow").unique().height == 70
    assert found.blocks.totals.shape[0] == 70
    assert sweep(Crossover, bars, guided(70, by="total_return", seed=3), threads=1).frame.equals(found.frame)
    everything = sweep(Crossover, bars, {"fast": range(2, 61, 2), "slow": range(20, 241, 5)}).frame[
        "total_return"
    ]
    learnt = found.frame["total_return"][32:]
    assert (learnt.mean(), learnt.max()) > (everything.mean(), everything.quantile(0.95))


def test_a_guided_search_ends_where_nothing_new_is_left(walk: Walk) -> None:
    found = sweep(Crossover, walk(bars=200), guided(50, over={"fast": [5, 6, 30], "slow": [20, 40]}))
    assert sorted(found.frame.select("fast", "slow").rows()) == [(5, 20), (5, 40), (6, 20), (6, 40), (30, 40)]


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ([], "the list has no sets"),
        ("fast", "set 1 of the list is 'f', not one of Crossover"),
        (7, "a sweep cannot search 7"),
        ([{"fats": 5}], "set 1 of the list: Crossover has no parameter 'fats'"),
        (pl.DataFrame({"sharpe": [1.0]}), "the frame has no column of a parameter of Crossover"),
        (pl.DataFrame({"fast": []}), "the list has no sets"),
        (random_search(5, over={"fast": [900]}), "Crossover.fast is 900, out of bounds"),
        (guided(5, over={"fast": []}), "the grid has no values for fast"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search: Any, says: str, walk: Walk) -> None:
    with pytest.raises(UsageError, match=says):
        sweep(Crossover, walk(bars=100), search)


def test_searches_of_nothing_are_refused() -> None:
    class Bare(Strategy):
        free = param(3)

        def features(self) -> dict[str, Feature]:
            return {"free": constant(1.0)}

        @staticmethod
        def decide(x: Any) -> float:
            return 0.0

    with pytest.raises(UsageError, match="a random search of 0 sets tries nothing"):
        random_search(0)
    with pytest.raises(UsageError, match="there is no statistic 'luck'"):
        guided(5, by="luck")
    with pytest.raises(UsageError, match="no parameter of Bare has bounds or choices to search within"):
        plan_of(Bare, random_search(5))


def test_a_grid_too_large_is_counted_and_refused_before_a_set_is_made() -> None:
    class Wide(Strategy):
        a, b, c = (param(1, low=0, high=100_000) for _ in range(3))

    everything = range(100_001)
    with pytest.raises(UsageError, match=r"the grid has 1,000,030,000,300,001 sets, which need [\d,.]+ GB"):
        plan_of(Wide, {"a": everything, "b": everything, "c": everything})
    with pytest.raises(UsageError, match="the random search has 9,000,000,000 sets"):
        plan_of(Crossover, random_search(9_000_000_000))


@pytest.mark.full
def test_a_set_needs_no_more_memory_than_is_reckoned_with(walk: Walk) -> None:
    bars = walk(bars=250)
    grid = {"fast": range(2, 61), "slow": range(20, 241, 5)}
    sweep(Crossover, bars, {})
    tracemalloc.start()
    try:
        found = sweep(Crossover, bars, grid, record=False)
        peak = (
            tracemalloc.get_traced_memory()[1] - 8 * bars.height * 103
        )  # features are reckoned by themselves
    finally:
        tracemalloc.stop()
    assert peak / found.frame.height < SET_BYTES


@pytest.mark.full
def test_sweeping_a_grid_loads_nothing_that_it_does_not_need() -> None:
    spared = "optuna", "distributed", "matplotlib", "pandas", "pyarrow", "scipy.linalg"
    program = (
        "import sys\n"
        "from research import sweep\n"
        "from research.benchmarks.market import random_market\n"
        "from research.strategies.crossover import Crossover\n"
        "sweep(Crossover, random_market(2000), {'fast': range(5, 9)}, record=False)\n"
        f"print([each for each in {spared} if each in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    import subprocess

    told = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    assert told.strip() == "[]"
