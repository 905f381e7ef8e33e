"""Alpaca's market-data routes: /v2/stocks and /v1beta3/crypto/us.

As at Alpaca, errors here are `{"message"}` with 400, and whoever asks must have the keys of an account: it is that
account's tape which is told.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from aiohttp import web

from execution.exchange.gate import Handler, reply, with_account
from execution.exchange.host import Exchange, Hosted, wall_us
from execution.exchange.marketdata import shapes
from execution.exchange.marketdata.market import Market
from execution.exchange.marketdata.questions import (
    BadQuestion,
    Place,
    Question,
    check_tags,
    question,
    symbols_of,
)

MARKET = web.AppKey("market", Market)

routes = web.RouteTableDef()

Row = tuple[Place, dict[str, Any]]
Answer = Callable[[web.Request, Market, Hosted], web.Response]

_KIND = "{kind:bars|quotes|trades}"
_CRYPTO = "/v1beta3/crypto/{place}"
_ONE = {"bars": "bar", "quotes": "quote", "trades": "trade"}


def _market_data(answer: Answer) -> Handler:
    """A handler that asks the market, and answers what cannot be asked as Alpaca does."""

    async def asked(request: web.Request, _: Exchange, hosted: Hosted) -> web.StreamResponse:
        try:
            if request.match_info.get("place", "us") != "us":
                raise BadQuestion(f"Invalid location: {request.match_info['place']}")
            return answer(request, request.app[MARKET], hosted)
        except BadQuestion as error:
            return reply({"message": str(error)}, status=400)

    return with_account(asked)


# -- history


@routes.get(f"/v2/stocks/{_KIND}")
@routes.get(f"{_CRYPTO}/{_KIND}")
@_market_data
def list_of_many(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    kind = request.match_info["kind"]
    rows, token = _page(market, hosted, kind, _asked(request, hosted, _many(request)))
    found: dict[str, list[Any]] = {}
    for place, told in rows:
        found.setdefault(place.symbol, []).append(told)
    return reply({kind: found, "next_page_token": token})


@routes.get(f"/v2/stocks/{{symbol}}/{_KIND}")
@_market_data
def list_of_one(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    kind, symbols = request.match_info["kind"], _one(request)
    rows, token = _page(market, hosted, kind, _asked(request, hosted, symbols))
    return reply({kind: [told for _, told in rows], "symbol": symbols[0], "next_page_token": token})


# -- now


@routes.get(f"/v2/stocks/{_KIND}/latest")
@routes.get(f"{_CRYPTO}/latest/{_KIND}")
@_market_data
def latest_of_many(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    check_tags(request.query)
    kind = request.match_info["kind"]
    known = {symbol: market.latest(hosted.id, kind, symbol) for symbol in _many(request)}
    return reply({kind: {symbol: told for symbol, told in known.items() if told is not None}})


@routes.get(f"/v2/stocks/{{symbol}}/{_KIND}/latest")
@_market_data
def latest_of_one(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    check_tags(request.query)
    kind, (symbol,) = request.match_info["kind"], _one(request)
    told = market.latest(hosted.id, kind, symbol)
    if told is None:
        return reply({"message": f"no {_ONE[kind]} found for {symbol}"}, status=404)
    return reply({"symbol": symbol, _ONE[kind]: told})


@routes.get("/v2/stocks/snapshots")
@_market_data
def stock_snapshots(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    return reply(_snapshots(request, market, hosted))


@routes.get(f"{_CRYPTO}/snapshots")
@_market_data
def crypto_snapshots(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    return reply({"snapshots": _snapshots(request, market, hosted)})


@routes.get("/v2/stocks/{symbol}/snapshot")
@_market_data
def stock_snapshot(request: web.Request, market: Market, hosted: Hosted) -> web.Response:
    check_tags(request.query)
    (symbol,) = _one(request)
    told = market.snapshot(hosted.id, symbol)
    if told is None:
        return reply({"message": f"no snapshot found for {symbol}"}, status=404)
    return reply({"symbol": symbol, **told})


# -- what the handlers have in common


def _many(request: web.Request) -> tuple[str, ...]:
    return symbols_of(request.query.get("symbols", ""), crypto="place" in request.match_info)


def _one(request: web.Request) -> tuple[str, ...]:
    symbol = request.match_info["symbol"]
    if "," in symbol:
        raise BadQuestion(f"invalid symbol: {symbol}")
    return symbols_of(symbol, crypto=False)


def _asked(request: web.Request, hosted: Hosted, symbols: tuple[str, ...]) -> Question:
    now_us = hosted.account.clock_us or wall_us()
    return question(request.query, symbols, now_us, bars=request.match_info["kind"] == "bars")


def _page(market: Market, hosted: Hosted, kind: str, asked: Question) -> tuple[list[Row], str | None]:
    """The next rows, symbol by symbol, and the token of those after them."""
    rows = list(islice(_rows(market, hosted.id, kind, asked), asked.limit + 1))
    if len(rows) <= asked.limit:
        return rows, None
    return rows[:-1], rows[-2][0].token


def _rows(market: Market, account: str, kind: str, asked: Question) -> Iterator[Row]:
    for symbol in asked.symbols_left:
        stretch = asked.stretch_of(symbol)
        if kind == "bars":
            for bar in market.bars(account, symbol, asked.timeframe, stretch):
                yield Place(symbol, bar.ts_us, 0), shapes.bar_json(bar)
        elif kind == "quotes":
            for id_, quote in market.tape.quotes(account, symbol, stretch):
                yield Place(symbol, quote.ts_us, id_), shapes.quote_json(quote)
        else:
            for id_, trade in market.tape.trades(account, symbol, stretch):
                yield Place(symbol, trade.ts_us, id_), shapes.trade_json(id_, trade)


def _snapshots(request: web.Request, market: Market, hosted: Hosted) -> dict[str, Any]:
    check_tags(request.query)
    known = {symbol: market.snapshot(hosted.id, symbol) for symbol in _many(request)}
    return {symbol: told for symbol, told in known.items() if told is not None}
