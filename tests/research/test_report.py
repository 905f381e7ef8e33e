"""A report is one page that needs nothing else and says what the backtest says."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from data.errors import UsageError
from research import Backtest, backtest, report, sweep
from research.charts import buy_and_hold, closes_chart, heat_map, price_chart
from research.report import equity_svg
from research.strategies.crossover import Crossover

Walk = Callable[..., pl.DataFrame]


@pytest.fixture(scope="module")
def done(walk: Walk) -> Backtest:
    return backtest(Crossover(fast=5, slow=20), pl.concat([walk("AAA", 5000, 1), walk("BBB", 4000, 2)]))


def test_the_page_is_self_contained_and_repeats_to_the_byte(done: Backtest) -> None:
    page = report(done).html
    assert page == report(done).html
    loads = [each for each in re.findall(r"(?:src|href)=[\"']([^\"']+)", page) if not each.startswith("#")]
    assert loads == []
    assert not re.findall(r"url\((?!#)|@import|<script", page)
    assert page.count("<svg") == 4  # equity, drawdown and a price for each symbol


def test_the_page_says_the_statistics_and_the_terms(done: Backtest) -> None:
    page = report(done).html
    for said in (
        f"{done.statistics['total_return'] * 100:,.2f} %",
        f"{done.statistics['sharpe']:,.2f}",
        f"{done.statistics['trades']:,}",
        "Crossover on AAA, BBB",
        "2 of 50,000.00",
        "fast 5, slow 20",
    ):
        assert said in page
    assert f"the newest 120 of {len(done.orders.filter(pl.col('symbol') == 'AAA'))} fills" in page


def test_a_name_cannot_inject_markup(walk: Walk) -> None:
    page = report(backtest(Crossover(fast=5, slow=20), walk("<script>alert(1)</script>", 300))).html
    assert "<script" not in page


def test_a_backtest_that_never_traded_still_has_a_page(walk: Walk) -> None:
    idle = backtest(Crossover(), walk(bars=1))
    assert "no fills" in report(idle).html or "0 fills" in report(idle).html
    assert "–" in report(idle).html
    assert idle._repr_html_().startswith("<b>Crossover(fast=10, slow=50) on AAA</b>")


def test_every_picture_is_well_formed_and_small(done: Backtest, walk: Walk) -> None:
    swept = sweep(Crossover, walk(), {"fast": [5, 10], "slow": [20, 40]})
    pictures = [
        equity_svg(done),
        price_chart(done, "BBB")[0].svg,
        closes_chart(done.bars).svg,
        heat_map(swept, "fast", "slow").svg,
        heat_map(swept.with_columns(sharpe=pl.lit(None, dtype=pl.Float64)), "fast", "slow").svg,
    ]
    for svg in pictures:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert len(svg) < 100_000
    assert len(equity_svg(done)) < 40_000


def test_buy_and_hold_is_the_symbols_in_equal_parts(done: Backtest) -> None:
    held = buy_and_hold(done)
    grown = [
        closes[-1] / closes[0]
        for closes in (done.bars.filter(pl.col("symbol") == symbol)["close"] for symbol in done.symbols)
    ]
    assert held[0] == 100_000.0
    assert held[-1] == pytest.approx(100_000.0 * sum(grown) / 2)


def test_a_report_is_saved_where_it_was_asked_to_be(done: Backtest, tmp_path: Path) -> None:
    path = report(done).save(tmp_path / "page.html")
    assert path.read_text() == report(done).html
    with pytest.raises(UsageError, match=r"cannot be written to .*: No such file or directory"):
        report(done).save(tmp_path / "nowhere" / "page.html")


def test_importing_research_loads_no_plotting_and_no_oracle() -> None:
    heavy = "vectorbt", "matplotlib", "pandas", "plotly", "dagster", "talib"
    code = f"import sys, research; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
