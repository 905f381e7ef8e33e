"""A report is one page that needs nothing else and says what the backtest says."""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from research import Backtest, backtest
from research.reports import report
from research.strategies.crossover import Crossover

Walk = Callable[..., pl.DataFrame]


@pytest.fixture(scope="module")
def done(walk: Walk) -> Backtest:
    return backtest(Crossover(fast=5, slow=20), pl.concat([walk("AAA", 5000, 1), walk("BBB", 4000, 2)]))


def test_the_page_is_self_contained_and_repeats_to_the_byte(done: Backtest) -> None:
    page = report(done).html
    assert page == report(done).html
    assert re.findall(r"(?:src|href)=[\"']([^\"'#][^\"']*)", page) == []
    assert "<script" not in page


def test_the_page_says_the_statistics(done: Backtest) -> None:
    page = report(done).html
    assert f"{done.statistics['sharpe']:,.2f}" in page
    assert f"{done.statistics['trades']:,}" in page


def test_a_name_cannot_inject_markup(walk: Walk) -> None:
    page = report(backtest(Crossover(fast=5, slow=20), walk("<script>alert(1)</script>", 300))).html
    assert "<script" not in page


def test_one_bar_still_has_a_page(walk: Walk) -> None:
    assert "Crossover" in report(backtest(Crossover(), walk(bars=1))).html


@pytest.mark.full
def test_the_picture_is_a_png(done: Backtest, tmp_path: Path) -> None:
    saved = report(done).save(tmp_path / "sheet.png")
    assert saved.read_bytes().startswith(b"\x89PNG")
