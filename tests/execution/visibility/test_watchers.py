"""What watches sees each change once, hides secrets, and cannot harm what it watches."""

import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from data.orders import OrderState
from execution.flow.happenings import Happening, Moved, OrderName, StreamOpened
from execution.visibility.fan_out import FanOut, Listener
from execution.visibility.logs import MASK, mask_secrets
from execution.visibility.tracing import span_id_of, trace_id_of, wanted

ORDER = OrderName("coid", "AAA", "crossover")


def at(state: OrderState) -> Moved:
    return Moved(order=ORDER, state=state, reason="", decided_at=datetime(2026, 9, 1, tzinfo=UTC))


def told(listeners: list[Listener], happenings: list[Happening]) -> None:
    """The loop turns once."""

    async def tell() -> None:
        fan_out = FanOut(listeners)
        for happening in happenings:
            fan_out(happening)
        await asyncio.sleep(0)

    asyncio.run(tell())


def test_that_an_order_is_where_it_was_is_told_to_nobody() -> None:
    seen: list[Happening] = []
    states = [OrderState.SENDING, OrderState.ACKED, OrderState.ACKED, OrderState.FILLED, OrderState.FILLED]
    told([lambda happening, _: seen.append(happening)], [at(state) for state in states])
    assert seen == [at(OrderState.SENDING), at(OrderState.ACKED), at(OrderState.FILLED)]


def test_nobody_is_told_before_what_is_under_way_has_gone_out() -> None:
    seen: list[Happening] = []

    async def trade() -> None:
        tell = FanOut([lambda happening, _: seen.append(happening)])
        tell(StreamOpened())
        assert seen == []
        await asyncio.sleep(0)
        assert seen == [StreamOpened()]

    asyncio.run(trade())


def test_a_watcher_that_fails_is_logged_and_the_next_one_hears_it_all_the_same() -> None:
    def fails(_: Happening, _at_ns: int) -> None:
        raise ZeroDivisionError

    seen: list[Happening] = []
    with capture_logs() as logs:
        told([fails, lambda happening, _: seen.append(happening)], [StreamOpened()])
    assert seen == [StreamOpened()]
    assert [line["event"] for line in logs] == ["a watcher failed"]


@pytest.mark.parametrize(
    "name", ["secret_key", "APCA-API-SECRET-KEY", "password", "database_url", "token", "key_id"]
)
def test_a_secret_that_somebody_logs_is_masked(name: str) -> None:
    assert mask_secrets(None, "info", {name: "hush", "coid": "abc"}) == {name: MASK, "coid": "abc"}


def test_the_names_of_a_trace_depend_on_the_order_alone() -> None:
    assert trace_id_of("abc") == 0xCF4AB791C62B8D2B2109C90275287816, "in every process and version"
    assert trace_id_of("abc") != trace_id_of("abd")
    names = {span_id_of("abc"), span_id_of("abc", "send", "1"), span_id_of("abc", "send", "2")}
    assert len(names) == 3


def test_traces_are_wanted_where_an_endpoint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert not wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert wanted()
