"""One session of HTTP with Alpaca: each request goes out once, within its time, or not at all.

A question that was not answered is BrokerDown.  What an order's reply proves is for reading.outcome to say.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, NoReturn

import aiohttp

from data.errors import Refused
from execution.broker import BrokerDown
from execution.broker.alpaca import reading
from execution.broker.alpaca.throttle import Throttle, told_at_s
from execution.broker.credentials import Credentials

SEQ_HEADER: Final = "X-Slipway-Seq"  # our exchange says how many events an answer includes
KEPT_OPEN_S: Final = (
    45.0  # reconciliation, every 30 s, keeps a connection warm; servers drop idle ones after 60
)
BODY_BYTES_MAX: Final = 16 << 20  # 500 orders with their exits are a tenth of it
HEARTBEAT_S: Final = 5.0  # of the stream; unanswered for half of that it is dead


class Answer(NamedTuple):
    """A whole answer, whatever its status."""

    status: int
    body: bytes
    seq: int | None
    at_s: float | None  # by the broker's clock


class AlpacaHttp:
    """Requests to one account."""

    def __init__(self, credentials: Credentials, *, connect_s: float, total_s: float) -> None:
        self.allowed: Callable[[], Awaitable[None]] = _at_once
        """awaited before a cancel or a question; orders were allowed when they were claimed"""
        self.credentials = credentials
        self.total_s = total_s
        self._url = credentials.url
        self._throttle = Throttle()
        self._admitted = False
        self._session = aiohttp.ClientSession(
            headers={
                "APCA-API-KEY-ID": credentials.key_id.get_secret_value(),
                "APCA-API-SECRET-KEY": credentials.secret.get_secret_value(),
                "Content-Type": "application/json",
            },
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_OPEN_S),
            timeout=aiohttp.ClientTimeout(total=total_s, connect=connect_s),
        )
        # A request may say that it follows nobody, the handshake of a WebSocket may not.
        redirected = aiohttp.TraceConfig()
        redirected.on_request_redirect.append(_refuse_to_follow)
        self._streams = aiohttp.ClientSession(
            timeout=self._session.timeout,
            trace_configs=[redirected],
            connector_owner=False,
            connector=self._session.connector,
        )
        # aiohttp repeats what is not a POST when a kept connection breaks: nobody would have counted that request.
        self._session._retry_connection = False

    async def send(self, method: str, path: str, body: bytes) -> Answer:
        """An order on its way out, which was allowed when it was claimed."""
        self._refuse_while_throttled()
        return await self._request(method, path, None, body)

    async def ask(self, method: str, path: str, question: dict[str, str] | None = None) -> Answer:
        """Anything else."""
        self._refuse_while_throttled()
        await self.allowed()
        answer = await self._request(method, path, question, None)
        if answer.status in (401, 403):
            self.refuse_credentials(answer.status, answer.body)
        if 200 <= answer.status < 300:
            self._admitted = True
        return answer

    async def look(self, path: str, question: dict[str, str] | None = None) -> tuple[Any, Answer]:
        """The JSON of a GET that was answered with 200; None for a thing that the broker itself says is not there."""
        answer = await self.ask("GET", path, question)
        try:
            body = reading.json_of(answer.body)
        except reading.Odd as odd:
            raise BrokerDown(
                f"GET {path} was answered with {answer.status} and {odd}: {_start(answer.body)}"
            ) from odd
        if answer.status == 404 and isinstance(body, dict):
            return None, answer
        if answer.status != 200:
            raise BrokerDown(f"GET {path} was answered with {answer.status}: {_start(answer.body)}")
        return body, answer

    async def open_stream(self) -> aiohttp.ClientWebSocketResponse:
        self._refuse_while_throttled()
        await self.allowed()
        try:
            return await self._streams.ws_connect(
                f"{self._url}/stream", heartbeat=HEARTBEAT_S, max_msg_size=BODY_BYTES_MAX
            )
        except aiohttp.WSServerHandshakeError as error:
            raise BrokerDown(f"the stream was answered with HTTP {error.status}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _down("the stream", error) from error

    def refuse_credentials(self, status: int, body: bytes) -> NoReturn:
        """Wrong keys are for a person to correct; keys that were good before are trouble of the broker's, and so is
        the page of somebody in between.
        """
        try:
            reading.fields(reading.json_of(body))
        except reading.Odd as odd:
            if status != 401:
                raise BrokerDown(f"somebody before the broker answered {status}: {_start(body)}") from odd
        if self._admitted:
            raise BrokerDown(f"the broker refuses the credentials that it took before ({status})")
        raise Refused(
            f"the broker at {self._url} refuses the credentials ({status})", self.credentials.how_to_fix
        )

    async def close(self) -> None:
        await self._streams.close()
        await self._session.close()

    def _refuse_while_throttled(self) -> None:
        if (wait_s := self._throttle.wait_s) > 0.0:
            raise BrokerDown(f"the broker allows no request for {wait_s:.1f} s; nothing was sent")

    async def _request(
        self, method: str, path: str, question: dict[str, str] | None, body: bytes | None
    ) -> Answer:
        try:
            # A redirect would take keys, and perhaps the order, elsewhere.
            async with self._session.request(
                method, self._url + path, params=question, data=body, allow_redirects=False
            ) as response:
                self._throttle.heard(response.status, response.headers)
                content = await _whole(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _down(f"{method} {path}", error) from error
        seq = response.headers.get(SEQ_HEADER, "")
        return Answer(
            response.status,
            content,
            int(seq) if seq.isascii() and seq.isdecimal() else None,
            told_at_s(response.headers),
        )


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > BODY_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"more than {BODY_BYTES_MAX:,} bytes")
    return bytes(content)


async def _refuse_to_follow(*_: object) -> None:
    raise aiohttp.ClientError("sent elsewhere, where our keys must not go")


async def _at_once() -> None:
    """Nobody counts."""


def _down(what: str, error: Exception) -> BrokerDown:
    return BrokerDown(f"{what}: {str(error) or type(error).__name__}")


def _start(body: bytes) -> str:
    return body[:200].decode(errors="replace")
