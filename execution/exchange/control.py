"""Clients of the exchange's own routes, /sim: one for event loops (the replay feed), one that blocks (tests, CLI).

Every call has a timeout and is sent once: posting bars again after an unknown outcome is safe, and the caller's
decision.
"""

from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any, Generic, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from data.bar import Bar, Tick
from data.errors import Refused, Unavailable
from execution.exchange.books import Keys
from execution.exchange.faults import FaultKind

CONNECT_TIMEOUT_S = 1.0
TIMEOUT_S = 5.0


Json = dict[str, Any]
Position = dict[str, int | None]
Answer = TypeVar("Answer")


class TapePosition(NamedTuple):
    """Where an account stands: its last event, and the last bar of its tape (None before the first)."""

    seq: int
    clock_us: int | None


class _Call(NamedTuple, Generic[Answer]):
    method: str
    path: str
    answer: type[Answer]
    body: bytes | None = None


def _open_account(name: str, terms: dict[str, Any]) -> _Call[Keys]:
    return _Call("POST", "/sim/accounts", Keys, msgspec.json.encode({"name": name, **terms}))


def _post_bars(bars: Sequence[Bar]) -> _Call[Position]:
    return _Call("POST", "/sim/bars", Position, msgspec.json.encode({"bars": bars}))


def _post_ticks(ticks: Sequence[Tick]) -> _Call[Position]:
    return _Call("POST", "/sim/ticks", Position, msgspec.json.encode({"ticks": ticks}))


def _halt(symbol: str, halted: bool) -> _Call[Json]:
    return _Call("POST", "/sim/halts", Json, msgspec.json.encode({"symbol": symbol, "halted": halted}))


def _clock() -> _Call[Position]:
    return _Call("GET", "/sim/clock", Position)


def _arm_fault(kind: FaultKind, count: int | None, delay_ms: int, more: dict[str, Any]) -> _Call[list[Json]]:
    body = {"kind": kind, "count": count, "delay_ms": delay_ms, **more}
    return _Call("POST", "/sim/faults", list[Json], msgspec.json.encode(body))


def _faults() -> _Call[list[Json]]:
    return _Call("GET", "/sim/faults", list[Json])


def _clear_faults(kind: FaultKind | None) -> _Call[list[Json]]:
    return _Call("DELETE", "/sim/faults" if kind is None else f"/sim/faults?kind={kind}", list[Json])


def _accounts() -> _Call[list[Json]]:
    return _Call("GET", "/sim/accounts", list[Json])


def _events(after: int) -> _Call[list[Json]]:
    return _Call("GET", f"/sim/events?after={after}", list[Json])


def _set_limits(limits: dict[str, int | None]) -> _Call[Json]:
    return _Call("PUT", "/sim/limits", Json, msgspec.json.encode(limits))


def _streams() -> _Call[list[Json]]:
    return _Call("GET", "/sim/streams", list[Json])


def _health() -> _Call[Json]:
    return _Call("GET", "/health", Json)


