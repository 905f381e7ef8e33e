"""The door that requests pass on their way in and answers on their way out: rate limits and armed faults.

Faults that strike after a request was carried out leave refusals alone: those are answered as ever.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from execution.exchange import requests, wire
from execution.exchange.faults.garbled import GARBLING, garbled
from execution.exchange.faults.ids import told_apart
from execution.exchange.faults.knobs import ORDERS, FaultKind, Knob, Subject
from execution.exchange.faults.race import cancel_too_late, fill_price_of, replace_too_late
from execution.exchange.gate import EXCHANGE, Handler, account_of, refusal, reply
from execution.exchange.host import Hosted
from execution.exchange.limits import ALPACAS_PER_MIN, DATA_PATHS
from execution.exchange.orders import Order, Reject

_BY_CLIENT_ID = "/v2/orders:by_client_order_id"
_TOO_MANY = {"code": 42910000, "message": "rate limit exceeded"}


@web.middleware
async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
    hosted = account_of(request)
    if hosted is None or not request.path.startswith("/v") or "Upgrade" in request.headers:
        return await handler(request)
    kind = "data" if request.path.startswith(DATA_PATHS) else "trading"
    spent = hosted.usage.spend(kind, hosted.limits.requests_per_min, time.time())
    if spent is not None and spent.refused:
        return reply(_TOO_MANY, status=429, headers=spent.headers)
    if hosted.faults or hosted.hidden:
        response = await _Passage(request, hosted, await _body_of(request)).through(handler)
    else:
        response = await handler(request)
    if spent is not None:
        response.headers.update(spent.headers)
    return response


class _Passage:
    """One request of an account that has faults armed."""

    def __init__(self, request: web.Request, hosted: Hosted, body: dict[str, Any]) -> None:
        self._request = request
        self._hosted = hosted
        self._body = body
        self._order = hosted.account.orders.get(request.path.removeprefix("/v2/orders/"))
        self._subject = _subject(request, body, self._order)

    async def through(self, handler: Handler) -> web.StreamResponse:
        if knob := self._struck(FaultKind.HTTP_429):
            wait_s = max(1, round(knob.delay_ms / 1e3))
            headers = {
                "Retry-After": str(wait_s),
                "X-Ratelimit-Limit": str(self._hosted.limits.requests_per_min or ALPACAS_PER_MIN),
                "X-Ratelimit-Remaining": "0",
                "X-Ratelimit-Reset": str(int(time.time()) + wait_s),
            }
            return reply(_TOO_MANY, status=429, headers=headers)
        if self._struck(FaultKind.LOSE_REQUEST):
            return self._cut()
        if knob := self._struck(FaultKind.HOLD_REQUEST):
            # Its body is read already, and aiohttp does not cancel the handler of a client that is gone.
            await asyncio.sleep(knob.delay_ms / 1e3)
        response: web.StreamResponse | None = self._hidden_answer() or await self._raced_answer()
        if response is None:
            self._mark_reused_id()
            response = await handler(self._request)
        if not isinstance(response, web.Response) or not 200 <= response.status < 300:
            return response
        return await self._out(self._without_hidden(response))

    async def _out(self, response: web.Response) -> web.Response:
        """A request was carried out, and its answer is on its way."""
        if self._subject.route == ORDERS and (knob := self._struck(FaultKind.HIDE_ORDER)):
            order_id = _decoded(response)["id"]
            self._hosted.hidden[order_id] = time.monotonic() + knob.delay_ms / 1e3
        if self._struck(FaultKind.LOSE_REPLY):
            return self._cut()
        if self._struck(FaultKind.HTTP_504_AFTER_ACCEPT):
            return reply({"code": 50410000, "message": "gateway timeout"}, status=504)
        for kind in GARBLING:
            if response.body and self._struck(kind):
                assert isinstance(response.body, bytes)
                response.body = garbled(kind, response.body)
                if kind is FaultKind.HTML_REPLY:
                    response.content_type = "text/html"
        if knob := self._struck(FaultKind.DELAY_REPLY):
            await asyncio.sleep(knob.delay_ms / 1e3)
        return response

    def _struck(self, kind: FaultKind) -> Knob | None:
        return self._hosted.faults.strikes(kind, self._subject)

    def _cut(self) -> web.Response:
        """Breaks the connection without an answer, as a lost reply looks to the client."""
        if self._request.transport is not None:
            self._request.transport.abort()
        return web.Response()

    # -- orders that cannot be seen yet

    def _hidden_answer(self) -> web.Response | None:
        request, account = self._request, self._hosted.account
        if request.method != "GET" or not self._now_hidden():
            return None
        order = self._order
        if request.path == _BY_CLIENT_ID:
            order = account.order_by_client_id(request.query.get("client_order_id", ""))
        if order is None or order.id not in self._hosted.hidden:
            return None
        asked = order.client_order_id if request.path == _BY_CLIENT_ID else order.id
        return reply({"code": 40410000, "message": f"order not found for {asked}"}, status=404)

    def _without_hidden(self, response: web.Response) -> web.Response:
        hidden = self._now_hidden()
        if hidden and self._subject.route == "GET /v2/orders":
            listed = [order for order in _decoded(response) if order["id"] not in hidden]
            response.body = msgspec.json.encode(listed)
        return response

    def _now_hidden(self) -> Mapping[str, float]:
        hidden, now_s = self._hosted.hidden, time.monotonic()
        for order_id in [order_id for order_id, until_s in hidden.items() if until_s <= now_s]:
            del hidden[order_id]
        return hidden

    # -- orders that do what their owner does not expect

    async def _raced_answer(self) -> web.Response | None:
        """What is answered to a cancel or a replace while the order fills."""
        order, hosted, exchange = self._order, self._hosted, self._request.app[EXCHANGE]
        price = None if order is None else fill_price_of(hosted.account, order)
        if order is None or price is None:
            return None
        if self._request.method == "DELETE" and self._struck(FaultKind.FILL_DURING_CANCEL):
            canceled = exchange.apply(
                hosted, lambda account, now_us: cancel_too_late(account, order.id, price, now_us)
            )
            return refusal(canceled, hosted) if isinstance(canceled, Reject) else web.Response(status=204)
        if self._request.method == "PATCH" and self._struck(FaultKind.FILL_DURING_REPLACE):
            asked = requests.replace_request(await self._request.read(), new_id=str(uuid4()))
            if isinstance(asked, Reject):
                return refusal(asked, hosted)
            coming = exchange.apply(
                hosted, lambda account, now_us: replace_too_late(account, order.id, asked, price, now_us)
            )
            return (
                refusal(coming, hosted)
                if isinstance(coming, Reject)
                else reply(wire.order_json(coming), of=hosted)
            )
        return None

    def _mark_reused_id(self) -> None:
        """Lets an order in under a client_order_id that another one has."""
        used, coid = self._hosted.account.by_client_id, self._body.get("client_order_id")
        if self._subject.route != ORDERS or coid not in used or not self._struck(FaultKind.REUSE_IDS):
            return
        number = next(number for number in range(2, len(used) + 3) if told_apart(coid, number) not in used)
        body = {**self._body, "client_order_id": told_apart(coid, number)}
        self._request._read_bytes = msgspec.json.encode(body)  # what the handler's read() returns


async def _body_of(request: web.Request) -> dict[str, Any]:
    """The object in the request's body; reads it, so that it is there whatever becomes of the client."""
    try:
        body = msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def _subject(request: web.Request, body: dict[str, Any], order: Order | None) -> Subject:
    told = {**request.query, **request.match_info, **body}
    return Subject(
        route=f"{request.method} {request.path}",
        symbol=order.symbol if order is not None else told.get("symbol", told.get("symbols")),
        coid=order.client_order_id if order is not None else told.get("client_order_id"),
    )


def _decoded(response: web.Response) -> Any:
    assert isinstance(response.body, bytes)
    return msgspec.json.decode(response.body)
