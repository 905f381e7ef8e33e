"""What only time shows is noticed, told once, and told again when it comes back."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from data import bus
from execution.feeds.status import FeedStatus, State
from execution.flow.happenings import (
    BrokerSilent,
    Halted,
    ModeSeen,
    Reconciled,
    Unexplained,
    Violated,
)
from execution.settings import ExecutionSettings
from execution.visibility.alerts import Alert, Alerts, People
from execution.visibility.census import Census
from execution.visibility.sentry import Sentry

CALM = Census()
NOW_NS = 1_800_000_000_000_000_000


class Post:
    """A sentry, and the alerts that it has raised."""

    def __init__(self, disk: Path, **settings: Any) -> None:
        self.raised: list[Alert] = []
        chosen = ExecutionSettings.model_validate({"disk_free_gb_min": 0.0, **settings})
        alerts = Alerts("paper", chosen, People(""), self._record, self.raised.append)
        self.sentry = Sentry(alerts, chosen, disk)

    async def _record(self, _: dict[str, Any]) -> None:
        raise AssertionError("nobody delivers here")

    @property
    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.raised]


def test_a_broker_that_is_silent_for_long_is_told_again_only_after_it_came_back(tmp_path: Path) -> None:
    post = Post(tmp_path, broker_silent_s=0.0)
    post.sentry.look(CALM)
    assert post.kinds == []
    post.sentry(BrokerSilent("connection refused"), NOW_NS)
    post.sentry.look(CALM)
    post.sentry.look(CALM)
    assert [(alert.kind, alert.facts["why"]) for alert in post.raised] == [
        ("broker_silent", "connection refused")
    ]
    post.sentry(Reconciled(()), NOW_NS)
    post.sentry.look(CALM)
    post.sentry(BrokerSilent("timeout"), NOW_NS)
    post.sentry.look(CALM)
    assert post.kinds == ["broker_silent", "broker_silent"]


def test_a_short_silence_calls_nobody(tmp_path: Path) -> None:
    post = Post(tmp_path)
    post.sentry(BrokerSilent("connection refused"), NOW_NS)
    post.sentry.look(CALM)
    assert post.kinds == []


def test_a_kill_is_reported_carried_out_or_not_proved(tmp_path: Path) -> None:
    post = Post(tmp_path, flat_within_s=0.0)
    post.sentry(ModeSeen("killed", 3, False), NOW_NS)
    post.sentry.look(CALM)
    assert post.kinds == ["kill_not_proved"]
    post.sentry(ModeSeen("killed", 3, True), NOW_NS)
    post.sentry.look(CALM)
    assert post.kinds == ["kill_not_proved", "kill"]
    post.sentry(ModeSeen("running", 4, False), NOW_NS)
    post.sentry(ModeSeen("killed", 5, True), NOW_NS)
    assert post.kinds == ["kill_not_proved", "kill"], "one that was proved before we came is no news"


def test_a_flatten_that_ends_as_a_pause_is_reported_too(tmp_path: Path) -> None:
    post = Post(tmp_path)
    post.sentry(ModeSeen("flattening", 3, False), NOW_NS)
    post.sentry(ModeSeen("paused", 3, True), NOW_NS)
    assert [alert.subject for alert in post.raised] == ["flatten 3 is carried out"]
    post.sentry(ModeSeen("running", 4, False), NOW_NS)
    assert post.kinds == ["kill"]


def test_an_order_unknown_for_longer_than_the_quarantine_calls_a_person(tmp_path: Path) -> None:
    post = Post(tmp_path)
    post.sentry.look(Census(unknown=1, oldest_unknown_s=39.0))
    assert post.kinds == []
    post.sentry.look(Census(unknown=1, oldest_unknown_s=41.0))
    assert post.kinds == ["unknown_order"]


def test_a_disk_that_is_nearly_full_calls_a_person(tmp_path: Path) -> None:
    post = Post(tmp_path, disk_free_gb_min=1e9)
    post.sentry.look(CALM)
    assert [(alert.kind, alert.subject) for alert in post.raised] == [("disk", str(tmp_path))]


def test_what_order_flow_says_is_told_at_once(tmp_path: Path) -> None:
    post = Post(tmp_path)
    post.sentry(Halted("AAA", "the broker has x, which is not ours"), NOW_NS)
    post.sentry(Halted("AAA", "the broker has x, which is not ours"), NOW_NS)
    post.sentry(Unexplained("not JSON"), NOW_NS)
    post.sentry(Violated("I4", "AAA", {"told": "1 is not 2"}), NOW_NS)
    assert [(alert.kind, alert.severity) for alert in post.raised] == [
        ("symbol_halted", "critical"), ("unexplained", "warning"), ("invariant", "critical"),
    ]  # fmt: skip


def say(url: str, state: State) -> None:
    told = FeedStatus(
        state=state,
        at_us=0,
        why="no message for 30 s",
        connections=1,
        silent_us=0,
        holes=0,
        heard_us={},
        counted={},
    )
    with redis.Redis.from_url(url) as client:
        client.set(bus.feed("synthetic"), msgspec.json.encode(told))


def test_a_feed_that_is_stale_or_gone_calls_a_person(tmp_path: Path, redis_url: str) -> None:
    post = Post(tmp_path, feed_stale_s=0.0)

    async def look(feed: str = "synthetic") -> str:
        connection = bus.connect_async()
        try:
            return await post.sentry.look_at_feed(connection, feed)
        finally:
            await connection.aclose()

    assert asyncio.run(look("replay:paper:1")) == "replay"
    say(redis_url, "live")
    assert asyncio.run(look()) == "live"
    assert post.kinds == []
    say(redis_url, "stale")
    assert asyncio.run(look()) == "stale"
    assert [(alert.kind, alert.facts["why"]) for alert in post.raised] == [
        ("feed_stale", "no message for 30 s")
    ]
    say(redis_url, "live")
    assert asyncio.run(look()) == "live"
    with redis.Redis.from_url(redis_url) as client:
        client.delete(bus.feed("synthetic"))
    assert asyncio.run(look()) == "none"
    assert post.kinds == ["feed_stale", "feed_stale"]


@pytest.mark.full
def test_who_wants_no_traces_and_no_pager_loads_neither() -> None:
    heavy = ["opentelemetry.sdk.trace.export", "opentelemetry.exporter", "apprise", "requests"]
    ask = f"import sys, execution.service; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
