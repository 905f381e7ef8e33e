"""A WebSocket to a vendor: whatever goes wrong with it is Interrupted, and silence is bounded."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from execution.feeds.contract import Interrupted

HEARTBEAT_S: Final = 10.0  # pings of the protocol; a connection that answers none for half of that is dead
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024  # subscribing to thousands of symbols is answered with all of them

Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def connected(
    url: str, connect_s: float, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Socket]:
    """An open socket; it is closed when the block ends."""
    timeout = aiohttp.ClientTimeout(total=None, connect=connect_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.ws_connect(
                url, headers=headers, heartbeat=HEARTBEAT_S, max_msg_size=FRAME_BYTES_MAX
            ) as socket,
        ):
            yield socket
    except aiohttp.WSServerHandshakeError as error:
        raise Interrupted(f"{url} answered HTTP {error.status} to the WebSocket handshake") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Interrupted(f"{url}: {error or type(error).__name__}") from error


async def frame(socket: Socket) -> str | bytes:
    """The next message, text or binary."""
    message = await socket.receive()
    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        data: str | bytes = message.data
        return data
    said = message.extra or socket.exception() or ""
    raise Interrupted(f"the vendor closed the stream (code {socket.close_code}{f': {said}' if said else ''})")


@asynccontextmanager
async def no_longer_than(seconds: float, doing: str) -> AsyncIterator[None]:
    """A vendor that takes longer is as good as gone."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Interrupted(f"the vendor did not {doing} within {seconds:g} s") from error
