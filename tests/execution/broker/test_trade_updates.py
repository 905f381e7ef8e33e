"""The account's stream: logging in, every frame, silence and goodbyes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from orders import told
from scripted_broker import SECRET, scripted_stream

from data.errors import Refused
from execution.broker import BrokerDown, BrokerEvent, Connected, Unreadable
from execution.broker.alpaca.adapter import AlpacaBroker

AUTHORIZED = {"stream": "authorization", "data": {"action": "authenticate", "status": "authorized"}}
LISTENING = {"stream": "listening", "data": {"streams": ["trade_updates"]}}

Socket = web.WebSocketResponse


def update(kind: str, number: int = 1) -> dict[str, Any]:
    return {"stream": "trade_updates", "data": {"event": kind, "order": told(number)}}


def heard(talk: Callable[[Socket], Awaitable[None]], total_s: float = 5.0) -> tuple[list[Any], str]:
    """Everything that the stream told, and how it ended."""

    async def run() -> tuple[list[Any], str]:
        said: list[Any] = []
        async with scripted_stream(talk, total_s) as broker:
            with pytest.raises(BrokerDown) as down:
                await _collect(broker, said)
        return said, str(down.value)

    return asyncio.run(run())


async def _collect(broker: AlpacaBroker, said: list[Any]) -> None:
    async for each in broker.events():
        said.append(each)


async def log_in(socket: Socket, *before_listening: Any) -> None:
    assert await socket.receive_json() == {"action": "auth", "key": "PKTEST", "secret": SECRET}
    await socket.send_json(AUTHORIZED)
    assert await socket.receive_json() == {"action": "listen", "data": {"streams": ["trade_updates"]}}
    for frame in before_listening:
        await socket.send_json(frame)
    await socket.send_json(LISTENING)


def test_text_and_binary_frames_are_events_alike_and_what_cannot_be_read_ends_nothing() -> None:
    async def talk(socket: Socket) -> None:
        await log_in(socket)
        await socket.send_json(update("new"))
        await socket.send_bytes(json.dumps(update("canceled")).encode())
        await socket.send_str("<html>")
        await socket.send_bytes(b"\x00\xff")
        await socket.send_json({"stream": "weather"})
        await socket.send_json(update("order_cancel_rejected"))
        await socket.close(code=1012, message=b"restart")

    said, why = heard(talk)
    assert [type(each) for each in said] == [
        Connected, BrokerEvent, BrokerEvent, Unreadable, Unreadable, Unreadable, BrokerEvent,
    ]  # fmt: skip
    assert [each.kind for each in said if isinstance(each, BrokerEvent)] == [
        "new", "canceled", "order_cancel_rejected",
    ]  # fmt: skip
    assert "code 1012" in why


def test_what_is_told_before_the_broker_says_that_we_listen_is_not_lost() -> None:
    async def talk(socket: Socket) -> None:
        await log_in(socket, update("new", 1), update("new", 2))
        await socket.close()

    said, _ = heard(talk)
    assert isinstance(said[0], Connected)
    assert [each.order.coid for each in said[1:]] == ["c1", "c2"]


@pytest.mark.parametrize("text", [True, False])
def test_a_stream_that_refuses_the_credentials_names_the_setting(text: bool) -> None:
    async def talk(socket: Socket) -> None:
        await socket.receive()
        answer = json.dumps({"stream": "authorization", "data": {"status": "unauthorized"}})
        await (socket.send_str(answer) if text else socket.send_bytes(answer.encode()))
        await socket.close()

    async def run() -> None:
        async with scripted_stream(talk) as broker:
            with pytest.raises(Refused, match="Check THE_SETTING"):
                await _collect(broker, [])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<html>", "unreadable"),
        ("[]", "unreadable"),
        ('{"stream":"authorization"}', "unreadable"),
        ('{"stream":"weather","data":{}}', "where authorization was expected"),
    ],
)
def test_a_login_that_is_answered_oddly_is_tried_again_later(answer: str, said: str) -> None:
    async def talk(socket: Socket) -> None:
        await socket.receive()
        await socket.send_str(answer)
        await socket.receive()

    events, why = heard(talk)
    assert events == []
    assert said in why


@pytest.mark.parametrize("streams", [[], ["account_updates"], None, 7])
def test_not_being_let_to_listen_is_no_connection(streams: Any) -> None:
    async def talk(socket: Socket) -> None:
        await socket.receive()
        await socket.send_json(AUTHORIZED)
        await socket.receive()
        await socket.send_json({"stream": "listening", "data": {"streams": streams}})
        await socket.receive()

    events, why = heard(talk)
    assert events == []
    assert "lets us listen to" in why


@pytest.mark.parametrize("answers", [0, 1])
def test_silence_while_logging_in_is_not_waited_out(answers: int) -> None:
    async def talk(socket: Socket) -> None:
        await socket.receive()
        for _ in range(answers):
            await socket.send_json(AUTHORIZED)
        await socket.receive()
        await socket.receive()

    events, why = heard(talk, total_s=0.1)
    assert events == []
    assert "did not let us listen within 0.1 s" in why


def test_a_broker_that_hangs_up_during_the_login_is_down() -> None:
    async def talk(socket: Socket) -> None:
        await socket.receive()
        await socket.close()

    assert "while we logged in" in heard(talk)[1]


def test_a_cut_connection_is_down() -> None:
    async def talk(socket: Socket) -> None:
        await log_in(socket)
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.abort()

    events, why = heard(talk)
    assert [type(each) for each in events] == [Connected]
    assert "the broker closed the stream" in why
