"""Our routes for faults: set a knob, list them, clear them."""

import msgspec
from aiohttp import web

from execution.exchange.faults.knobs import FaultKind, Knob
from execution.exchange.gate import refusal, reply, with_account
from execution.exchange.host import Exchange, Hosted
from execution.exchange.marketdata.routes import MARKET
from execution.exchange.orders import Reason, Reject

routes = web.RouteTableDef()


@routes.post("/sim/faults")
@with_account
async def arm_fault(request: web.Request, _: Exchange, hosted: Hosted) -> web.Response:
    try:
        knob = msgspec.json.decode(await request.read(), type=Knob)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return refusal(Reject(Reason.INVALID, f"request body format is invalid: {error}"), hosted)
    if knob.complaint is not None:
        return refusal(Reject(Reason.INVALID, knob.complaint), hosted)
    if knob.kind is FaultKind.DROP_SOCKETS:
        hosted.drop_listeners()
        request.app[MARKET].drop_subscribers(hosted.id)
    else:
        hosted.faults.arm(knob)
    return reply(hosted.faults.listed())


@routes.get("/sim/faults")
@with_account
async def list_faults(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return reply(hosted.faults.listed())


@routes.delete("/sim/faults")
@with_account
async def clear_faults(request: web.Request, _: Exchange, hosted: Hosted) -> web.Response:
    """All knobs, or those of one `kind`; what is hidden or held back is so no longer."""
    kind = request.query.get("kind")
    if kind is not None and kind not in set(FaultKind):
        return refusal(Reject(Reason.INVALID, f"there is no fault {kind}"), hosted)
    hosted.clear_faults(None if kind is None else FaultKind(kind))
    return reply(hosted.faults.listed())
