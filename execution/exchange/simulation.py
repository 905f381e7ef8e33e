"""Our own routes, /sim: open and list accounts, move the tape, halt symbols, set limits, read events; and /health."""

import msgspec
from aiohttp import web

from execution.exchange import filters, requests, wire
from execution.exchange.gate import EXCHANGE, refusal, reply, with_account
from execution.exchange.host import Exchange, Hosted, know_sessions, wall_us
from execution.exchange.limits import read_limits
from execution.exchange.marketdata.routes import MARKET
from execution.exchange.marketdata.ticks import Status
from execution.exchange.orders import Reason, Reject

routes = web.RouteTableDef()

EVENTS_PAGE_SIZE_MAX = 10_000
SEQ_MAX = 2**63 - 1  # what SQLite's integers hold


class HaltBody(msgspec.Struct, frozen=True):
    symbol: str
    halted: bool


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    return reply({"status": "ok", "accounts": len(request.app[EXCHANGE].hosted)})


@routes.post("/sim/accounts")
async def open_account(request: web.Request) -> web.Response:
    asked = requests.terms(await request.read())
    keys = asked if isinstance(asked, Reject) else request.app[EXCHANGE].open_account(*asked)
    return refusal(keys) if isinstance(keys, Reject) else reply(keys)


@routes.get("/sim/accounts")
async def list_accounts(request: web.Request) -> web.Response:
    """Every account and how it stands, for whoever looks after the exchange; keys stay secret."""
    return reply([_overview(hosted) for hosted in request.app[EXCHANGE].hosted])


@routes.post("/sim/bars")
@with_account
async def post_bars(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    """Moves the account's market; bars that the tape has passed change no book, and are answered alike."""
    bars = requests.bars(await request.read())
    if isinstance(bars, Reject):
        return refusal(bars, hosted)
    await know_sessions(hosted.account.terms.hours)
    exchange.apply(hosted, lambda account, now_us: account.on_bar(bars, now_us))
    request.app[MARKET].post_bars(hosted.id, bars)  # after the books: who hears of a bar finds its fills
    return _clock(hosted)


@routes.post("/sim/ticks")
@with_account
async def post_ticks(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    """Moves the account's market by quotes and trades; ticks that it has passed change no book."""
    ticks = requests.ticks(await request.read())
    if isinstance(ticks, Reject):
        return refusal(ticks, hosted)
    await know_sessions(hosted.account.terms.hours)
    exchange.apply(hosted, lambda account, now_us: account.on_ticks(ticks, now_us))
    request.app[MARKET].post_ticks(hosted.id, ticks)
    return _clock(hosted)


@routes.post("/sim/halts")
@with_account
async def halt(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    """Stops or resumes trading in a symbol."""
    try:
        asked = msgspec.json.decode(await request.read(), type=HaltBody)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return refusal(Reject(Reason.INVALID, f"request body format is invalid: {error}"), hosted)
    exchange.apply(hosted, lambda account, now_us: account.halt(asked.symbol, asked.halted))
    at_us = hosted.account.state.market_us or wall_us()
    request.app[MARKET].post_status(hosted.id, Status(asked.symbol, at_us, asked.halted))
    return reply({"halted": sorted(hosted.account.state.halted)}, of=hosted)


@routes.get("/sim/clock")
@with_account
async def show_clock(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return _clock(hosted)


@routes.get("/sim/events")
@with_account
async def list_events(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    """The account's events from the books, `after` a sequence: what the stream said, for those who missed it."""
    try:
        limit = filters.count(request.query, "limit", EVENTS_PAGE_SIZE_MAX, EVENTS_PAGE_SIZE_MAX)
        after = filters.count(request.query, "after", 0, SEQ_MAX, smallest=0)
    except ValueError as error:
        return refusal(Reject(Reason.INVALID, str(error)), hosted)
    events = exchange.books.events(hosted.account.id, after, limit)
    return reply([wire.trade_update(event)["data"] for event in events], of=hosted)


@routes.put("/sim/limits")
@with_account
async def set_limits(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    limits = read_limits(await request.read())
    if isinstance(limits, Reject):
        return refusal(limits, hosted)
    hosted.limits = limits
    return reply(limits)


@routes.get("/sim/limits")
@with_account
async def show_limits(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return reply(hosted.limits)


def _clock(hosted: Hosted) -> web.Response:
    return reply({"seq": hosted.account.seq, "clock_us": hosted.account.clock_us}, of=hosted)


def _overview(hosted: Hosted) -> dict[str, object]:
    account = hosted.account
    return {
        "account": account.terms.name,
        "equity": account.holdings.equity,
        "cash": account.holdings.cash,
        "positions": len(account.holdings.positions),
        "open_orders": len(account.open_orders()),
        "orders": len(account.orders),
        "fills": len(account.fills),
        "clock_us": account.clock_us,
        "listeners": len(hosted.listeners),
        "faults": len(hosted.faults.listed()),
        "requests_per_min": hosted.limits.requests_per_min,
        "key_id": hosted.keys.key_id,
    }