class ExchangeControl:
    """For an event loop; use it as an async context manager, or close() it."""

    def __init__(self, url: str, keys: Keys | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers=_headers(keys), timeout=timeout)

    async def open_account(self, name: str, **terms: Any) -> Keys:
        return await self._send(_open_account(name, terms))

    async def post_bars(self, bars: Sequence[Bar]) -> TapePosition:
        return _position(await self._send(_post_bars(bars)))

    async def post_ticks(self, ticks: Sequence[Tick]) -> TapePosition:
        return _position(await self._send(_post_ticks(ticks)))

    async def halt(self, symbol: str, halted: bool = True) -> None:
        await self._send(_halt(symbol, halted))

    async def clock(self) -> TapePosition:
        return _position(await self._send(_clock()))

    async def arm_fault(
        self, kind: FaultKind, count: int | None = None, delay_ms: int = 0, **more: Any
    ) -> None:
        """Sets a knob (faults/knobs.py); `more` is its probability, seed, route, symbol or coid."""
        await self._send(_arm_fault(kind, count, delay_ms, more))

    async def faults(self) -> list[Json]:
        return await self._send(_faults())

    async def clear_faults(self, kind: FaultKind | None = None) -> None:
        await self._send(_clear_faults(kind))

    async def accounts(self) -> list[Json]:
        """Every account and how it stands; needs no keys."""
        return await self._send(_accounts())

    async def events(self, after: int = 0) -> list[Json]:
        """The account's next events (at most 10,000) as `trade_updates` would have told them."""
        return await self._send(_events(after))

    async def streams(self) -> list[Json]:
        """Who listens to the account, and to what."""
        return await self._send(_streams())

    async def set_limits(self, **limits: int | None) -> None:
        """The limits of limits.py; those left out get their defaults again."""
        await self._send(_set_limits(limits))

    async def health(self) -> Json:
        return await self._send(_health())

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, call: _Call[Answer]) -> Answer:
        try:
            async with self._session.request(call.method, self._url + call.path, data=call.body) as response:
                return _answer(call, response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreachable(self._url, error) from error


class BlockingExchangeControl:
    """The same calls for code without an event loop, over one kept connection."""

    def __init__(self, url: str, keys: Keys | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
        self._headers = _headers(keys)

    def open_account(self, name: str, **terms: Any) -> Keys:
        return self._send(_open_account(name, terms))

    def post_bars(self, bars: Sequence[Bar]) -> TapePosition:
        return _position(self._send(_post_bars(bars)))

    def post_ticks(self, ticks: Sequence[Tick]) -> TapePosition:
        return _position(self._send(_post_ticks(ticks)))

    def halt(self, symbol: str, halted: bool = True) -> None:
        self._send(_halt(symbol, halted))

    def clock(self) -> TapePosition:
        return _position(self._send(_clock()))

    def arm_fault(self, kind: FaultKind, count: int | None = None, delay_ms: int = 0, **more: Any) -> None:
        self._send(_arm_fault(kind, count, delay_ms, more))

    def faults(self) -> list[Json]:
        return self._send(_faults())

    def clear_faults(self, kind: FaultKind | None = None) -> None:
        self._send(_clear_faults(kind))

    def accounts(self) -> list[Json]:
        return self._send(_accounts())

    def events(self, after: int = 0) -> list[Json]:
        return self._send(_events(after))

    def streams(self) -> list[Json]:
        return self._send(_streams())

    def set_limits(self, **limits: int | None) -> None:
        self._send(_set_limits(limits))

    def health(self) -> Json:
        return self._send(_health())

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, call: _Call[Answer]) -> Answer:
        try:
            self._connection.request(call.method, call.path, call.body, self._headers)
            response = self._connection.getresponse()
            return _answer(call, response.status, response.read())
        except (OSError, HTTPException) as error:
            self._connection.close()  # the next call connects anew
            raise _unreachable(self._url, error) from error


def _position(answer: Position) -> TapePosition:
    return TapePosition(answer["seq"] or 0, answer["clock_us"])


def _headers(keys: Keys | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if keys is not None:
        headers |= {"APCA-API-KEY-ID": keys.key_id, "APCA-API-SECRET-KEY": keys.secret_key}
    return headers


def _answer(call: _Call[Answer], status: int, body: bytes) -> Answer:
    try:
        if status == 200:
            return msgspec.json.decode(body, type=call.answer)
        message = msgspec.json.decode(body, type=Json)["message"]
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unavailable(
            f"{call.method} {call.path} was answered with {status} and not as an exchange would",
            "Is another program listening on the exchange's port? `./slipway status` shows the ports.",
        ) from error
    if status >= 500:
        raise Unavailable(f"the exchange failed at {call.path}: {message}", "Look at its log.")
    raise Refused(
        f"the exchange refused {call.path}: {message}",
        "Check the account's keys." if status == 401 else "Correct the request.",
    )


def _unreachable(url: str, error: Exception) -> Unavailable:
    reason = str(error) or type(error).__name__
    return Unavailable(f"the exchange at {url} does not answer ({reason})", "Start it with `./slipway up`.")
