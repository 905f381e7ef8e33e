"""The pages as a reader has them: on a phone, on a desk, in the dark, without a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from execution.strategy import CostModel
from research import backtest, compare, report, sweep
from research.reports import Report, sweep_report
from research.strategies.crossover import Crossover

pytestmark = pytest.mark.full

FLAGS: Final = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
]  # fmt: skip

SCREENS: Final = {"phone": (390, 844), "tablet": (768, 1024), "desk": (1280, 900)}

LETTERS_MIN_PX: Final = 11.0

SMALLEST: Final = """() => {
    let least = [99, ""];
    for (const each of document.querySelectorAll("body *")) {
        const written = [...each.childNodes].filter(node => node.nodeType === 3).map(node => node.textContent).join("");
        if (!written.trim() || !each.getClientRects().length) continue;
        const turned = each.ownerSVGElement ? each.getScreenCTM() : {a: 1, b: 0};
        const size = parseFloat(getComputedStyle(each).fontSize) * Math.hypot(turned.a, turned.b);
        if (size < least[0]) least = [size, written.trim()];
    }
    return least;
}"""

EMPTY: Final = """() => [...document.querySelectorAll("svg")].filter(each => each.getClientRects().length
    && (each.getBoundingClientRect().height < 40 || !each.querySelector("path"))).length"""


@pytest.fixture(scope="module")
def pages(walk: Any, checks: list[dict[str, Any]]) -> dict[str, Report]:
    """A tear sheet of what fills every card, a comparison, and a sweep."""
    bars = pl.concat([walk("AAA", 4000, 1, per_day=60), walk("BBB", 4000, 2, per_day=60)])
    costs = CostModel(2.0, 1.0, 1.0, 300.0, 900.0)
    runs = [backtest(Crossover(fast=fast, slow=20), bars, costs=costs, record=False) for fast in (3, 5, 8)]
    return {
        "sheet": report(runs[0], checks),
        "comparison": compare(runs),
        "sweep": sweep_report(
            sweep(Crossover, bars, {"fast": [3, 5, 8], "slow": [20, 30]}, costs=costs, record=False)
        ),
    }


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


def opened(browser: Browser, file: Path, screen: str, scheme: Any) -> tuple[Page, list[str]]:
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, is_mobile=screen == "phone"
    )
    context.set_offline(True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on(
        "request",
        lambda asked: complaints.append(asked.url) if asked.url[:5] not in ("file:", "data:") else None,
    )
    page.goto(file.as_uri())
    return page, complaints


@pytest.mark.parametrize("name", ["sheet", "comparison", "sweep"])
@pytest.mark.parametrize(("screen", "scheme"), [("phone", "light"), ("tablet", "light"), ("desk", "dark")])
def test_a_page_is_read_without_scrolling_sideways_without_a_network_and_without_a_lens(
    browser: Browser, pages: dict[str, Report], tmp_path: Path, name: str, screen: str, scheme: str
) -> None:
    page, complaints = opened(browser, pages[name].save(tmp_path / "page.html"), screen, scheme)
    width = SCREENS[screen][0]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    size, words = page.evaluate(SMALLEST)
    assert size >= LETTERS_MIN_PX, words
    assert page.locator("svg:visible").count() >= (9 if name == "sheet" else 1)
    assert page.evaluate(EMPTY) == 0
    page.screenshot(path=tmp_path / f"{name}-{screen}.png", full_page=True)
    assert complaints == []
    page.context.close()


def test_a_dark_page_has_light_letters_in_its_pictures_too(
    browser: Browser, pages: dict[str, Report], tmp_path: Path
) -> None:
    file = pages["sheet"].save(tmp_path / "page.html")
    for scheme, is_light in (("dark", True), ("light", False)):
        page, _ = opened(browser, file, "desk", scheme)
        for each in ("h1", "svg:visible text"):
            fill = page.locator(each).first.evaluate(
                "each => getComputedStyle(each)[each.ownerSVGElement ? 'fill' : 'color']"
            )
            brightness = sum(int(part) for part in fill[4:-1].split(","))
            assert (brightness > 384) == is_light, (each, fill)
        page.context.close()
