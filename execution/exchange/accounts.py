"""Alpaca's other trading routes, /v2: account, settings, activities, history, clock, calendar, assets."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from aiohttp import web

from data import calendars
from data.errors import UsageError
from execution.exchange import filters, hours, requests, statements, wire
from execution.exchange.gate import refusal, reply, with_account
from execution.exchange.host import Exchange, Hosted, know_sessions, wall_us
from execution.exchange.matching import Account
from execution.exchange.orders import Reason, Reject
from execution.exchange.refusals import invalid
from execution.exchange.state import Configuration
from execution.exchange.terms import TAPE_HOURS

routes = web.RouteTableDef()

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PERIOD = re.compile(r"([1-9][0-9]{0,3})([DWMA])")
_DAYS_OF = {"D": 1, "W": 5, "M": 21, "A": 252}  # of trading
_DAY_US = 86_400_000_000
Command = Callable[[Account, int], None]
CALENDAR_DAYS = timedelta(days=300)  # told before and after today to who names no dates


@routes.get("/v2/account")
@with_account
async def show_account(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return reply(statements.account_json(hosted.account, hosted.created_at_us), of=hosted)


@routes.get("/v2/account/configurations")
@with_account
async def show_configuration(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    return reply(statements.configuration_json(hosted.account), of=hosted)


@routes.patch("/v2/account/configurations")
@with_account
async def change_configuration(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    wished = requests.configuration(await request.read(), hosted.account.state.configuration)
    if isinstance(wished, Reject):
        return refusal(wished, hosted)
    exchange.apply(hosted, _configuring(wished))
    return reply(statements.configuration_json(hosted.account), of=hosted)


@routes.get("/v2/account/activities")
@routes.get("/v2/account/activities/{kind}")
@with_account
async def list_activities(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    """Fills, fees and interest; `page_token` is the id of the last one of the page before."""
    wanted = filters.activity_filter(request.query, request.match_info.get("kind"))
    entries = wanted if isinstance(wanted, Reject) else wanted.page(hosted.account)
    if isinstance(entries, Reject):
        return refusal(entries, hosted)
    return reply([statements.activity_json(entry, hosted.account.id) for entry in entries], of=hosted)


@routes.get("/v2/account/portfolio/history")
@with_account
async def show_history(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    period = _PERIOD.fullmatch(request.query.get("period", "1M"))
    if period is None:
        return refusal(invalid("period must be a number and one of D, W, M and A, like 1M"), hosted)
    if request.query.get("timeframe", "1D") != "1D":
        return refusal(invalid("timeframe must be 1D: this exchange keeps one value a day"), hosted)
    return reply(statements.history_json(hosted.account, int(period[1]) * _DAYS_OF[period[2]]), of=hosted)


@routes.get("/v2/clock")
@with_account
async def show_clock(_: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account, now_us = hosted.account, wall_us()
    calendar = account.terms.hours
    if calendar == TAPE_HOURS:  # always open: the tape decides when something trades
        return reply(_clock_json(now_us, True, now_us + _DAY_US, now_us + _DAY_US))
    at_us = now_us if account.state.market_us is None else account.state.market_us
    await know_sessions(calendar)
    is_open = hours.phase(at_us, calendar) is hours.Phase.REGULAR
    return reply(
        _clock_json(
            at_us, is_open, hours.next_open_us(at_us + 1, calendar), hours.next_close_us(at_us, calendar)
        )
    )


@routes.get("/v2/calendar")
@with_account
async def show_calendar(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    today = datetime.now(UTC).date()
    name = hosted.account.auction_calendar
    try:
        first = date.fromisoformat(request.query.get("start", (today - CALENDAR_DAYS).isoformat())[:10])
        last = date.fromisoformat(request.query.get("end", (today + CALENDAR_DAYS).isoformat())[:10])
        sessions = await asyncio.to_thread(calendars.sessions, first, last, name)
    except (ValueError, UsageError) as error:
        return refusal(invalid(str(error)), hosted)
    return reply([_session_json(session) for session in sessions])


@routes.get("/v2/assets")
@with_account
async def list_assets(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    account = hosted.account
    known = sorted({*account.terms.symbols, *account.terms.assets, *account.holdings.marks})
    assets = [statements.asset_json(symbol, account) for symbol in known]
    wanted = {"status": "status", "asset_class": "class", "exchange": "exchange"}
    for parameter, field in wanted.items():
        value = request.query.get(parameter)
        if value is not None:
            assets = [asset for asset in assets if asset[field] == value]
    return reply(assets)


@routes.get("/v2/assets/{symbol:.+}")
@with_account
async def show_asset(request: web.Request, exchange: Exchange, hosted: Hosted) -> web.Response:
    symbol = symbol_in_path(request, hosted.account)
    if not requests.SYMBOL.fullmatch(symbol) or not hosted.account.is_listed(symbol):
        return refusal(Reject(Reason.NO_SUCH_ASSET, f"asset not found for {symbol}"), hosted)
    return reply(statements.asset_json(symbol, hosted.account))


def symbol_in_path(request: web.Request, account: Account) -> str:
    """The symbol in the path, given as itself or by its asset id."""
    text = request.match_info["symbol"]
    if not _UUID.fullmatch(text):
        return text
    known = {*account.terms.symbols, *account.terms.assets, *account.holdings.marks}
    return next((symbol for symbol in known if wire.asset_id(symbol) == text), text)


def _configuring(wished: Configuration) -> Command:
    return lambda account, now_us: account.configure(wished)


def _clock_json(at_us: int, is_open: bool, next_open_us: int, next_close_us: int) -> wire.Json:
    return {
        "timestamp": wire.stamp(at_us),
        "is_open": is_open,
        "next_open": wire.stamp(next_open_us),
        "next_close": wire.stamp(next_close_us),
    }


def _session_json(session: calendars.Session) -> wire.Json:
    opens, closes = (at.astimezone(hours.NEW_YORK) for at in (session.open_utc, session.close_utc))
    return {
        "date": session.day.isoformat(),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": f"{hours.PRE_MARKET:%H%M}",
        "session_close": f"{hours.AFTER_HOURS_END:%H%M}",
    }
