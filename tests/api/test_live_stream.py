"""The stream: a snapshot, then every change once and in order, whatever Redis does."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from running_monitor import Monitor
from trading_floor import Floor
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api.security import Tokens
from data import bus
from data.bar import Bar, Tick
from data.market_data import bar_entry, tick_entry
from data.settings import DataSettings
from infra.local.embedded import embedded_valkey

BAR = datetime(2026, 11, 19, 14, 30, tzinfo=UTC)
BAR_US = int(BAR.timestamp() * 1e6)
Frame = dict[str, Any]


class Screen:
    """What a browser does, without the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def next(self, *kinds: str) -> Frame:
        """The next frame of these kinds; others pass by."""
        deadline = time.monotonic() + 10
        while (left_s := deadline - time.monotonic()) > 0:
            frame: Frame = json.loads(self.socket.recv(timeout=left_s))
            if frame.get("type", "error") in kinds:
                return frame
        raise AssertionError(f"no {kinds} within 10 s")

    def changes(self, count: int) -> list[Frame]:
        """So many changes, from as many frames as they come in."""
        events: list[Frame] = []
        while len(events) < count:
            events += self.next("deltas")["events"]
        return events

    def ending(self) -> tuple[int, str]:
        """How the server closed, and the code of the error that it sent before."""
        code = self.next("error")["error"]["code"]
        with pytest.raises(ConnectionClosed):
            list(self.socket)
        return self.socket.close_code or 0, code


@contextmanager
def screen(monitor: Monitor, account: str = "paper", token: str | None = None) -> Iterator[Screen]:
    with connect(monitor.stream_url, compression=None) as socket:
        watching = Screen(socket)
        watching.say(type="hello", token=token or monitor.token("viewer"), account=account)
        yield watching


def test_the_snapshot_holds_all_of_the_account_and_its_number(
    monitor: Monitor, floor: Floor, redis_url: str
) -> None:
    floor.trade("AAA", "buy", 100, 50.25, BAR)
    floor.order("BBB", "buy", 10, 112.5, BAR, state="SENDING")
    floor.heartbeat(bar_ts_us=BAR_US)
    with redis.Redis.from_url(redis_url) as client:
        bar = Bar("AAA", "1m", BAR_US, 50, 51, 49, 50.5, 1_000)
        client.xadd(bus.md("AAA"), bar_entry(bar, "test"))  # type: ignore[arg-type]
        client.xadd(bus.md("AAA"), tick_entry(Tick("AAA", BAR_US + 1, bid=50.4, ask=50.6), "test"))  # type: ignore[arg-type]
    with screen(monitor) as watching:
        told = watching.next("snapshot")
    assert told["seq"] == 5
    assert [position["symbol"] for position in told["positions"]] == ["AAA"]
    assert {order["state"] for order in told["orders"]} == {"FILLED", "SENDING"}
    assert [fill["price"] for fill in told["fills"]] == ["50.25"]
    assert told["control"]["mode"] == "running"
    assert told["engine"]["status"] == {"bar_ts_us": BAR_US}
    assert [(price["symbol"], price["last"]) for price in told["prices"]] == [("AAA", 50.5)]


def test_changes_follow_the_snapshot_without_gaps_and_carry_whole_rows(
    monitor: Monitor, floor: Floor
) -> None:
    with screen(monitor) as watching:
        seq = watching.next("snapshot")["seq"]
        coid = floor.trade("AAA", "buy", 100, 50.25, BAR)
        events = watching.changes(4)
    assert [event["seq"] for event in events] == [seq + 1, seq + 2, seq + 3, seq + 4]
    assert [event["kind"] for event in events] == ["order", "fill", "order", "position"]
    order, fill, position = events[2]["row"], events[1]["row"], events[3]["row"]
    assert (order["coid"], order["state"], order["average_price"]) == (coid, "FILLED", "50.250000")
    assert (fill["price"], fill["strategy"]) == ("50.25", "crossover")
    assert (position["symbol"], float(position["qty"])) == ("AAA", 100)


def test_two_screens_of_two_accounts_hear_only_their_own(monitor: Monitor, floor: Floor) -> None:
    other = Floor(floor.url, monitor.data.redis(), "other")
    with screen(monitor) as ours, screen(monitor, "other") as theirs:
        ours.next("snapshot"), theirs.next("snapshot")
        floor.order("AAA", "buy", 1, 50, BAR)
        other.db.execute("update accounts set event_seq = 10 where name = 'other'")
        other.tell("control")
        assert [event["kind"] for event in ours.changes(1)] == ["order"]
        (event,) = theirs.changes(1)
        assert (event["seq"], event["row"]["account"]) == (11, "other")
    other.close()


def test_a_kill_is_on_every_screen(monitor: Monitor, floor: Floor) -> None:
    with screen(monitor) as watching, monitor.client("trader") as trader:
        watching.next("snapshot")
        trader.post("/api/control", json={"account": "paper", "mode": "killed", "reason": "enough"})
        (event,) = watching.changes(1)
    assert (event["kind"], event["row"]["mode"], event["row"]["reason"]) == ("control", "killed", "enough")


def test_a_resync_brings_the_picture_of_now(monitor: Monitor, floor: Floor) -> None:
    with screen(monitor) as watching:
        before = watching.next("snapshot")
        floor.order("AAA", "buy", 1, 50, BAR)
        watching.changes(1)
        watching.say(type="resync")
        after = watching.next("snapshot")
    assert (before["orders"], len(after["orders"]), after["seq"]) == ([], 1, before["seq"] + 1)


