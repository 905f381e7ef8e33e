"""A report is one page that needs nothing else and says what the backtest says, whatever the history."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data.errors import UsageError
from data.instruments import ACTION_SCHEMA
from execution.strategy import CostModel, Feature, Strategy, price
from research import Backtest, backtest
from research.reports import Report, report
from research.reports.believing import checked
from research.strategies.buy_and_hold import BuyAndHold
from research.strategies.crossover import Crossover
from research.strategies.pairs import Pairs
from research.validation import Thresholds, validate
from research.validation.calibration import LOT, market
from research.validation.checks import checks_of

Walk = Callable[..., pl.DataFrame]
Rows = list[dict[str, Any]]


class Whipped(Strategy):
    """Buys after each rise and sells after each fall: on a zigzag it is always wrong."""

    def features(self) -> dict[str, Feature]:
        return {"close": price("close"), "open": price("open")}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.0 if x.close > x.open else 0.0


def words_of(page: str) -> str:
    """What a reader sees, without markup."""
    body = re.sub(r"<style>.*?</style>", " ", page[page.index("<body") :], flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def pictures_in(page: str) -> list[str]:
    """What each picture shows, in the words it gives to those who cannot see it."""
    return re.findall(r'<svg role="img" aria-label="([^"]*)"', page)


def test_the_page_is_self_contained(page: Report) -> None:
    outward = re.findall(r"(?:src|href|srcset|action|data|poster)=[\"']([^\"'#][^\"']*)", page.html)
    assert [each for each in outward if not each.startswith("data:image/png;base64,")] == []
    assert re.findall(r"url\((?!#|\")[^)]*\)|@import|<(?:script|link|iframe|object|embed)\b", page.html) == []
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # fetched by nobody
    assert set(re.findall(r"(?:https?:)?//[\w./-]+", page.html)) <= names


@pytest.mark.full
def test_the_page_repeats_to_the_byte(done: Backtest, checks: Rows, page: Report) -> None:
    assert report(done, checks).html == page.html


def test_no_two_pictures_of_a_page_share_an_id(page: Report) -> None:
    ids = re.findall(r'\sid="([^"]*)"', page.html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', page.html)) <= set(ids)


def test_the_page_says_the_statistics_and_draws_every_picture(done: Backtest, page: Report) -> None:
    said = words_of(page.html)
    assert f"{done.statistics['sharpe']:,.2f}" in said
    assert f"Closed trades {done.statistics['trades']:,}" in said
    shown = {picture.split(":")[0] for picture in pictures_in(page.html)}
    assert shown == {
        "Equity", "Drawdown", "Annual returns", "Exposure", "What it cost", "Returns of trades",
        "Trades by time held", "AAA", "BBB",
    }  # fmt: skip
    assert "Not enough history for a rolling Sharpe ratio: 8 of 20 sessions." in said
    assert "Not recorded: switched off by record=False" in said


@pytest.mark.full
def test_a_name_cannot_inject_markup(walk: Walk) -> None:
    name = "<script>alert('1')</script>\"><b>&"
    told = {"<i>who</i>": "<img src=x onerror=alert(1)>"}
    page = report(backtest(BuyAndHold(), walk(name, 60), record=False), provenance=told).html
    assert not re.search(r"<script|<img|<i>|\"><b>", page)
    assert "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;" in page


def test_one_bar_still_has_a_page_that_says_what_is_missing(walk: Walk) -> None:
    page = report(backtest(Crossover(), walk(bars=1), record=False)).html
    assert pictures_in(page) == []
    for says in ("for an equity curve: there is one bar", "No drawdown to draw", "Nothing was ever held"):
        assert says in words_of(page)


@pytest.mark.full
def test_no_trades_are_no_error(walk: Walk) -> None:
    page = report(backtest(Crossover(fast=50, slow=200), walk(bars=100), record=False)).html
    said = words_of(page)
    for says in (
        "Nothing was traded, and nothing paid.",
        "No trade was closed.",
        "equity never fell",
        "Not validated",
    ):
        assert says in said
    assert "nan" not in said.lower()


def zigzag(walk: Walk, bars: int) -> pl.DataFrame:
    """Up one day, further down the next."""
    close = 100.0 * np.cumprod(np.where(np.arange(bars) % 2 == 0, 1.01, 0.98))
    opened = np.concatenate(([100.0], close[:-1]))
    return walk(bars=bars, per_day=1).with_columns(
        open=pl.Series(opened), close=pl.Series(close), high=pl.Series(np.maximum(opened, close)),
        low=pl.Series(np.minimum(opened, close)),
    )  # fmt: skip


@pytest.mark.full
def test_nothing_but_losses_is_drawn_and_said(walk: Walk) -> None:
    done = backtest(Whipped(), zigzag(walk, 90), record=False)
    assert done.statistics["win_rate"] == 0.0
    page = report(done).html
    said = words_of(page)
    assert "Winning trades 0.00 %" in said
    assert f"Longest losing streak {done.statistics['trades']}" in said
    assert f"{done.statistics['trades']} closed trades, 0 % won" in " ".join(pictures_in(page))
    assert "Payoff: mean win over mean loss –" in said


@pytest.mark.full
def test_a_trade_that_is_still_open_is_counted_and_not_closed(walk: Walk) -> None:
    page = report(backtest(BuyAndHold(), walk(bars=200, per_day=10), record=False)).html
    said = words_of(page)
    assert "Still open at the end 1" in said
    assert "closed trades" in said
    assert "AAA: closes of AAA" in " ".join(pictures_in(page))


@pytest.mark.full
def test_one_month_of_minutes(walk: Walk) -> None:
    done = backtest(Crossover(fast=5, slow=20), walk(bars=21 * 390), record=False)
    page = report(done).html
    assert "Rolling Sharpe ratio: between" in " ".join(pictures_in(page))
    assert len(page) < 400_000


@pytest.mark.full
def test_twelve_symbols_are_told_apart_and_what_is_left_out_is_said(walk: Walk) -> None:
    bars = pl.concat([walk(f"S{number:02}", 300, number, per_day=10) for number in range(12)])
    page = report(backtest(Crossover(fast=5, slow=20), bars, record=False)).html
    assert "Crossover on S00, S01, S02, S03, S04 and 7 more" in words_of(page)
    assert "6 others" in next(each for each in pictures_in(page) if each.startswith("Exposure"))
    assert (
        sum(each.split(":")[0] in {f"S{number:02}" for number in range(12)} for each in pictures_in(page))
        == 6
    )
    rows = re.findall(r"<tr>\s*<td>(S\d\d)</td>", page)
    assert rows == [f"S{number:02}" for number in range(12)]


@pytest.mark.full
def test_a_portfolio_with_splits_and_dividends_has_a_page(walk: Walk) -> None:
    bars = pl.concat([walk("AAA", 2000, 1, per_day=100), walk("BBB", 2000, 2, per_day=100)])
    days = bars["ts_utc"].dt.date().unique().sort()
    actions = pl.DataFrame(
        [("AAA", days[5], "split", 2.0, None), ("BBB", days[9], "dividend", None, 0.4)],
        schema=ACTION_SCHEMA,
        orient="row",
    )
    costs = CostModel(2.0, 1.0, 1.0, 300.0, 900.0)
    done = backtest(Pairs(period=100), bars, costs=costs, actions=actions, record=False)
    assert done.statistics["trades"] > 0
    said = words_of(report(done).html)
    assert "Books one account for all" in said
    assert "nan" not in said.lower()


@pytest.mark.full
def test_the_picture_is_a_png_that_repeats_to_the_byte(page: Report, tmp_path: Path) -> None:
    saved = page.save(tmp_path / "sheet.png").read_bytes()
    assert saved.startswith(b"\x89PNG")
    assert saved == page.png()


def test_a_file_of_another_kind_or_in_no_folder_is_refused(page: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written as 'sheet.pdf'"):
        page.save(tmp_path / "sheet.pdf")
    with pytest.raises(UsageError, match="there is no folder"):
        page.save(tmp_path / "nowhere" / "sheet.html")


@pytest.mark.parametrize(
    ("answers", "says", "tone"),
    [
        ((True, True), "Validation passed: all 2 checks", "good"),
        ((True, False, None), "Validation not passed: 2 of 3 checks", "bad"),
        ((), "Not validated", "open"),
    ],
)
def test_only_a_validation_whose_every_check_passed_is_one(
    checks: Rows, answers: tuple[bool | None, ...], says: str, tone: str
) -> None:
    rows = [{**checks[0], "passed": answer} for answer in answers]
    found = checked(rows)
    assert (found.says, found.tone) == (says, tone)


def test_every_check_stands_on_the_page(page: Report) -> None:
    said = words_of(page.html)
    assert said.count("Validation not passed: 2 of 3 checks") == 2
    for name, verdict in (
        ("luck", "passed"),
        ("skill", "failed"),
        ("&lt;b&gt;time&lt;/b&gt;", "no evidence"),
    ):
        told = f"{name} 0.5 at least 0.4 {verdict} Of {name} it says &lt;this&gt;."
        assert told in said
    assert '<li class="bad"><a href="#validation">' in page.html


@pytest.mark.full
def test_a_validation_says_what_was_judged_and_what_it_was_chosen_from() -> None:
    bars = market("edge", 7, years=2.0)
    refused = validate(
        Crossover, bars, {"fast": range(2, 42, 8), "slow": range(60, 140, 16)}, lot=LOT, record=False
    )
    assert not refused.passed
    lenient = Thresholds(
        trades_min=0, confidence=0.5, overfitting_max=1.0, efficiency_min=-9.0, positive_paths_min=0.0,
        dearer_min=-9.0, late_min=-9.0, positive_neighbours_min=0.0, neighbours_ratio_min=-9.0,
        profitable_periods_min=0.0, drawdown_max=1.0,
    )  # fmt: skip
    passed = replace(refused, checks=checks_of(refused.evidence, lenient))
    for judged, says in ((refused, "Validation not passed: "), (passed, "Validation passed: all 14 checks")):
        sheet = report(judged.evidence.result, judged)
        said = html.unescape(words_of(sheet.html))
        assert said.count(says) == 2
        assert judged.verdict in said
        assert all(f"{check.name} " in said and check.explanation in said for check in judged.checks)
        assert "chosen from 25 parameter sets, by Sharpe ratio" in said
        assert "nobody counted earlier ones" in said
        assert sheet.png().startswith(b"\x89PNG")
    other = backtest(Crossover(fast=6, slow=20), bars, record=False)
    with pytest.raises(UsageError, match="the validation is of Crossover"):
        report(other, refused)
