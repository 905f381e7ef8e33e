"""The door of the HTTP API: who may come in, and how answers and refusals leave."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiohttp import web

from data.errors import SlipwayError
from execution.exchange import wire
from execution.exchange.faults.ids import shown
from execution.exchange.host import Exchange, Hosted
from execution.exchange.orders import Reject

EXCHANGE = web.AppKey("exchange", Exchange)
SEQ_HEADER = "X-Slipway-Seq"  # the account's last event that the answer includes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AccountHandler = Callable[[web.Request, Exchange, Hosted], Awaitable[web.StreamResponse]]

_LOCAL_HOSTS = ("127.0.0.1", "localhost")
_log = structlog.get_logger()


def with_account(handler: AccountHandler) -> Handler:
    """Lets in whoever sends the keys of an account, and hands that account to the handler."""

    async def admitted(request: web.Request) -> web.StreamResponse:
        hosted = account_of(request)
        if hosted is None:
            return reply({"code": 40110000, "message": "request is not authorized"}, status=401)
        return await handler(request, request.app[EXCHANGE], hosted)

    return admitted


def account_of(request: web.Request) -> Hosted | None:
    """Whose keys a request carries."""
    headers = request.headers
    return request.app[EXCHANGE].admit(
        headers.get("APCA-API-KEY-ID", ""), headers.get("APCA-API-SECRET-KEY", "")
    )


def reply(
    body: Any, status: int = 200, of: Hosted | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON; `of` adds the sequence of the account's last event."""
    sequence = {} if of is None else {SEQ_HEADER: str(of.account.seq)}
    return web.Response(
        body=shown(msgspec.json.encode(body)),
        status=status,
        content_type="application/json",
        headers={**sequence, **(headers or {})},
    )


def refusal(reject: Reject, of: Hosted | None = None) -> web.Response:
    return reply(wire.error(reject), status=wire.STATUS_AND_CODE[reject.reason][0], of=of)


@web.middleware
async def one_error_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is Alpaca's `{"code", "message"}`."""
    if (
        request.host.partition(":")[0] not in _LOCAL_HOSTS
    ):  # a page that rebinds its name to 127.0.0.1 stays outside
        return reply({"code": 40310000, "message": "this exchange serves 127.0.0.1 only"}, status=403)
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return reply({"code": error.status * 100_000 + 10_000, "message": error.reason}, status=error.status)
    except SlipwayError as error:
        _log.error("request failed", path=request.path, error=str(error))
        return reply({"code": 50310000, "message": str(error)}, status=503)
    except Exception:
        _log.exception("request failed", path=request.path)
        return reply({"code": 50010000, "message": "internal server error occurred"}, status=500)
