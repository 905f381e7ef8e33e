"""Sweeps as pictures: the one that fits what was varied, with what has no value left grey and never a number."""

import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from data.errors import UsageError
from research import Sweep, sweep
from research.reports import heat_map, sweep_html, sweep_report
from research.reports.sweep_map import UNKNOWN, map_panel, picture_of
from research.strategies.crossover import Crossover

Walk = Callable[..., pl.DataFrame]


@pytest.fixture(scope="module")
def swept(walk: Walk) -> Sweep:
    """Where slow is long nothing ever trades, so that its cells have no Sharpe ratio."""
    bars = walk(bars=120, per_day=20)
    return sweep(Crossover, bars, {"fast": [5, 10, 30], "slow": [20, 40, 200]}, record=False)


def made(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def texts_in(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_cells_without_a_value_are_grey_and_say_no_number(swept: Sweep) -> None:
    assert swept.frame["sharpe"].null_count() == 3
    assert swept.skipped == 1
    chart = swept.heat_map()
    assert chart.svg.lower().count(UNKNOWN) >= 1
    known = swept.frame["sharpe"].drop_nulls()
    said = texts_in(chart.svg)
    assert {f"{value:.2f}" for value in known} <= set(said)
    assert not any("nan" in text.lower() or text == "–" for text in said)
    best = swept.ranked().row(0, named=True)
    assert f"the best is {best['sharpe']:.2f} at fast {best['fast']}, slow {best['slow']}" in chart.says
    assert f"best {best['sharpe']:.2f}" in said


@pytest.mark.full
def test_a_sweep_in_which_nothing_traded_still_has_a_map(walk: Walk) -> None:
    none = sweep(Crossover, walk(bars=60), {"fast": [20, 30], "slow": [100, 200]}, record=False)
    assert none.frame["sharpe"].null_count() == 4
    assert "no set has one" in none.heat_map().says
    assert not any("nan" in text.lower() for text in texts_in(none.heat_map().svg))


def test_one_parameter_is_a_line(walk: Walk) -> None:
    one = sweep(Crossover, walk(bars=120), {"fast": [3, 5, 8, 13]}, record=False)
    panel = picture_of(one.frame)
    assert panel.title == "Sharpe ratio over fast"
    assert texts_in(panel.chart().svg)[:4] == ["3", "5", "8", "13"]
    with pytest.raises(UsageError, match="a heat map needs two parameters that the sweep varied"):
        heat_map(one.frame)


def test_of_three_parameters_each_cell_is_the_best_and_the_caption_says_over_what() -> None:
    frame = made(a=[1, 1, 2, 2], b=[3, 3, 4, 3], c=[5, 6, 5, 6], sharpe=[0.25, 1.75, -1.0, None])
    chart = map_panel(frame).chart()
    assert "each cell is the best over c; the best is 1.75 at a 1, b 3, c 6" in chart.says
    assert {"1.75", "-1.00"} <= set(texts_in(chart.svg))
    assert "0.25" not in texts_in(chart.svg)
    assert "Sharpe ratio, the best over c" in texts_in(chart.svg)
    across_c = map_panel(frame, x="c", y="a")
    assert across_c.title == "Sharpe ratio over c and a"


def test_nothing_varied_is_a_sentence() -> None:
    assert picture_of(made(a=[1], b=[2], sharpe=[0.5])).says.startswith("There is nothing to compare")


def test_points_are_drawn_where_no_grid_was_tried() -> None:
    count = 30
    frame = made(
        a=[float(number) for number in range(count)],
        b=[float(number * 7 % count) for number in range(count)],
        sharpe=[None if number % 5 == 0 else number / 10.0 for number in range(count)],
    )
    panel = picture_of(frame)
    assert panel.says.startswith("each point is a set; the best is 2.90 at a 29")
    assert panel.chart().svg.startswith("<svg")


def test_what_the_sweep_does_not_have_is_refused(swept: Sweep) -> None:
    with pytest.raises(UsageError, match="the sweep has no parameter 'pace'"):
        swept.heat_map(x="pace")
    with pytest.raises(UsageError, match="the sweep has no statistic 'luck'"):
        swept.heat_map(by="luck")
    with pytest.raises(UsageError, match="is too fine to look at"):
        heat_map(made(a=list(range(201)), b=list(range(201)), sharpe=[0.0] * 201))


@pytest.mark.full
def test_the_page_ranks_the_best(swept: Sweep) -> None:
    page = sweep_report(swept).html
    assert "The best 8 of 8" in page
    assert "8 sets, 1 more refused by the strategy, ranked by Sharpe ratio" in page
    rows = re.findall(r"<tr><td>(\d+)</td><td>(\d+)</td>", page)
    ranked = swept.ranked().select("fast", "slow").rows()
    assert rows == [(str(fast), str(slow)) for fast, slow in ranked]
    assert "<script" not in page


def test_names_in_a_notebook_are_text(swept: Sweep) -> None:
    class Named:
        strategy, symbols, skipped, record = Crossover, ("<b>A</b>",), 0, "not recorded: <i>why</i>"
        frame = swept.frame

    said = sweep_html(Named())
    assert "<i>" not in said
    assert "&lt;b&gt;A&lt;/b&gt;" in said


@pytest.mark.full
def test_pages_and_pictures_of_sweeps_repeat_to_the_byte(swept: Sweep) -> None:
    assert sweep_report(swept).html == sweep_report(swept).html
    assert swept.heat_map().png.startswith(b"\x89PNG")
    assert sweep_report(swept).png().startswith(b"\x89PNG")
