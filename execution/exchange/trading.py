"""Alpaca's trading routes, /v2: orders and positions."""

from collections.abc import Callable
from uuid import uuid4

from aiohttp import web

from execution.exchange import filters, liquidation, requests, statements, wire
from execution.exchange.accounts import symbol_in_path
from execution.exchange.gate import refusal, reply, with_account
from execution.exchange.host import Exchange, Hosted, know_sessions
from execution.exchange.matching import Account
from execution.exchange.orders import Event, Order, OrderRequest, Reason, Reject, ReplaceRequest

routes = web.RouteTableDef()


# -- orders


@routes.post("/v2/orders")
@with_account
async def submit_order(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    order = requests.order_request(await request.read(), new_id=str(uuid4()))
    if isinstance(order, OrderRequest) and order.time_in_force.is_auction:
        await know_sessions(hosted.account.auction_calendar)
    result = order if isinstance(order, Reject) else exchange.apply(hosted, _submission(order))
    if isinstance(result, Reject):
        return refusal(result, hosted)
    return reply(_nested(hosted.account, result), of=hosted)


@routes.patch("/v2/orders/{order_id}")
@with_account
async def replace_order(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    asked = requests.replace_request(await request.read(), new_id=str(uuid4()))
    result = (
        asked
        if isinstance(asked, Reject)
        else exchange.apply(hosted, _replacement(request.match_info["order_id"], asked))
    )
    if isinstance(result, Reject):
        return refusal(result, hosted)
    return reply(_nested(hosted.account, result), of=hosted)


@routes.get("/v2/orders")
@with_account
async def list_orders(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    wanted = filters.order_filter(request.query)
    if isinstance(wanted, Reject):
        return refusal(wanted, hosted)
    account = hosted.account
    shown = _nested if wanted.nested else _flat
    return reply([shown(account, order) for order in wanted.page(account)], of=hosted)


@routes.get("/v2/orders:by_client_order_id")
@with_account
async def show_order_by_client_id(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    client_order_id = request.query.get("client_order_id", "")
    return _order_or_404(hosted, hosted.account.order_by_client_id(client_order_id), client_order_id)


@routes.get("/v2/orders/{order_id}")
@with_account
async def show_order(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    order_id = request.match_info["order_id"]
    nested = request.query.get("nested", "").lower() == "true"
    return _order_or_404(hosted, hosted.account.orders.get(order_id), order_id, nested)


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
    refused = exchange.apply(hosted, _cancel_all)
    answer = [
        {"id": order_id, "status": 200}
        if reject is None
        else {"id": order_id, "status": wire.STATUS_AND_CODE[reject.reason][0], "body": wire.error(reject)}
        for order_id, reject in refused.items()
    ]
    return reply(answer, status=207, of=hosted)


# -- positions


@routes.get("/v2/positions")
@with_account
async def list_positions(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account = hosted.account
    positions = account.holdings.positions.items()
    return reply([statements.position_json(symbol, held, account) for symbol, held in positions], of=hosted)


@routes.get("/v2/positions/{symbol}")
@with_account
async def show_position(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account = hosted.account
    symbol = symbol_in_path(request, account)
    held = account.holdings.positions.get(symbol)
    if held is None:
        return refusal(liquidation.no_position(symbol), hosted)
    return reply(statements.position_json(symbol, held, account), of=hosted)


@routes.delete("/v2/positions")
@with_account
async def close_all_positions(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    cancel_orders = request.query.get("cancel_orders", "").lower() == "true"
    results = exchange.apply(
        hosted, lambda account, now_us: liquidation.close_all(account, cancel_orders, now_us)
    )
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
    symbol = symbol_in_path(request, hosted.account)
    qty = requests.closing_qty(request.query, abs(hosted.account.holdings.qty(symbol)))
    result = qty if isinstance(qty, Reject) else exchange.apply(hosted, _closing(symbol, qty))
    return (
        refusal(result, hosted) if isinstance(result, Reject) else reply(wire.order_json(result), of=hosted)
    )


# -- commands


def _submission(order: OrderRequest) -> Callable[[Account, int], Order | Reject]:
    return lambda account, now_us: account.submit(order, now_us)


def _cancellation(order_id: str) -> Callable[[Account, int], Event | Reject]:
    return lambda account, now_us: account.cancel(order_id, now_us)


def _replacement(order_id: str, asked: ReplaceRequest) -> Callable[[Account, int], Order | Reject]:
    return lambda account, now_us: account.replace(order_id, asked, now_us)


def _cancel_all(account: Account, now_us: int) -> dict[str, Reject | None]:
    return account.cancel_all(now_us)


def _closing(symbol: str, qty: float | None) -> Callable[[Account, int], Order | Reject]:
    return lambda account, now_us: liquidation.close(account, symbol, qty, now_us)


# -- small answers


def _order_or_404(hosted: Hosted, order: Order | None, asked: str, nested: bool = False) -> web.Response:
    if order is None:
        return refusal(Reject(Reason.NO_SUCH_ORDER, f"order not found for {asked}"), hosted)
    return reply((_nested if nested else _flat)(hosted.account, order), of=hosted)


def _flat(_: Account, order: Order) -> wire.Json:
    return wire.order_json(order)


def _nested(account: Account, order: Order) -> wire.Json:
    return wire.order_json(order, account.legs_of(order))
