"""Runs side by side: named by what they differ in, the best of each marked, on one timeline."""

import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from data.errors import UsageError
from research import Backtest, backtest, compare
from research.reports.comparison import correlations, differences, growth, statistics_table
from research.strategies.buy_and_hold import BuyAndHold
from research.strategies.crossover import Crossover

Walk = Callable[..., pl.DataFrame]


@pytest.fixture(scope="module")
def eight(walk: Walk) -> list[Backtest]:
    bars = walk(bars=300, per_day=10)
    return [backtest(Crossover(fast=fast, slow=20), bars, record=False) for fast in range(3, 11)]


def heads_of(page: str) -> list[str]:
    return re.findall(r'<th scope="col">([^<]*)</th>', page[: page.index("</thead>")])


@pytest.mark.full
def test_two_runs_are_named_by_what_they_differ_in(eight: list[Backtest]) -> None:
    page = compare(eight[:2]).html
    assert "2 runs compared" in page
    assert heads_of(page) == ["", "fast 3", "fast 4"]
    assert "<td>fast</td><td>3</td><td>4</td>" in page
    assert "<script" not in page


@pytest.mark.full
def test_eight_runs_have_a_page_that_repeats_to_the_byte(eight: list[Backtest]) -> None:
    page = compare(eight).html
    assert heads_of(page) == ["", *(f"fast {fast}" for fast in range(3, 11))]
    assert page == compare(eight).html


def test_one_run_and_nine_are_refused(eight: list[Backtest]) -> None:
    for count, several in ((9, [*eight, eight[0]]), (1, eight[:1]), (0, [])):
        plural = "" if count == 1 else "s"
        with pytest.raises(UsageError, match=f"a comparison of {count} run{plural} cannot be drawn"):
            compare(several)


def test_the_best_of_each_statistic_is_marked_and_no_other(eight: list[Backtest]) -> None:
    named = {f"run {place}": run for place, run in enumerate(eight)}
    rows = {row["name"]: row["cells"] for row in statistics_table(named)}
    for title, name, best in (
        ("Sharpe ratio", "sharpe", max), ("Deepest drawdown", "max_drawdown", max), ("Slippage paid", "slippage", min),
    ):  # fmt: skip
        values = [run.statistics[name] for run in eight]
        assert [cell["best"] for cell in rows[title]] == [value == best(values) for value in values]
    assert not any(cell["best"] for cell in rows["Closed trades"])  # more is not better
    assert not any(cell["best"] for cell in rows["Commission paid"])  # all the same


@pytest.mark.full
def test_runs_of_the_same_name_are_told_apart(walk: Walk) -> None:
    same = backtest(BuyAndHold(), walk(bars=40, per_day=10), record=False)
    page = compare([same, same]).html
    heads = heads_of(page)
    assert len(set(heads)) == 3
    assert heads[1].endswith("#1")
    assert "Nothing but perhaps their code and bars" in page
    other = backtest(BuyAndHold(), walk("BBB", 40, per_day=10), record=False)
    assert heads_of(compare([same, other]).html) == ["", "AAA", "BBB"]
    assert heads_of(compare({"<i>mine</i>": same, "yours": other}).html)[1] == "&lt;i&gt;mine&lt;/i&gt;"


def test_different_ranges_stand_on_one_timeline_and_each_ends_where_it_ended(walk: Walk) -> None:
    whole = walk(bars=400, per_day=10)
    early = backtest(BuyAndHold(), whole.head(250), record=False)
    late = backtest(BuyAndHold(), whole.tail(300), record=False)
    named = {"early": early, "late": late}
    says = growth(named).says
    for name, run in named.items():
        made = (run.equity["equity"][-1] / run.capital - 1.0) * 100.0
        assert f"{name} ends at {made:.2f} %" in says
    told = {row[0]: row[1:] for row in differences(named)}
    assert set(told) == {"first bar", "last bar"}
    assert told["first bar"][0] == "5 Jan 2026 14:30"


def test_correlations_are_of_the_sessions_that_both_runs_have(walk: Walk) -> None:
    whole = walk(bars=400, per_day=10)
    one = backtest(Crossover(fast=3, slow=20), whole.head(250), record=False)
    other = backtest(BuyAndHold(), whole.tail(300), record=False)

    def returns(run: Backtest) -> dict[object, float]:
        ends = dict(
            run.equity.select(pl.col("ts_utc").dt.date(), "equity").iter_rows()
        )  # the last of a day wins
        worth = [run.capital, *ends.values()]
        return dict(zip(ends, [after / before - 1.0 for before, after in pairwise(worth)], strict=True))

    mine, theirs = returns(one), returns(other)
    common = [day for day in mine if day in theirs]
    expected = np.corrcoef([mine[day] for day in common], [theirs[day] for day in common])[0, 1]
    assert correlations({"one": one, "other": other})[0] == ["one", "1.00", f"{expected:.2f}"]
    flat = backtest(Crossover(fast=50, slow=240), whole.head(100), record=False)
    assert correlations({"flat": flat, "other": one})[0][2] == "–"


@pytest.mark.full
def test_the_picture_is_a_png_that_repeats_to_the_byte(eight: list[Backtest]) -> None:
    once = compare(eight).png()
    assert once.startswith(b"\x89PNG")
    assert once == compare(eight).png()
