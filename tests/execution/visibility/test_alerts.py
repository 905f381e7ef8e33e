"""An alert is told once, soon, and never in the way of trading."""

import asyncio
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from structlog.testing import capture_logs

from data.errors import UsageError
from data.settings import ROOT
from execution.settings import ExecutionSettings
from execution.visibility.alerts import LAST_WORDS_S, Alert, Alerts, Kind, People

SECRET = "t0ken-of-the-pager"


class Webhook(ThreadingHTTPServer):
    """Answers every POST with `status`, once `may_answer` is set."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = status
        self.may_answer = Event()
        self.may_answer.set()
        self.asked = Event()
        self.heard: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_address[1]}/{SECRET}"

    def __enter__(self) -> "Webhook":
        self._thread = Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.asked.set()
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The tests look at what was heard."""


class Told:
    """Alerts, and what became of them."""

    def __init__(self, urls: str, **changes: Any) -> None:
        self.recorded: list[dict[str, Any]] = []
        self.counted: list[Alert] = []
        settings = ExecutionSettings.model_validate(changes)
        self.alerts = Alerts("paper", settings, People(urls), self._record, self.counted.append)

    async def _record(self, told: dict[str, Any]) -> None:
        self.recorded.append(told)

    def deliver(self, act: Callable[[Alerts], None]) -> None:
        async def go() -> None:
            delivering = asyncio.create_task(self.alerts.run())
            act(self.alerts)
            await self.alerts.flush()
            delivering.cancel()
            await asyncio.wait([delivering])

        asyncio.run(go())


@pytest.mark.full
def test_an_alert_says_what_happened_to_whom_and_where_to_read_on() -> None:
    with Webhook() as webhook:
        told = Told(webhook.url)
        told.deliver(
            lambda alerts: alerts.raise_alert("broker_silent", "critical", "the broker", silent_s=61)
        )
    (heard,) = webhook.heard
    assert heard["title"] == "Slipway paper: broker silent (critical)"
    assert heard["type"] == "failure"
    assert "silent_s: 61" in heard["message"]
    assert "docs/runbook.md, alert `broker_silent`" in heard["message"]
    assert [each["kind"] for each in told.recorded] == ["broker_silent"]


def test_the_same_about_the_same_is_told_once_and_again_when_it_came_back() -> None:
    def act(alerts: Alerts) -> None:
        for _ in range(5):
            alerts.raise_alert("disk", "warning", "/data", free_gb=1)
        alerts.raise_alert("disk", "warning", "/lake", free_gb=1)
        alerts.over("disk", "/data")
        alerts.raise_alert("disk", "warning", "/data", free_gb=1)

    told = Told("")
    told.deliver(act)
    assert [(each.subject, each.suppressed) for each in told.counted] == [
        ("/data", 0),
        ("/lake", 0),
        ("/data", 4),
    ]


@pytest.mark.full
def test_a_storm_is_recorded_whole_and_told_in_part() -> None:
    def act(alerts: Alerts) -> None:
        for number in range(20):
            alerts.raise_alert("symbol_halted", "critical", f"S{number}")

    with Webhook() as webhook:
        told = Told(webhook.url, alerts_per_minute=3.0)
        told.deliver(act)
    assert len(webhook.heard) == 3
    assert len(told.recorded) == 20


@pytest.mark.full
def test_a_pager_that_refuses_is_logged_without_its_address() -> None:
    with Webhook(status=500) as webhook, capture_logs() as logs:
        told = Told(webhook.url)
        told.deliver(lambda alerts: alerts.raise_alert("disk", "warning", "/data"))
    assert [line["to"] for line in logs if line["event"] == "an alert did not arrive"] == [
        "the 1. address in SLIPWAY_ALERT_URLS, JSON"
    ]
    assert SECRET not in repr(logs)
    assert told.recorded, "the screens have it all the same"


def test_a_ledger_that_refuses_costs_the_record_and_nothing_else() -> None:
    async def refuse(_: dict[str, Any]) -> None:
        raise ConnectionError("gone")

    async def go() -> None:
        alerts = Alerts("paper", ExecutionSettings(), People(""), refuse, lambda _: None)
        delivering = asyncio.create_task(alerts.run())
        alerts.raise_alert("disk", "warning", "/data")
        alerts.raise_alert("disk", "warning", "/lake")
        await alerts.flush()
        assert not delivering.done()
        delivering.cancel()

    with capture_logs() as logs:
        asyncio.run(go())
    assert [line["error"] for line in logs if line["event"] == "an alert could not be told"] == [
        "ConnectionError: gone", "ConnectionError: gone",
    ]  # fmt: skip


@pytest.mark.full
def test_raising_never_waits_for_a_pager_that_hangs() -> None:
    with Webhook() as webhook:
        webhook.may_answer.clear()
        told = Told(webhook.url)

        async def go() -> float:
            delivering = asyncio.create_task(told.alerts.run())
            told.alerts.raise_alert("disk", "warning", "first")
            await asyncio.to_thread(webhook.asked.wait)
            before = time.monotonic()
            for number in range(2_000):
                told.alerts.raise_alert("disk", "warning", str(number))
            took_s = time.monotonic() - before
            webhook.may_answer.set()
            delivering.cancel()
            return took_s

        with capture_logs() as logs:
            took_s = asyncio.run(go())
    assert took_s < LAST_WORDS_S / 2
    assert len(told.counted) == 2_001
    assert any(line["event"].startswith("too many alerts wait") for line in logs)


@pytest.mark.full
@pytest.mark.parametrize("urls", ["nonsense", "json://127.0.0.1:1,teleport://x/" + SECRET])
def test_an_address_that_nobody_knows_is_named_and_not_shown(urls: str) -> None:
    with pytest.raises(UsageError, match="SLIPWAY_ALERT_URLS") as refused:
        People(urls)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(ExecutionSettings.model_validate({"SLIPWAY_ALERT_URLS": SECRET}))


@pytest.mark.parametrize("kind", Kind.__args__)
def test_the_runbook_says_what_to_do_about_every_alert(kind: str) -> None:
    assert f"| `{kind}` |" in (ROOT / "docs" / "runbook.md").read_text()
