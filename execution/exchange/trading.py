"""Alpaca's trading routes, /v2: account, orders, positions, activities, clock, assets."""

import asyncio
import re
from collections.abc import Callable
from uuid import uuid4

from aiohttp import web

from execution.exchange import filters, requests, wire
from execution.exchange.faults import FaultKind
from execution.exchange.gate import refusal, reply, with_account
from execution.exchange.host import Exchange, Hosted, wall_us
from execution.exchange.matching import Account
from execution.exchange.orders import Event, Order, OrderRequest, Reason, Reject, Side

routes = web.RouteTableDef()

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@routes.get("/v2/account")
@with_account
async def show_account(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return reply(wire.account_json(hosted.account, hosted.created_at_us), of=hosted)


@routes.get("/v2/clock")
@with_account
async def show_clock(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return reply(wire.clock_json(wall_us()))


# -- orders


@routes.post("/v2/orders")
@with_account
async def submit_order(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    body = await request.read()
    faults = hosted.faults
    if faults.strikes(FaultKind.LOSE_REQUEST):
        return _cut(request)
    order = requests.order_request(body, new_id=str(uuid4()))
    result = order if isinstance(order, Reject) else exchange.apply(hosted, _submission(order))
    if isinstance(result, Reject):
        return refusal(result, hosted)
    if faults.strikes(FaultKind.LOSE_REPLY):
        return _cut(request)
    if faults.strikes(FaultKind.HTTP_504_AFTER_ACCEPT):
        return reply({"code": 50410000, "message": "gateway timeout"}, status=504)
    if faults.strikes(FaultKind.DELAY_REPLY):
        await asyncio.sleep(faults.delay_ms / 1e3)
    return reply(wire.order_json(result), of=hosted)


@routes.get("/v2/orders")
@with_account
async def list_orders(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    wanted = filters.order_filter(request.query)
    if isinstance(wanted, Reject):
        return refusal(wanted, hosted)
    return reply([wire.order_json(order) for order in wanted.page(hosted.account)], of=hosted)


@routes.get("/v2/orders:by_client_order_id")
@with_account
async def show_order_by_client_id(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    client_order_id = request.query.get("client_order_id", "")
    return _order_or_404(hosted, hosted.account.order_by_client_id(client_order_id), client_order_id)


@routes.get("/v2/orders/{order_id}")
@with_account
async def show_order(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    order_id = request.match_info["order_id"]
    return _order_or_404(hosted, hosted.account.orders.get(order_id), order_id)


@routes.delete("/v2/orders/{order_id}")
@with_account
async def cancel_order(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    result = exchange.apply(hosted, _cancellation(request.match_info["order_id"]))
    if isinstance(result, Reject):
        return refusal(result, hosted)
    return web.Response(status=204)


@routes.delete("/v2/orders")
@with_account
async def cancel_all_orders(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    events = exchange.apply(hosted, _cancel_all)
    answer = [{"id": event.order.id, "status": 200} for event in events]
    return reply(answer, status=207, of=hosted)


# -- positions


@routes.get("/v2/positions")
@with_account
async def list_positions(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account = hosted.account
    positions = account.holdings.positions.items()
    return reply([wire.position_json(symbol, held, account) for symbol, held in positions], of=hosted)


@routes.get("/v2/positions/{symbol}")
@with_account
async def show_position(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account = hosted.account
    symbol = _symbol(request, account)
    held = account.holdings.positions.get(symbol)
    if held is None:
        return refusal(_no_position(symbol), hosted)
    return reply(wire.position_json(symbol, held, account), of=hosted)


@routes.delete("/v2/positions")
@with_account
async def close_all_positions(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    cancel_orders = request.query.get("cancel_orders", "").lower() == "true"
    results = exchange.apply(hosted, _closing_all(cancel_orders))
    answer = [
        {
            "symbol": symbol,
            "order_id": None if isinstance(result, Reject) else result.id,
            "status": wire.STATUS_AND_CODE[result.reason][0] if isinstance(result, Reject) else 200,
            "body": wire.error(result) if isinstance(result, Reject) else wire.order_json(result),
        }
        for symbol, result in results.items()
    ]
    return reply(answer, status=207, of=hosted)


@routes.delete("/v2/positions/{symbol}")
@with_account
async def close_position(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    symbol = _symbol(request, hosted.account)
    qty = requests.closing_qty(request.query, abs(hosted.account.holdings.qty(symbol)))
    result = qty if isinstance(qty, Reject) else exchange.apply(hosted, _closing(symbol, qty))
    return (
        refusal(result, hosted) if isinstance(result, Reject) else reply(wire.order_json(result), of=hosted)
    )


# -- activities and assets


@routes.get("/v2/account/activities")
@routes.get("/v2/account/activities/FILL")
@with_account
async def list_fills(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    """Fills are the only activities; `page_token` is the id of the last one of the page before."""
    wanted = filters.fill_filter(request.query)
    fills = wanted if isinstance(wanted, Reject) else wanted.page(hosted.account.fills)
    if isinstance(fills, Reject):
        return refusal(fills, hosted)
    if "FILL" not in request.query.get("activity_types", "FILL").split(","):
        fills = []
    return reply([wire.activity_json(fill, hosted.account.id) for fill in fills], of=hosted)


@routes.get("/v2/assets")
@with_account
async def list_assets(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account = hosted.account
    known = sorted({*account.terms.symbols, *account.holdings.marks})
    return reply([wire.asset_json(symbol) for symbol in known])


@routes.get("/v2/assets/{symbol:.+}")
@with_account
async def show_asset(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    symbol = _symbol(request, hosted.account)
    if not requests.SYMBOL.fullmatch(symbol) or not hosted.account.is_listed(symbol):
        return reply({"code": 40410000, "message": f"asset not found for {symbol}"}, status=404)
    return reply(wire.asset_json(symbol))


# -- commands


def _submission(order: OrderRequest) -> Callable[[Account, int], Order | Reject]:
    return lambda account, now_us: account.submit(order, now_us)


def _cancellation(order_id: str) -> Callable[[Account, int], Event | Reject]:
    return lambda account, now_us: account.cancel(order_id, now_us)


def _cancel_all(account: Account, now_us: int) -> list[Event]:
    results = [account.cancel(order.id, now_us) for order in account.open_orders()]
    return [event for event in results if isinstance(event, Event)]


def _closing(symbol: str, qty: float | None) -> Callable[[Account, int], Order | Reject]:
    return lambda account, now_us: _close(account, symbol, qty, now_us)


def _closing_all(cancel_orders: bool) -> Callable[[Account, int], dict[str, Order | Reject]]:
    def close_all(account: Account, now_us: int) -> dict[str, Order | Reject]:
        if cancel_orders:
            _cancel_all(account, now_us)
        return {symbol: _close(account, symbol, None, now_us) for symbol in account.holdings.positions}

    return close_all


def _close(account: Account, symbol: str, qty: float | None, now_us: int) -> Order | Reject:
    """A market order that brings the position to zero, or `qty` shares nearer to it."""
    held = account.holdings.qty(symbol)
    if held == 0.0:
        return _no_position(symbol)
    wanted = abs(held) if qty is None else qty
    reserved = account.holdings.held_for_orders(symbol)
    available = abs(held) - reserved
    if wanted > available:
        message = (
            f"insufficient qty available for order (requested: {wire.quantity(wanted)},"
            f" available: {wire.quantity(available)})"
        )
        details = {
            "symbol": symbol,
            "available": wire.quantity(available),
            "existing_qty": wire.quantity(abs(held)),
            "held_for_orders": wire.quantity(reserved),
        }
        return Reject(Reason.HELD_FOR_ORDERS, message, details)
    side = Side.SELL if held > 0 else Side.BUY
    request = OrderRequest(client_order_id=str(uuid4()), symbol=symbol, side=side, qty=wanted)
    return account.submit(request, now_us)


# -- small answers


def _cut(request: web.Request) -> web.Response:
    """Breaks the connection without an answer, as a lost reply looks to the client."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _order_or_404(hosted: Hosted, order: Order | None, asked: str) -> web.Response:
    if order is None:
        return refusal(Reject(Reason.NO_SUCH_ORDER, f"order not found for {asked}"), hosted)
    return reply(wire.order_json(order), of=hosted)


def _symbol(request: web.Request, account: Account) -> str:
    """The symbol in the path, given as itself or by its asset id."""
    text = request.match_info["symbol"]
    if not _UUID.fullmatch(text):
        return text
    known = {*account.terms.symbols, *account.holdings.marks}
    return next((symbol for symbol in known if wire.asset_id(symbol) == text), text)


def _no_position(symbol: str) -> Reject:
    return Reject(Reason.NO_SUCH_POSITION, f"position does not exist: {symbol}")