def test_a_change_that_makes_no_sense_is_numbered_and_left_to_a_resync(
    monitor: Monitor, floor: Floor
) -> None:
    with screen(monitor) as watching:
        seq = watching.next("snapshot")["seq"]
        floor.tell("order", coid="nobody's")
        floor.tell("weather", cloudy=True)
        floor.db.execute("select emit_event('paper', 'order', '[]')")
        events = watching.changes(3)
        assert [(event["seq"], event["row"]) for event in events] == [(seq + n, None) for n in (1, 2, 3)]


@pytest.mark.full
def test_a_gap_shows_in_the_numbers_even_when_nothing_follows_it(monitor: Monitor, floor: Floor) -> None:
    """Retention may have removed what a screen has not seen yet; the pulse then names a higher number."""
    with screen(monitor) as watching:
        seq = watching.next("snapshot")["seq"]
        floor.db.execute("update accounts set event_seq = event_seq + 7")
        while (pulse := watching.next("pulse"))["seq"] == seq:
            pass
    assert pulse["seq"] == seq + 7


@pytest.mark.full
def test_a_restored_ledger_makes_screens_resync(monitor: Monitor, floor: Floor) -> None:
    floor.order("AAA", "buy", 1, 50, BAR)
    with screen(monitor) as watching:
        watching.next("snapshot")
        floor.db.execute("delete from outbox")
        floor.db.execute("update accounts set event_seq = 0")
        watching.next("resync")
        watching.say(type="resync")
        assert watching.next("snapshot")["seq"] == 0


def test_prices_come_from_redis_and_are_not_numbered(monitor: Monitor, floor: Floor, redis_url: str) -> None:
    with screen(monitor) as watching, redis.Redis.from_url(redis_url) as client:
        watching.next("snapshot")
        while not watching.next("pulse")["bus"]:
            pass
        client.publish(bus.ticker("AAA"), "no price at all")
        client.publish(bus.ticker("AAA"), json.dumps({"symbol": "AAA", "ts_us": BAR_US, "last": 50.75}))
        (tick,) = watching.next("ticks")["ticks"]
    assert tick == {"symbol": "AAA", "ts_utc": "2026-11-19T14:30:00Z", "last": 50.75}


@pytest.mark.full
def test_a_hint_over_redis_is_faster_than_the_poll(monitor: Monitor, floor: Floor) -> None:
    """Ten changes one after the other: a second each if they waited for the poll."""
    with screen(monitor) as watching:
        watching.next("snapshot")
        while not watching.next("pulse")["bus"]:
            pass
        began = time.monotonic()
        for _ in range(10):
            floor.order("AAA", "buy", 1, 50, BAR)
            watching.changes(1)
        assert time.monotonic() - began < 5


@pytest.mark.full
def test_without_redis_news_is_slower_but_never_silent(
    start_monitor: Callable[..., Monitor],
    floor: Floor,
    tmp_path: Path,
) -> None:
    with embedded_valkey(tmp_path / "valkey") as url:
        monitor = start_monitor(DataSettings.model_validate({"redis_url": url}))
        with connect(monitor.stream_url, compression=None) as socket:
            watching = Screen(socket)
            watching.say(type="hello", token=monitor.token("viewer"), account="paper")
            watching.next("snapshot")
            while not watching.next("pulse")["bus"]:
                pass
            with redis.Redis.from_url(url) as client, suppress(redis.ConnectionError):
                client.shutdown(nosave=True)
            while watching.next("pulse")["bus"]:
                pass
            floor.order("AAA", "buy", 1, 50, BAR)
            assert [event["kind"] for event in watching.changes(1)] == ["order"]


def test_without_a_good_first_message_nobody_is_let_in(monitor: Monitor, floor: Floor) -> None:
    with screen(monitor, token="not-a-token") as watching:
        assert watching.ending() == (4401, "not_authenticated")
    with screen(monitor, account="papper") as watching:
        assert watching.ending() == (4404, "not_found")
    with connect(f"{monitor.stream_url}?token={monitor.token('viewer')}", compression=None) as socket:
        socket.send('{"account": "paper"}')
        assert Screen(socket).ending() == (4400, "usage")


@pytest.mark.full
def test_an_expired_token_ends_the_stream_and_a_renewed_one_does_not(monitor: Monitor, floor: Floor) -> None:
    monitor.token("viewer")
    soon = Tokens(monitor.key, 0)
    soon._life_s = 2
    with (
        screen(monitor, token=soon.issue("viewer")[0]) as ended,
        screen(monitor, token=soon.issue("viewer")[0]) as renewed,
    ):
        ended.next("snapshot"), renewed.next("snapshot")
        renewed.say(type="renew", token=monitor.token("viewer"))
        renewed.next("renewed")
        assert ended.ending() == (4401, "token_expired")
        renewed.say(type="ping")
        renewed.next("pong")


def test_nobody_renews_with_the_token_of_somebody_else(monitor: Monitor, floor: Floor) -> None:
    with screen(monitor) as watching:
        watching.next("snapshot")
        watching.say(type="renew", token=monitor.token("admin"))
        assert watching.ending() == (4401, "not_authenticated")


def test_nonsense_ends_the_stream(monitor: Monitor, floor: Floor) -> None:
    with screen(monitor) as watching:
        watching.next("snapshot")
        watching.say(type="sudo")
        assert watching.ending() == (4400, "usage")


def test_streams_are_counted(start_monitor: Callable[..., Monitor], floor: Floor) -> None:
    monitor = start_monitor(viewers_max=1)
    with screen(monitor) as first:
        first.next("snapshot")
        with screen(monitor) as second:
            assert second.ending() == (4503, "unavailable")
