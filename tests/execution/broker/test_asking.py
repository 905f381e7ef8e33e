"""Every request goes out once, is counted, keeps to its time and to the broker's limits, and ends in a word of ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from orders import intent, told
from scripted_broker import (
    ACCOUNT,
    HANG_UP,
    NOW_US,
    SECRET,
    SILENCE,
    Reply,
    ScriptedBroker,
    http,
    scripted_broker,
)

from data.errors import Refused
from execution.broker import BrokerDown
from execution.broker.alpaca.adapter import AlpacaBroker
from execution.core.lifecycle import Accepted, Rejected, Unknown

ORDERS, BY_COID = "POST /v2/orders", "GET /v2/orders:by_client_order_id"
YES = http(200, told())
HTML = b"<html><body>502 Bad Gateway</body></html>"

NO_ANSWERS: dict[str, Reply] = {
    "a page": http(200, HTML, "text/html"),
    "nothing": http(200, b""),
    "half of it": http(200, b'{"id": "b1", "client_or'),
    "less than promised": YES[:-5],
    "a list": http(200, ["b1"]),
    "no connection": HANG_UP,
    "silence": SILENCE,
    "another protocol": b"220 smtp ready\r\n\r\n",
    "a false length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "what cannot be unpacked": http(200, b"not gzip", Content_Encoding="gzip"),
    "a way elsewhere": http(307, {"message": "there"}, Location="/v2/elsewhere"),
    "a timeout": http(408, {"message": "too slow"}),
    "trouble": http(500, {"message": "oops"}),
    "a closed gate": http(504, HTML, "text/html"),
    "too many": http(429, {"message": "too many"}),
}

Play = Callable[[ScriptedBroker, AlpacaBroker], Awaitable[None]]


def played(play: Play, **terms: Any) -> None:
    async def run() -> None:
        async with scripted_broker(**terms) as (script, broker):
            await play(script, broker)

    asyncio.run(run())


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in NO_ANSWERS.items()])
@pytest.mark.parametrize("replacing", [False, True])
def test_an_order_without_a_clear_answer_is_unknown_and_was_sent_once(reply: Reply, replacing: bool) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(ORDERS, reply)
        script.on("PATCH /v2/orders/b0", reply)
        outcome = await (broker.replace("b0", intent()) if replacing else broker.submit(intent()))
        assert isinstance(outcome, Unknown), outcome
        assert len(script.requests) == 1

    played(play, total_s=0.1)


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in NO_ANSWERS.items()])
def test_a_question_without_a_clear_answer_says_that_the_broker_is_down_and_is_asked_once(
    reply: Reply,
) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(BY_COID, reply)
        with pytest.raises(BrokerDown):
            await broker.find("c1")
        assert len(script.requests) == 1

    played(play, total_s=0.1)


def test_nobody_at_the_address_is_unknown_and_down() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        broker._http._url = "http://127.0.0.1:1"
        assert isinstance(await broker.submit(intent()), Unknown)
        with pytest.raises(BrokerDown, match="GET /v2/orders:by_client_order_id"):
            await broker.find("c1")

    played(play)


def test_a_kept_connection_that_breaks_is_not_asked_again_behind_our_back() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(BY_COID, YES, HANG_UP)
        script.on("DELETE /v2/orders/b1", HANG_UP)
        assert await broker.find("c1") is not None
        with pytest.raises(BrokerDown):
            await broker.find("c1")
        assert await _down(broker.cancel("b1"))
        assert len(script.requests) == 3

    played(play)


def test_the_first_order_takes_the_connection_that_the_start_opened() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("GET /v2/account", http(200, ACCOUNT))
        script.on(ORDERS, YES)
        await broker.admit()
        assert [await broker.submit(intent()) for _ in range(3)] == [Accepted("b1")] * 3
        assert script.connections == 1

    played(play)


def test_an_order_is_absent_only_if_the_broker_himself_says_so() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(BY_COID, http(404, {"code": 40410000, "message": "order not found"}), http(404, HTML))
        assert await broker.find("c1") is None
        assert await _down(broker.find("c1"))
        script.on(BY_COID, http(200, told(2)), http(200, {"id": "b1"}))
        assert "tells of c2" in await _down(broker.find("c1"))
        assert "unreadable of c1" in await _down(broker.find("c1"))

    played(play)


def test_cancelling_what_has_ended_is_no_failure() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("DELETE /v2/orders/b1", http(204, b""), http(404, {}), http(422, {}), http(500, {}))
        for _ in range(3):
            await broker.cancel("b1")
        assert "answered with 500" in await _down(broker.cancel("b1"))
        script.on("DELETE /v2/orders", http(207, [{"id": "b1", "status": 200}]), http(503, HTML))
        await broker.cancel_all()
        assert "answered with 503" in await _down(broker.cancel_all())

    played(play)


def test_a_stream_that_is_sent_elsewhere_does_not_take_our_keys_there() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("GET /stream", http(307, b"", Location="/elsewhere"))
        assert "sent elsewhere" in await _down(anext(aiter(broker.events())))
        assert [each.route for each in script.requests] == ["GET /stream"]
        assert SECRET not in str(script.requests)

    played(play)


def test_everything_but_an_order_is_counted() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        counted = 0

        async def count() -> None:
            nonlocal counted
            counted += 1

        broker.counted_by(count)
        script.on(ORDERS, YES)
        script.on("PATCH /v2/orders/b1", YES)
        await broker.submit(intent())
        await broker.replace("b1", intent())
        assert counted == 0  # they were when they were claimed
        script.on("GET /v2/orders", http(200, []))
        script.on("GET /v2/account/activities/FILL", http(200, []))
        script.on("GET /v2/positions", http(200, []))
        script.on("DELETE /v2/orders/b1", http(204, b""))
        await broker.find("c1")
        await broker.cancel("b1")
        await broker.books()
        assert await _down(anext(aiter(broker.events())))
        assert counted == len(script.requests) - 2 == 6

    played(play)


@pytest.mark.parametrize(
    "said",
    [
        http(200, told(), X_Ratelimit_Remaining="0", X_Ratelimit_Reset=str(NOW_US // 1_000_000 + 30)),
        http(429, {"message": "too many"}, Retry_After="30"),
        http(429, {"message": "too many"}, X_Ratelimit_Reset=str(NOW_US // 1_000_000 + 999_999)),
        http(429, {"message": "too many"}),
    ],
)
def test_what_the_broker_does_not_allow_is_not_sent(said: bytes) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(ORDERS, said)
        await broker.submit(intent())
        outcome = await broker.submit(intent())
        assert isinstance(outcome, Unknown)
        assert "nothing was sent" in outcome.reason
        assert "allows no request for" in await _down(broker.find("c1"))
        assert "allows no request for" in await _down(anext(aiter(broker.events())))
        assert 0.0 < broker._http._throttle.wait_s <= 60.0
        assert len(script.requests) == 1

    played(play)


@pytest.mark.parametrize(
    "said",
    [
        {"X_Ratelimit_Remaining": "1", "X_Ratelimit_Reset": str(NOW_US // 1_000_000 + 30)},
        {"X_Ratelimit_Remaining": "0", "X_Ratelimit_Reset": str(NOW_US // 1_000_000)},
        {"X_Ratelimit_Remaining": "0"},
        {"X_Ratelimit_Remaining": "zero", "X_Ratelimit_Reset": "soon", "Date": "today"},
    ],
)
def test_a_limit_that_is_not_reached_or_makes_no_sense_stops_nothing(said: dict[str, str]) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(ORDERS, http(200, told(), **said))
        assert [await broker.submit(intent()) for _ in range(2)] == [Accepted("b1")] * 2

    played(play)


# -- the account


@pytest.mark.parametrize(
    "reply",
    [
        http(401, HTML),
        http(401, {"code": 40110000, "message": "not authorized"}),
        http(403, {"message": "forbidden."}),
    ],
)
def test_wrong_credentials_name_the_setting_and_show_no_key(reply: bytes) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("GET /v2/account", reply)
        with pytest.raises(Refused, match="Check THE_SETTING") as refused:
            await broker.admit()
        assert SECRET not in f"{refused.value}{broker._http.credentials}"
        assert script.requests[0].headers["apca-api-secret-key"] == SECRET

    played(play)


def test_keys_that_were_good_before_or_a_page_of_somebody_in_between_are_trouble_that_passes() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("GET /v2/account", http(403, HTML), http(200, ACCOUNT), http(401, {"message": "no"}))
        assert "somebody before the broker" in await _down(broker.admit())
        await broker.admit()
        assert "took before" in await _down(broker.admit())

    played(play)


@pytest.mark.parametrize(
    ("account", "live", "said"),
    [
        ({"trading_blocked": True}, False, "PA123 may not trade: trading_blocked"),
        ({"trade_suspended_by_user": True}, False, "trade_suspended_by_user"),
        ({"status": "SUBMITTED"}, False, "its status is SUBMITTED"),
        ({}, True, "PA123 is a paper account, and SLIPWAY_BROKER is alpaca-live"),
    ],
)
def test_an_account_that_may_not_trade_is_refused_at_start(
    account: dict[str, Any], live: bool, said: str
) -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("GET /v2/account", http(200, {**ACCOUNT, **account}))
        with pytest.raises(Refused, match=said):
            await broker.admit()
        if not live:
            await broker.admit(only_read=True)

    played(play, live=live)


def test_an_account_that_tells_nothing_is_down() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on("GET /v2/account", http(200, {}), http(200, []), http(404, {"message": "no account"}))
        for _ in range(3):
            assert "unreadable of the account" in await _down(broker.admit())

    played(play)


def test_a_definite_no_is_one() -> None:
    async def play(script: ScriptedBroker, broker: AlpacaBroker) -> None:
        script.on(ORDERS, http(403, {"code": 40310000, "message": "insufficient buying power"}))
        outcome = await broker.submit(intent())
        assert isinstance(outcome, Rejected)
        assert "insufficient buying power" in outcome.reason

    played(play)


async def _down(question: Awaitable[Any]) -> str:
    with pytest.raises(BrokerDown) as down:
        await question
    return str(down.value)
