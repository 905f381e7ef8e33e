"""The page as people see it: in a real browser, against a running monitor, fed only by the stream."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from desk_day import NOW_BAR, OPEN_BELL, play
from playwright.sync_api import Browser, Page, expect, sync_playwright
from running_monitor import PASSWORD, Monitor, running
from trading_floor import MINUTE, Floor

from data.settings import DataSettings

DIST = Path(__file__).parents[2] / "api" / "web" / "dist"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip

pytestmark = pytest.mark.full


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    if not (DIST / "index.html").is_file():
        pytest.fail("the page is not built; run: cd api/web && npm ci && npm run build")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1600, "height": 950})
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield opened
    # A refused log-in and a server that went away are the browser's own complaints, and meant here.
    assert [line for line in complaints if not re.match("Failed to load resource|WebSocket", line)] == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = tmp_path / ".slipway" / "screenshots"
    folder.mkdir(parents=True)
    return folder


@contextmanager
def beating(floor: Floor) -> Iterator[None]:
    """The engine's heartbeat, twice a second, while the test looks on."""
    import psycopg

    over = threading.Event()

    def beat(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.wait(0.5):
                connection.execute("update lease set heartbeat_at = clock_timestamp() where epoch > 0")

    thread = threading.Thread(target=beat, args=(floor.url,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def log_in(page: Page, monitor: Monitor) -> None:
    monitor.add_user("ada", "trader")
    page.goto(monitor.url)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("wrong-password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not fit")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_trader_watches_a_fill_arrive_and_kills_the_account(
    page: Page, monitor: Monitor, floor: Floor, shots: Path
) -> None:
    last = play(floor)
    with beating(floor):
        log_in(page, monitor)
        expect(page.get_by_test_id("mode")).to_have_text("running")
        expect(page.get_by_role("region", name="Chart").locator("canvas").first).to_be_visible()
        expect(page.get_by_role("region", name="Strategy versions")).to_contain_text("✓ parity")
        expect(page.get_by_role("region", name="Positions").locator("tbody tr")).to_have_count(4)

        # What happens now reaches the page over the stream, without a reload.
        bar = OPEN_BELL + NOW_BAR * MINUTE
        coid = floor.order("BBB", "buy", 219, last["BBB"], bar, state="ACKED")
        order = page.locator(f"tr[data-coid={coid}]")
        expect(order).to_contain_text("acked")
        execution = floor.fill(coid, last["BBB"] + 0.01, bar + MINUTE)
        expect(order).to_contain_text("filled")
        expect(page.locator(f"tr[data-execution={execution}]")).to_contain_text("219")
        page.screenshot(path=shots / "running.png")

        page.get_by_role("button", name="Kill").click()
        confirm = page.get_by_role("button", name="Kill now")
        expect(confirm).to_be_disabled()
        page.get_by_label("Reason, for the record").fill("runaway orders in BBB")
        page.screenshot(path=shots / "kill-dialog.png")
        confirm.click()
        expect(page.get_by_test_id("mode")).to_have_text("killed")
        expect(page.get_by_test_id("killed")).to_contain_text("runaway orders in BBB")
        expect(page.get_by_test_id("killed")).to_contain_text("Not yet verified flat")
        assert floor.db.execute("select mode, actor from controls").fetchone() == ("killed", "ada")

        held = floor.db.execute("select symbol, qty from positions where qty > 0").fetchall()
        for symbol, quantity in held:
            floor.trade(
                symbol, "sell", quantity, last[symbol], bar, strategy="kill switch", artifact_hash=None
            )
        expect(page.get_by_role("region", name="Orders")).to_contain_text("kill switch (operator)")
        floor.db.execute("update controls set verified_flat_at = clock_timestamp()")
        floor.tell("control")
        expect(page.get_by_test_id("killed")).to_contain_text("Verified flat with the broker")
        page.screenshot(path=shots / "killed.png")


def test_a_silent_engine_turns_red(page: Page, monitor: Monitor, floor: Floor, shots: Path) -> None:
    play(floor)
    log_in(page, monitor)
    floor.db.execute("update lease set heartbeat_at = clock_timestamp() - interval '42 seconds'")
    expect(page.get_by_role("alert")).to_contain_text("The engine is silent for 4")
    expect(page.locator(".sign.bad")).to_contain_text("silent")
    page.screenshot(path=shots / "silent.png")


def test_a_lost_server_is_said_at_once_and_found_again(
    page: Page, desk: DataSettings, floor: Floor, shots: Path
) -> None:
    play(floor)
    with running(desk) as monitor:
        log_in(page, monitor)
        expect(page.locator(".signs")).to_contain_text("Stream live")
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    page.screenshot(path=shots / "lost.png")
    floor.order("AAA", "buy", 5, 48.0, OPEN_BELL, state="ACKED")  # told while nobody listened
    with running(desk, listen_on=monitor.port):
        expect(page.locator(".signs")).to_contain_text("Stream live", timeout=15_000)
        expect(page.get_by_role("tab", name="Open 1")).to_be_visible()
        page.goto("about:blank")


def test_an_empty_house_says_what_to_do_next(page: Page, monitor: Monitor, shots: Path) -> None:
    log_in(page, monitor)
    expect(page.get_by_role("heading")).to_have_text("No account trades here yet")
    expect(page.get_by_text("./slipway demo")).to_be_visible()
    page.screenshot(path=shots / "empty.png")


def test_a_viewer_sees_everything_and_may_press_nothing(page: Page, monitor: Monitor, floor: Floor) -> None:
    monitor.add_user("eve", "viewer")
    page.goto(monitor.url)
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_test_id("mode")).to_have_text("running")
    expect(page.get_by_role("button", name="Kill")).to_be_disabled()
    expect(page.get_by_role("region", name="Positions")).to_contain_text("Flat")
