"""The account's `trade_updates`: logged in, listened to, every frame an event or kept as it is.

Text and binary frames alike (paper sends binary ones).  Nothing is replayed after a reconnect, which is the ledger's
to make: what was missed comes from the books.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import msgspec

from execution.broker import BrokerDown, BrokerEvent, Connected, Unreadable
from execution.broker.alpaca import reading
from execution.broker.alpaca.executions import Executions
from execution.broker.alpaca.http import AlpacaHttp
from execution.broker.alpaca.reading import Json, Odd

_FILLS: Final = ("fill", "partial_fill")
_TAKEN_BACK: Final = ("trade_bust", "trade_correct")
_DATA: Final = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)

Socket = aiohttp.ClientWebSocketResponse


async def listen(
    http: AlpacaHttp, executions: Executions
) -> AsyncIterator[Connected | BrokerEvent | Unreadable]:
    """The stream from now on; ends with BrokerDown."""
    socket = await http.open_stream()
    try:
        early = await _log_in(socket, http)
        yield Connected()
        for raw in early:
            yield read_event(raw, executions)
        async for message in socket:
            if message.type in _DATA:
                yield read_event(message.data, executions)
    except (aiohttp.ClientError, OSError) as error:
        raise BrokerDown(f"the stream: {str(error) or type(error).__name__}") from error
    finally:
        await socket.close()
    why = socket.exception()
    raise BrokerDown(f"the broker closed the stream (code {socket.close_code}{f', {why!r}' if why else ''})")


async def _log_in(socket: Socket, http: AlpacaHttp) -> list[str | bytes]:
    """Returns what was told before the broker said that we are listening."""
    keys = http.credentials
    early: list[str | bytes] = []
    try:
        async with asyncio.timeout(http.total_s):
            await socket.send_json(
                {
                    "action": "auth",
                    "key": keys.key_id.get_secret_value(),
                    "secret": keys.secret.get_secret_value(),
                }
            )
            status = _about(await _frame(socket), "authorization").get("status")
            if status != "authorized":
                http.refuse_credentials(401, msgspec.json.encode({"status": repr(status)[:100]}))
            await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
            while True:
                raw = await _frame(socket)
                if _names(raw, "trade_updates"):
                    early.append(raw)
                    continue
                streams = _about(raw, "listening").get("streams")
                if not isinstance(streams, list) or "trade_updates" not in streams:
                    raise BrokerDown(f"the broker lets us listen to {repr(streams)[:100]} only")
                return early
    except TimeoutError as error:
        raise BrokerDown(f"the broker did not let us listen within {http.total_s:g} s") from error


async def _frame(socket: Socket) -> str | bytes:
    message = await socket.receive()
    if message.type not in _DATA:
        raise BrokerDown(f"the broker closed the stream while we logged in (code {socket.close_code})")
    data: str | bytes = message.data
    return data


def _about(raw: str | bytes, stream: str) -> Json:
    """What a frame about the stream itself says."""
    try:
        frame = reading.fields(reading.json_of(raw))
        if frame.get("stream") == stream:
            return reading.fields(frame.get("data"))
    except Odd as odd:
        raise BrokerDown(f"the stream said something unreadable: {odd}") from odd
    raise BrokerDown(f"the stream said {repr(raw)[:200]} where {stream} was expected")


def _names(raw: str | bytes, stream: str) -> bool:
    try:
        frame: Any = reading.json_of(raw)
    except Odd:
        return False
    return isinstance(frame, dict) and frame.get("stream") == stream


def read_event(raw: str | bytes, executions: Executions) -> BrokerEvent | Unreadable:
    """What a frame tells, once we are listening."""
    try:
        frame = reading.fields(reading.json_of(raw))
        if frame.get("stream") != "trade_updates":
            raise Odd(f"a stream that we did not ask for: {repr(frame.get('stream'))[:100]}")
        return _event(reading.fields(frame.get("data")), executions, raw)
    except Odd as odd:
        return reading.unreadable(raw, str(odd))


def _event(data: Json, executions: Executions, raw: str | bytes) -> BrokerEvent | Unreadable:
    kind, seq = reading.text(data, "event"), reading.count(data, "seq")
    if kind in _TAKEN_BACK:
        return reading.unreadable(raw, f"{kind}: the broker changed an execution that is in the ledger")
    order, fill = reading.order(data.get("order")), None
    if kind in _FILLS:
        execution_id = executions.of_event(data, order)
        if execution_id is not None:
            fill = reading.fill(data, order, execution_id)
    else:
        executions.saw(order)
    return BrokerEvent(kind=kind, order=order, fill=fill, seq=seq)
