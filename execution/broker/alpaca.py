"""Alpaca's trading API, spoken by our own client: short timeouts, no hidden retry, nothing trusted unread.

alpaca-py is not used to send: it repeats a POST by itself on 429 and 504, and has no timeout.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import aiohttp
import msgspec

from data.errors import Refused
from execution.broker import (
    Books,
    BrokerDown,
    BrokerEvent,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    Connected,
    Unreadable,
)
from execution.core.intents import Intent
from execution.core.lifecycle import BROKER_STATES, Accepted, Duplicate, Outcome, Rejected, Unknown

PAGE: Final = 500  # Alpaca's largest for orders
ACTIVITY_PAGE: Final = 100  # and for activities
PAGES_MAX: Final = 1_000
DEFINITE: Final = frozenset({400, 401, 403, 404, 405, 422})
SEQ_HEADER: Final = "X-Slipway-Seq"  # our exchange says how many events an answer includes


class AlpacaBroker:
    """One account at Alpaca, or at what speaks like it."""

    def __init__(self, url: str, key_id: str, secret_key: str, *, connect_s: float, total_s: float) -> None:
        self.allowed: Callable[[], Awaitable[None]] = _at_once
        """awaited before a cancel or a question; orders were allowed when they were claimed"""
        self._url = url.rstrip("/")
        self._keys = {"key": key_id, "secret": secret_key}
        self._session = aiohttp.ClientSession(
            headers={"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret_key},
            timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s),
        )

    async def submit(self, intent: Intent) -> Outcome:
        body = {
            "client_order_id": intent.coid,
            "symbol": intent.symbol,
            "qty": repr(intent.qty).removesuffix(".0"),
            "side": intent.side,
            "type": "market",
            "time_in_force": "day",
        }
        try:
            async with self._session.post(f"{self._url}/v2/orders", json=body) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Unknown(f"{type(error).__name__}: {error}")
        return read_outcome(status, text)

    async def find(self, coid: str) -> BrokerOrder | None:
        status, body, _ = await self._get(
            "/v2/orders:by_client_order_id", {"client_order_id": coid}, missing=True
        )
        return None if status == 404 else read_order(body)

    async def cancel(self, broker_id: str) -> None:
        """Ask for a cancel; the stream says what came of it.  An order that ended meanwhile is no failure."""
        await self._delete(f"/v2/orders/{broker_id}", ended=(404, 422))

    async def cancel_all(self) -> None:
        await self._delete("/v2/orders")

    async def books(self) -> Books:
        orders, order_seq = await self._all_orders()
        fills, fill_seq = await self._all_fills({order.broker_id: order.coid for order in orders})
        _, listed, position_seq = await self._get("/v2/positions", {})
        known = [seq for seq in (order_seq, fill_seq, position_seq) if seq is not None]
        return Books(
            orders=orders,
            fills=fills,
            positions=[BrokerPosition(p["symbol"], str(p["qty"])) for p in listed],
            seq=min(known) if known else None,
        )

    async def events(self) -> AsyncIterator[Connected | BrokerEvent | Unreadable]:
        """The account's stream from now on; ends with BrokerDown.  What was missed comes from `books`."""
        try:
            async with self._session.ws_connect(f"{self._url}/stream", heartbeat=5.0) as socket:
                await socket.send_json({"action": "auth", **self._keys})
                await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
                async for message in socket:
                    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        break
                    event = read_event(message.data)
                    if event is not None:
                        yield event
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BrokerDown(str(error) or type(error).__name__) from error
        raise BrokerDown("the broker closed the stream")

    async def close(self) -> None:
        await self._session.close()

    async def _all_orders(self) -> tuple[list[BrokerOrder], int | None]:
        found: dict[str, BrokerOrder] = {}
        after, first_seq = "1970-01-01T00:00:00Z", None
        for _ in range(PAGES_MAX):
            question = {"status": "all", "limit": PAGE, "direction": "asc", "after": after}
            _, page, seq = await self._get("/v2/orders", question)
            first_seq = seq if first_seq is None else first_seq
            found |= {order["id"]: read_order(order) for order in page}
            if len(page) < PAGE:
                break
            after = page[-1]["submitted_at"]
        return list(found.values()), first_seq

    async def _all_fills(self, coids: dict[str, str]) -> tuple[list[BrokerFill], int | None]:
        found: list[BrokerFill] = []
        question: dict[str, Any] = {"direction": "asc", "page_size": ACTIVITY_PAGE}
        first_seq = None
        for _ in range(PAGES_MAX):
            _, page, seq = await self._get("/v2/account/activities/FILL", question)
            first_seq = seq if first_seq is None else first_seq
            found += [read_activity(told, coids) for told in page]
            if len(page) < ACTIVITY_PAGE:
                break
            question["page_token"] = page[-1]["id"]
        return found, first_seq

    async def _delete(self, path: str, ended: tuple[int, ...] = ()) -> None:
        await self.allowed()
        try:
            async with self._session.delete(self._url + path) as response:
                if response.status >= 400 and response.status not in ended:
                    raise BrokerDown(f"DELETE {path} answered {response.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BrokerDown(f"DELETE {path}: {error or type(error).__name__}") from error

    async def _get(
        self, path: str, question: dict[str, Any], *, missing: bool = False
    ) -> tuple[int, Any, int | None]:
        await self.allowed()
        try:
            async with self._session.get(self._url + path, params=question) as response:
                text = await response.text()
                seq = response.headers.get(SEQ_HEADER)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BrokerDown(f"GET {path}: {error or type(error).__name__}") from error
        if response.status in (401, 403):
            raise Refused(
                f"the broker at {self._url} refuses the credentials ({response.status})",
                "Check the key and secret of SLIPWAY_BROKER's account.",
            )
        if response.status != 200 and not (missing and response.status == 404):
            raise BrokerDown(f"GET {path} answered {response.status}: {text[:200]}")
        try:
            return response.status, json.loads(text), int(seq) if seq else None
        except ValueError as error:
            raise BrokerDown(f"GET {path} answered with something that is not JSON: {text[:200]}") from error


async def _at_once() -> None:
    """Nobody counts."""


def read_outcome(status: int, text: str) -> Outcome:
    """What a reply to a POST of an order proves."""
    try:
        body = json.loads(text)
    except ValueError:
        return Unknown(f"HTTP {status} with a body that is not JSON")
    if not isinstance(body, dict):
        return Unknown(f"HTTP {status} with a body that is not an object")
    if 200 <= status < 300:
        return Accepted(str(body["id"])) if "id" in body else Unknown(f"HTTP {status} without an order id")
    message = str(body.get("message", text))
    if status == 422 and "client_order_id" in message and "unique" in message:
        return Duplicate()
    if status in DEFINITE:
        return Rejected(f"{message} (HTTP {status}, code {body.get('code')})")
    return Unknown(f"HTTP {status}: {message[:200]}")


def read_order(told: dict[str, Any]) -> BrokerOrder:
    return BrokerOrder(
        broker_id=str(told["id"]),
        coid=str(told["client_order_id"]),
        symbol=str(told["symbol"]),
        side=told["side"],
        qty=str(told["qty"]),
        filled_qty=str(told.get("filled_qty") or "0"),
        status=str(told["status"]),
        state=BROKER_STATES.get(str(told["status"])),
    )


def read_activity(told: dict[str, Any], coids: dict[str, str]) -> BrokerFill:
    """A FILL activity.  Alpaca's own names the order by the broker's id only, and the execution in its id."""
    return BrokerFill(
        execution_id=str(told.get("execution_id") or told["id"].rpartition("::")[2]),
        coid=str(told.get("client_order_id") or coids[told["order_id"]]),
        symbol=str(told["symbol"]),
        side="buy" if told["side"] == "buy" else "sell",  # also "sell_short"
        qty=str(told["qty"]),
        price=str(told["price"]),
        commission=str(told.get("commission") or "0"),
        filled_at=str(told["transaction_time"]),
        bar_ts_us=told.get("bar_ts_us"),
        seq=told.get("seq"),
    )


def read_event(raw: str | bytes) -> Connected | BrokerEvent | Unreadable | None:
    """A frame of the stream; None for what is only about the stream itself."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    try:
        frame = msgspec.json.decode(text)
        if frame["stream"] != "trade_updates":
            return _about_the_stream(frame, text)
        data = frame["data"]
        order = read_order(data["order"])
        fill = None
        if data["event"] in ("fill", "partial_fill"):
            fill = BrokerFill(
                execution_id=str(data["execution_id"]),
                coid=order.coid,
                symbol=order.symbol,
                side=order.side,
                qty=str(data["qty"]),
                price=str(data["price"]),
                commission=str(data.get("commission") or "0"),
                filled_at=str(data["timestamp"]),
                bar_ts_us=data.get("bar_ts_us"),
                seq=data.get("seq"),
            )
        return BrokerEvent(order=order, fill=fill, seq=data.get("seq"))
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        return Unreadable(text[:100_000], f"{type(error).__name__}: {error}")


def _about_the_stream(frame: dict[str, Any], text: str) -> Connected | Unreadable | None:
    match frame["stream"]:
        case "listening":
            return Connected()
        case "authorization":
            if frame["data"].get("status") == "authorized":
                return None
            return Unreadable(text, "the stream refused the credentials")
        case other:
            return Unreadable(text, f"a stream that we did not ask for: {other!r}")
